"""Carts that publish inline ECGs, or cameras that send blobs in parts, as fast as they are accepted: for W3 and W4.

    python -m bench.content_publishers HOST PORT DEVICES.json SECONDS ecg|blob:BYTES

Comes in: devices with secrets. Goes out: one JSON line: how many contents were accepted. A cart has at most 8 ECGs on
the way; a camera at most 8 parts, as the contract says. One thread a device, paho behind each.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
import os
import struct
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

WINDOW = 8
PART = 262_144
_LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
_PATIENCE_S = 30.0


class Line:
    """One device's connection: what goes up, and a place for each answer that is waited for."""

    def __init__(self, host: str, port: int, device: str, secret: str) -> None:
        self.device, self.stream, self.answered = device, os.urandom(16).hex(), 0
        self._room = threading.Semaphore(WINDOW)
        self._ready = threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2, device)
        self._client.username_pw_set(device, secret)
        self._client.max_inflight_messages_set(0)
        self._client.on_message = self._heard
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.connect(host, port)
        self._client.subscribe(f"constantes/v1/down/{device}")
        self._client.loop_start()
        self._ready.wait(_PATIENCE_S)

    def send(self, topic: str, payload: bytes) -> None:
        """Publish, once there is room for one more that is not answered."""
        if not self._room.acquire(timeout=_PATIENCE_S):
            raise RuntimeError("no answer")
        self._client.publish(f"constantes/v1/up/{self.device}/{topic}", payload, qos=1)

    def close(self) -> None:
        """Wait for the last answers, and leave."""
        for _ in range(WINDOW):
            self._room.acquire(timeout=_PATIENCE_S)
        self._client.disconnect()
        self._client.loop_stop()

    def _heard(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        for _ in json.loads(message.payload).get("receipts", ()):
            self.answered += 1
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
    """Random bytes, another blob each time; what they are is not looked at here."""
    count, rest = 0, os.urandom(size - 8)
    while time.monotonic() < until:
        content = os.urandom(8) + rest
        sha256 = hashlib.sha256(content).hexdigest()
        blob = {"sha256": sha256, "bytes": size, "content_type": "image/jpeg"}
        image = {"blob": blob, "eye": "left", "field": "macula"}
        line.send("reading", json.dumps(_envelope(line, count, "retinography") | {"image": image}).encode())
        for at in range(0, size, PART):
            line.send(f"blob/{sha256}/{at}", content[at : at + PART])
        count += 1
    return count


def _envelope(line: Line, seq: int, kind: str) -> dict[str, Any]:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"v": 1, "stream": line.stream, "seq": seq, "kind": kind, "taken_at": now}


def main() -> int:
    """Publish for as long as asked."""
    host, port, listed, seconds, what = sys.argv[1:]
    lines = [Line(host, int(port), each["device"], each["secret"]) for each in json.loads(Path(listed).read_text())]
    until = time.monotonic() + float(seconds)
    sent = [0] * len(lines)

    def work(place: int) -> None:
        line = lines[place]
        sent[place] = _ecg(line, until) if what == "ecg" else _blobs(line, until, int(what.partition(":")[2]))
        line.close()

    threads = [threading.Thread(target=work, args=(place,)) for place in range(len(lines))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sys.stdout.write(json.dumps({"accepted": sum(sent)}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
