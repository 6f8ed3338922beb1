"""The answering gateway behind a real broker, for hubs and large contents too: one memory for each device."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import UTC, datetime
from typing import Any

from paho.mqtt.client import MQTTMessage

from tests.simulators.contents_gateway import MemoryGateway
from tests.simulators.fake_gateway import FakeGateway


class WideGateway(FakeGateway):
    """`rooms` has each device's readings and contents, `words` each hello and state as (sender, device, body)."""

    def __init__(self, port: int) -> None:
        self.rooms: defaultdict[str, MemoryGateway] = defaultdict(MemoryGateway)
        self.words: list[tuple[str, str, str, dict[str, Any]]] = []
        self.readings: list[tuple[str, str, bytes]] = []
        super().__init__(port)

    def _take(self, message: MQTTMessage) -> None:
        sender, *rest = message.topic.split("/")[3:]
        device, named = sender, {}
        if rest[0] == "for":
            device, rest = rest[1], rest[2:]
            named = {"device": device}
        payload = bytes(message.payload)
        if rest[0] in ("hello", "state"):
            said = json.loads(payload)
            self.words.append((sender, device, rest[0], said))
            if rest[0] == "hello":
                told = {"command": "welcome", "conn": said["conn"], "gateway_time": datetime.now(UTC).isoformat()}
                self.say(sender, {**told, **named, "ledger": self.ledger})
            return
        if rest[0] == "reading":
            self.readings.append((sender, device, payload))
        receipts = [{**receipt, **named} for receipt in self.rooms[device].take("/".join(rest), payload)]
        self.say(sender, {"ledger": self.ledger, "receipts": receipts})
