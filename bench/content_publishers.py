"""Carts that publish inline ECGs, or cameras that send blobs in parts, as fast as they are accepted: for W3 and W4.

    python -m bench.content_publishers HOST PORT DEVICES.json SECONDS ecg|blob:BYTES|broken

Comes in: devices with secrets. Goes out: one JSON line: how many contents were accepted, in how many seconds from the
first one's sending to the last one's answer. A cart has at most 8 ECGs on
the way; a camera at most 8 parts, as the contract says. Two threads a device.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
import os
import socket
import struct
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from simulators.devices import packets
from simulators.devices.retino_camera import PHOTOGRAPH

WINDOW = 8
PART = 262_144
_LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
_PATIENCE_S = 30.0
_BROKEN_RATE = 5
_BLOBS = 60  # of a camera: the gateway holds at most 64 unfinished ones, and nobody looks at them here


class Line:
    """One device's connection, its own socket: it shares two cores with what is measured. Answers come in a thread."""

    def __init__(self, host: str, port: int, device: str, secret: str) -> None:
        self.device, self.stream = device, os.urandom(16).hex()
        self._room = threading.Semaphore(WINDOW)
        self._ready = threading.Event()
        self._sent = 1
        self._socket = socket.create_connection((host, port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.sendall(packets.connect(device, secret, (f"constantes/v1/up/{device}/state", b"{}"), 0))
        threading.Thread(target=self._hear, daemon=True).start()
        if not self._ready.wait(_PATIENCE_S):
            raise RuntimeError("the broker does not let the device subscribe")
        clock = {"epoch": 0, "now": _now(), "synced": True}  # else nothing it measures is given to anybody
        hello = {"v": 1, "conn": os.urandom(4).hex(), "stream": self.stream, "next": 0, "clock": clock}
        self._publish("hello", json.dumps(hello).encode())

    def send(self, topic: str, payload: bytes | memoryview) -> None:
        """Publish, once there is room for one more that is not answered."""
        if not self._room.acquire(timeout=_PATIENCE_S):
            raise RuntimeError("no answer")
        self._publish(topic, payload)

    def close(self) -> None:
        """Wait for the last answers, and leave."""
        for _ in range(WINDOW):
            self._room.acquire(timeout=_PATIENCE_S)
        self._socket.shutdown(socket.SHUT_RDWR)

    def _publish(self, topic: str, payload: bytes | memoryview) -> None:
        """A PUBLISH whose payload is not copied."""
        self._sent = self._sent % 65_535 + 1
        whole = packets.publish(f"constantes/v1/up/{self.device}/{topic}".encode(), b"", self._sent)
        body = whole[2:]
        length, digits = len(body) + len(payload), bytearray()
        while length:
            length, digit = length >> 7, length & 0x7F
            digits.append(digit | (0x80 if length else 0))
        self._socket.sendall(whole[:1] + bytes(digits) + body)
        self._socket.sendall(payload)

    def _hear(self) -> None:
        received = bytearray()
        while more := self._socket.recv(65_536):
            received += more
            for kind, flags, body in packets.split(received):
                if kind == packets.CONNACK:
                    self._socket.sendall(packets.subscribe(f"constantes/v1/down/{self.device}", 0, 65_535))
                elif kind == packets.SUBACK:
                    self._ready.set()
                elif kind == packets.PUBLISH:
                    for _ in json.loads(packets.message(flags, body)[0]).get("receipts", ()):
                        self._room.release()


def _ecg(line: Line, until: float) -> int:
    """Ten seconds of a synthetic beat in twelve leads at 500 Hz, the same samples each time."""
    samples = struct.pack("<5000h", *(int(400 * math.sin(n / 40)) for n in range(5000)))
    leads = dict.fromkeys(_LEADS, base64.b64encode(samples).decode())
    recording = {
        "sampling_hz": 500, "unit": "uV", "step": 2.5, "baseline": 0, "encoding": "int16le", "leads": leads,
    }  # fmt: skip
    head, tail = json.dumps({"recording": recording}).split("{", 1)
    count = 0
    while time.monotonic() < until:
        body = json.dumps(_envelope(line, count, "ecg"))[:-1]
        line.send("reading", f"{body},{head}{tail}".encode())
        count += 1
    return count


def _blobs(line: Line, until: float, size: int) -> int:
    """Random bytes that end differently each time; what they are is not looked at here.

    What they have in common is hashed once: the camera shares two cores with what is measured.
    """
    count, content = 0, bytearray(os.urandom(size))
    common = hashlib.sha256(memoryview(content)[:-8])
    while time.monotonic() < until and count < _BLOBS:
        content[-8:] = os.urandom(8)  # it was sent whole: ``send`` has given its bytes to the kernel
        whole = common.copy()
        whole.update(content[-8:])
        _picture(line, count, content, whole.hexdigest())
        count += 1
    return count


def _broken(line: Line, until: float) -> int:
    """A real photograph, cut short or with one bit turned at every 97th place, so many a second."""
    whole, count = PHOTOGRAPH.read_bytes(), 0
    while time.monotonic() < until:
        at = 97 * count % len(whole)
        turned = whole[:at] + bytes((whole[at] ^ 0x10,)) + whole[at + 1 :]
        content = whole[: at + 1] if count % 2 else turned
        _picture(line, count, content, hashlib.sha256(content).hexdigest())
        count += 1
        time.sleep(1 / _BROKEN_RATE)
    return count


def _picture(line: Line, seq: int, content: bytes | bytearray, sha256: str) -> None:
    blob = {"sha256": sha256, "bytes": len(content), "content_type": "image/jpeg"}
    image = {"blob": blob, "eye": "left", "field": "macula"}
    line.send("reading", json.dumps(_envelope(line, seq, "retinography") | {"image": image}).encode())
    for at in range(0, len(content), PART):
        line.send(f"blob/{sha256}/{at}", memoryview(content)[at : at + PART])


def _envelope(line: Line, seq: int, kind: str) -> dict[str, Any]:
    return {"v": 1, "stream": line.stream, "seq": seq, "kind": kind, "taken_at": _now()}


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def main() -> int:
    """Publish for as long as asked."""
    host, port, listed, seconds, what = sys.argv[1:]
    lines = [Line(host, int(port), each["device"], each["secret"]) for each in json.loads(Path(listed).read_text())]
    until = time.monotonic() + float(seconds)
    sent = [0] * len(lines)

    def work(place: int) -> None:
        line = lines[place]
        kind, _, size = what.partition(":")
        if kind == "blob":
            sent[place] = _blobs(line, until, int(size))
        else:
            sent[place] = {"ecg": _ecg, "broken": _broken}[kind](line, until)
        line.close()

    threads = [threading.Thread(target=work, args=(place,)) for place in range(len(lines))]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sys.stdout.write(json.dumps({"accepted": sum(sent), "seconds": time.monotonic() - began}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
