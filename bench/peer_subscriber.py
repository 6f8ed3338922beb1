"""The peer of W1 and W2: a bare paho subscriber, QoS 1, acknowledged by hand, that only counts.

    python -m bench.peer_subscriber HOST PORT USERNAME SECRET CLIENT_ID [answer]

Comes in: messages of the gateway's own subscription. Goes out: one JSON line a second with the count so far, its CPU
seconds, and the latencies (milliseconds) of payloads that are a time in nanoseconds. It acknowledges from a second
thread, as the gateway does, and does nothing else: no judging, no file; an answer to each message, which says nothing,
only when asked (W4, whose cameras wait for answers).
"""

from __future__ import annotations

import json
import queue
import sys
import threading
import time
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

_STAMP_DIGITS = 19
_ANSWER = b'{"receipts": [{}]}'


def main(host: str, port: int, username: str, secret: str, client_id: str, *asked: str) -> None:
    """Count until killed."""
    taken: queue.SimpleQueue[MQTTMessage] = queue.SimpleQueue()
    client = Client(CallbackAPIVersion.VERSION2, client_id, clean_session=False, manual_ack=True)
    client.username_pw_set(username, secret)
    client.on_message = lambda _client, _data, message: taken.put(message)
    client.on_subscribe = lambda *_: _say({"ready": True})
    client.on_connect = _subscribe
    client.connect(host, port)
    client.loop_start()
    count = 0
    latencies: list[float] = []
    lock = threading.Lock()

    def report() -> None:
        while True:
            time.sleep(1)
            with lock:
                told: dict[str, Any] = {"count": count, "cpu_s": time.process_time(), "latencies_ms": latencies[:]}
                latencies.clear()
            _say(told)

    threading.Thread(target=report, daemon=True).start()
    while True:
        message = taken.get()
        if asked:
            client.publish(f"constantes/v1/down/{message.topic.split('/')[3]}", _ANSWER)
        client.ack(message.mid, 1)
        count += 1
        if len(message.payload) == _STAMP_DIGITS:
            with lock:
                latencies.append((time.time_ns() - int(message.payload)) / 1e6)


def _subscribe(client: Client, *_: object) -> None:
    client.subscribe("constantes/v1/up/#", qos=1)


def _say(document: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), *sys.argv[3:])
