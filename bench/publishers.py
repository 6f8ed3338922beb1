"""Fifty devices that publish blood pressures as fast as they are accepted: the load of W1.

    python -m bench.publishers HOST PORT DEVICES.json SECONDS receipt|puback

Comes in: devices with secrets, and what a device waits for. Goes out: one JSON line: how many messages were published
and how many accepted. Each device has at most 128 messages that were not accepted yet: by the gateway's receipt, as the
contract says, or by the broker's PUBACK where nobody gives receipts. One thread, own sockets: it shares two cores with
what is measured.
"""

from __future__ import annotations

import json
import selectors
import socket
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from simulators.devices import packets

WINDOW = 128
_VERDICT = b'"verdict"'


@dataclass(slots=True)
class Publisher:
    """One device's connection."""

    device: str
    socket: socket.socket
    stream: str
    by_receipt: bool
    seq: int = 0
    flying: int = 0
    ready: bool = False
    received: bytearray = field(default_factory=bytearray)

    def fill(self, stamp: str) -> None:
        """Publish until the window is full."""
        if not self.ready:
            return
        out = bytearray()
        while self.flying < WINDOW:
            payload = reading(self.stream, self.seq, stamp)
            out += packets.publish(f"constantes/v1/up/{self.device}/reading".encode(), payload, self.seq % 65_535 + 1)
            self.seq += 1
            self.flying += 1
        if out:
            self.socket.sendall(out)

    def read(self) -> int:
        """Take what came; returns how many messages were accepted."""
        self.received += self.socket.recv(65_536)
        accepted = 0
        for kind, flags, body in packets.split(self.received):
            if kind == packets.PUBACK:
                accepted += not self.by_receipt
            elif kind == packets.CONNACK:
                self.socket.sendall(packets.subscribe(f"constantes/v1/down/{self.device}", 0, 65_535))
            elif kind == packets.SUBACK:
                self.ready = True
            elif kind == packets.PUBLISH:
                payload, packet_id = packets.message(flags, body)
                accepted += payload.count(_VERDICT) if self.by_receipt else 0
                if packet_id is not None:
                    self.socket.sendall(packets.puback(packet_id))
        self.flying -= accepted
        return accepted


def reading(stream: str, seq: int, taken_at: str) -> bytes:
    """A blood pressure of three values, about 300 bytes."""
    return (
        f'{{"v":1,"stream":"{stream}","seq":{seq},"clock":0,"kind":"blood_pressure","taken_at":"{taken_at}","values":'
        f'{{"systolic":{{"value":{110 + seq % 40},"unit":"mm[Hg]"}},"diastolic":{{"value":{70 + seq % 20},"unit":'
        f'"mm[Hg]"}},"pulse":{{"value":{60 + seq % 30},"unit":"/min"}}}},"context":{{"body_site":"arm","position":'
        f'"sitting"}},"battery":88}}'
    ).encode()


def main(host: str, port: int, devices: Path, seconds: float, waits_for: str) -> None:
    """Publish for so many seconds."""
    selector = selectors.DefaultSelector()
    crowd = []
    for number, entry in enumerate(json.loads(devices.read_text("utf-8"))):
        line = socket.create_connection((host, port))
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        line.sendall(packets.connect(entry["device"], entry["secret"], ("constantes/v1/up/x/state", b"{}"), 0))
        publisher = Publisher(entry["device"], line, f"{number:032x}", waits_for == "receipt")
        crowd.append(publisher)
        selector.register(line, selectors.EVENT_READ, publisher)
    end = time.monotonic() + seconds
    accepted = 0
    while time.monotonic() < end:
        stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        for key, _ in selector.select(0.2):
            accepted += key.data.read()
            key.data.fill(stamp)
    sys.stdout.write(json.dumps({"published": sum(p.seq for p in crowd), "accepted": accepted}) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]), float(sys.argv[4]), sys.argv[5])
