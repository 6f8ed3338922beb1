"""A line that ends in memory, and a gateway behind it that keeps large contents by sections 7 and 8 of the contract."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from simulators.devices.clock import DeviceClock
from simulators.devices.contents import Content
from simulators.devices.messages import Identity, Json, received
from simulators.devices.outbox import Key, Outbox, sha16
from simulators.devices.tally import Manner, Tally
from simulators.devices.voice import Voice
from simulators.faults import Misbehaviour, parse

GRID = 65_536
QUICK = Manner(part=GRID, ask_s=0.01, repeat_s=0.05)
AT = "2026-11-21T08:30:00+04:00"


class MemoryLine:
    """What is published waits in `out` until the gateway is given it; nothing waits for the broker."""

    def __init__(self) -> None:
        self.conn = "a1b2c3d4"
        self.gone: str | None = None
        self.in_flight: dict[int, Key | None] = {}
        self.out: list[tuple[str, bytes]] = []

    def publish(self, channel: str, payload: bytes, key: Key | None = None, *, retain: bool = False) -> None:
        """Hand one message over."""
        del key
        assert not retain
        self.out.append((channel, payload))

    def tear(self, channel: str, payload: bytes) -> None:
        """The line breaks; half a message is none."""
        self.gone = f"torn in {len(payload)} bytes of {channel}"


class MemoryGateway:
    """Claims, cells of 64 KiB, and verdicts."""

    def __init__(self) -> None:
        self.claims: dict[tuple[str, int], dict[str, Any]] = {}
        self.payloads: dict[tuple[str, int], bytes] = {}
        self.cells: dict[str, dict[int, bytes]] = {}
        self.said: dict[tuple[str, int], str] = {}
        self.contents: dict[str, bytes] = {}
        self.bytes = 0

    @property
    def verdicts(self) -> dict[int, str]:
        """The last verdict of each seq."""
        return {seq: verdict for (_, seq), verdict in self.said.items()}

    def take(self, channel: str, payload: bytes) -> list[dict[str, Any]]:
        """The receipts for one message."""
        if channel == "reading":
            return [self._reading(payload)]
        if channel.startswith("blob/"):
            _, sha256, offset = channel.split("/")
            return self._part(sha256, int(offset), payload)
        return []

    def _reading(self, payload: bytes) -> dict[str, Any]:
        reading = json.loads(payload)
        key = reading["stream"], reading["seq"]
        self.payloads[key] = payload
        place = reading.get("image") or reading.get("recording") or {}
        if "blob" in place:
            self.claims[key] = place["blob"]
        return self._receipt(key)

    def _receipt(self, key: tuple[str, int]) -> dict[str, Any]:
        said: dict[str, Any] = {"stream": key[0], "seq": key[1], "sha": sha16(self.payloads[key])}
        missing = self._missing(self.claims[key]) if key in self.claims else []
        if self.said.get(key) not in ("stored", "quarantined"):
            self.said[key] = "pending" if missing else "stored"
        if self.said[key] == "pending":
            said["missing"] = missing[:6]
        if self.said[key] == "quarantined":
            said |= {"reason": "blob.hash_mismatch", "action": "fix"}
        return said | {"verdict": self.said[key]}

    def _missing(self, claim: dict[str, Any]) -> list[list[int]]:
        if claim["sha256"] in self.contents:
            return []
        cells, size = self.cells.get(claim["sha256"], {}), claim["bytes"]
        ranges: list[list[int]] = []
        for at in (at for at in range(0, size, GRID) if at not in cells):
            if not ranges or ranges[-1][1] != at:
                ranges.append([at, at])
            ranges[-1][1] = min(at + GRID, size)
        return ranges

    def _part(self, sha256: str, offset: int, payload: bytes) -> list[dict[str, Any]]:
        assert offset % GRID == 0
        assert 0 < len(payload) <= 4 * GRID
        self.bytes += len(payload)
        cells = self.cells.setdefault(sha256, {})
        for at in range(0, len(payload), GRID):
            cells[offset + at] = payload[at : at + GRID]
        kept = {"sha": sha16(payload), "verdict": "kept", "blob": sha256, "offset": offset}
        return [kept, *self._complete(sha256)]

    def _complete(self, sha256: str) -> list[dict[str, Any]]:
        claims = [key for key, claim in self.claims.items() if claim["sha256"] == sha256]
        waiting = [key for key in claims if self.said[key] == "pending"]
        if not waiting or self._missing(self.claims[waiting[0]]):
            return []
        cells = self.cells.pop(sha256)
        whole = b"".join(cells[at] for at in sorted(cells))
        right = hashlib.sha256(whole).hexdigest() == sha256 and len(whole) == self.claims[waiting[0]]["bytes"]
        if right:
            self.contents[sha256] = whole
        for key in waiting:
            self.said[key] = "stored" if right else "quarantined"
        return [self._receipt(key) for key in waiting]


class Camera:
    """A device with one voice, on memory lines that come and go."""

    def __init__(self, *faults: str, file: Path | None = None, seed: int = 0, manner: Manner = QUICK) -> None:
        self.line, self.tally = MemoryLine(), Tally()
        self.outbox = Outbox(file, durable=False)
        self.faults = Misbehaviour(tuple(map(parse, faults)), seed)
        who = Identity("cam-0001", "Exemple", "X", "0", "1", ("retinography",))
        self.voice = Voice(who, self.outbox, DeviceClock(), self.faults, manner, self.tally)

    def take(self, raw: bytes) -> None:
        """A new picture."""
        image: dict[str, Json] = {"blob": Content(raw, "image/png"), "eye": "left", "field": "macula"}
        self.voice.take({"kind": "retinography", "taken_at": AT, "image": image})

    def connect(self, now: float) -> None:
        """A new line."""
        self.voice.cut()
        self.line = MemoryLine()
        self.voice.greet(self.line, now)

    def hear(self, receipt: dict[str, Any]) -> None:
        """One receipt comes down."""
        for item in received(json.dumps({"receipts": [receipt]}).encode())[1]:
            self.voice.hear(self.line, item)
