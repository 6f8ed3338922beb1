"""A broker that can be killed, and a small gateway that answers by the device contract, keeping all in memory."""

from __future__ import annotations

import hashlib
import json
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Self

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from simulators.devices import packets


def eventually(holds: Callable[[], object], within_s: float = 20.0) -> None:
    """Poll until it holds, or fail."""
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


class Broker:
    """A broker process that can be killed and started again on the same port and store."""

    def __init__(self, command: list[str], port: int) -> None:
        self.url = f"mqtt://127.0.0.1:{port}"
        self.port = port
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start, and wait until it listens."""
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        eventually(self._listens)

    def kill(self) -> None:
        """As a power cut would."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


class FakeGateway:
    """Answers every reading once it is in memory; `verdict` may say otherwise for one message."""

    def __init__(self, port: int) -> None:
        self.kept: dict[tuple[str, str, int], bytes] = {}
        self.arrived: list[tuple[str, bytes]] = []
        self.hellos: list[dict[str, Any]] = []
        self.states: list[dict[str, Any]] = []
        self.retained: list[bytes] = []
        self.ledger = "3fa9c1d2"
        self.silent = False
        self.confirms = False
        self.welcome: dict[str, Any] = {}
        self.verdict: Callable[[dict[str, Any]], dict[str, Any] | None] = lambda _reading: None
        self._subscribed = threading.Event()
        self._client = client = Client(CallbackAPIVersion.VERSION2, "gateway-test")
        client.username_pw_set("gateway", "secret")
        client.reconnect_delay_set(1, 1)
        client.max_inflight_messages_set(0)
        client.on_connect = self._subscribe
        client.on_subscribe = lambda *_: self._subscribed.set()
        client.on_message = lambda *words: self._take(words[2])
        client.connect("127.0.0.1", port)
        client.loop_start()
        assert self._subscribed.wait(10)

    def close(self) -> None:
        """Leave."""
        self._client.disconnect()
        self._client.loop_stop()

    def say(self, device: str, body: dict[str, Any]) -> None:
        """Send a message down."""
        self._client.publish(f"constantes/v1/down/{device}", json.dumps({"v": 1, **body}), 1)

    def _subscribe(self, client: Client, *_: object) -> None:
        client.subscribe("constantes/v1/up/#", 1)

    def _take(self, message: MQTTMessage) -> None:
        _, _, _, device, channel = message.topic.split("/")
        payload = bytes(message.payload)
        if message.retain:
            self.retained.append(payload)
        if channel == "reading":
            self.arrived.append((device, payload))
            if not self.silent:
                self._answer(device, payload)
        elif channel == "hello":
            hello = json.loads(payload)
            self.hellos.append(hello)
            told = {"command": "welcome", "conn": hello["conn"], "gateway_time": datetime.now(UTC).isoformat()}
            self.say(device, {**told, "ledger": self.ledger, **self.welcome})
        else:
            self.states.append(json.loads(payload))

    def _answer(self, device: str, payload: bytes) -> None:
        receipt: dict[str, Any] = {"sha": hashlib.sha256(payload).hexdigest()[:16]}
        try:
            reading = json.loads(payload)
            key = device, reading["stream"], reading["seq"]
        except (ValueError, KeyError):
            receipt |= {"verdict": "quarantined", "reason": "json.malformed", "action": "fix"}
        else:
            name = hashlib.sha256("|".join(("constantes/v1", key[0], key[1], str(key[2]))).encode()).hexdigest()[:32]
            receipt |= {"stream": key[1], "seq": key[2], "reading": name}
            receipt |= self.verdict(reading) or self._stored(key, payload)
        self.say(device, {"ledger": self.ledger, "receipts": [receipt]})
        if self.confirms and receipt["verdict"] == "stored":
            self.say(device, {"ledger": self.ledger, "receipts": [{**receipt, "verdict": "in_record"}]})

    def _stored(self, key: tuple[str, str, int], payload: bytes) -> dict[str, Any]:
        if self.kept.setdefault(key, payload) != payload:
            return {"verdict": "quarantined", "reason": "key.conflict", "action": "fix"}
        return {"verdict": "stored"}


class CuttingBroker(threading.Thread):
    """Broker and gateway in one for a single device: answers readings, hangs up at those that contain `poison`."""

    def __init__(self, poison: bytes, connack: int = 0) -> None:
        super().__init__(daemon=True)
        self.states: list[dict[str, Any]] = []
        self.seqs: set[int] = set()
        self._poison, self._connack = poison, connack
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"mqtt://127.0.0.1:{self._listener.getsockname()[1]}"
        self._over = False

    def __enter__(self) -> Self:
        """Serve in the background."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        self._over = True
        self._listener.close()
        self.join(5)

    def run(self) -> None:
        """One connection after the other."""
        self._listener.settimeout(0.1)
        while not self._over:
            try:
                line, _ = self._listener.accept()
            except OSError:
                continue
            with line:
                self._serve(line)

    def _serve(self, line: socket.socket) -> None:
        line.settimeout(0.1)
        buffer = bytearray()
        while not self._over:
            try:
                chunk = line.recv(65_536)
            except TimeoutError:
                continue
            except OSError:
                return
            buffer += chunk
            answers = [self._reply(*packet) for packet in packets.split(buffer)]
            if not chunk or None in answers:
                return
            line.sendall(b"".join(answer for answer in answers if answer))

    def _reply(self, kind: int, flags: int, body: bytes) -> bytes | None:
        if kind == 1:
            return bytes((0x20, 2, 0, self._connack))
        if kind == 8:
            return b"\x90\x03" + body[:2] + b"\x01"
        if kind != packets.PUBLISH:
            return b""
        payload, packet_id = packets.message(flags, body)
        if self._poison in payload:
            return None
        said = json.loads(payload)
        answer = packets.puback(packet_id or 0)
        if "seq" not in said:
            self.states.append(said)
            return answer
        self.seqs.add(said["seq"])
        sha = hashlib.sha256(payload).hexdigest()[:16]
        receipt = {"stream": said["stream"], "seq": said["seq"], "sha": sha, "verdict": "stored"}
        return answer + packets.publish(b"constantes/v1/down/bp-0001", json.dumps({"receipts": [receipt]}).encode(), 1)
