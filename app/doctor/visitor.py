"""One MQTT connection of a look, which writes down what happens and waits no longer than it is given.

Comes in: a place, a login, a client id. Goes out: what was answered. Refuses to know: what is expected of a broker.
MQTT 3.1.1, by paho, as the gateway speaks it; it never connects again by itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from app.doctor.guests import Login
from app.doctor.place import Place

_PAUSE_S = 0.01
_MANY_S = 6.0
_OUT = 500  # publishes of ours that may be unanswered at a time


class Broken(Exception):  # noqa: N818 - it names what was found, and is caught by that name
    """The broker did not answer in time, refused, or cut the line."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """When a look has to be done, by the monotonic clock."""

    at: float

    def wait(self, condition: Callable[[], bool], most_s: float = 3.0) -> bool:
        """Wait for ``condition`` for so long, never beyond the deadline; returns whether it came."""
        end = min(self.at, time.monotonic() + most_s)
        while not condition():
            if time.monotonic() > end:
                return False
            time.sleep(_PAUSE_S)
        return True


class Visitor:
    """One connection. With ``clean`` false its session outlives it; with ``acks`` false nothing is acknowledged."""

    def __init__(
        self, place: Place, login: Login, client_id: str, deadline: Deadline, *, clean: bool = True, acks: bool = True
    ) -> None:
        self.messages: list[MQTTMessage] = []
        self.cut = False
        self._place, self._deadline = place, deadline
        self._answers: list[tuple[int, bool]] = []
        self._subscribed: list[int] = []
        self._paho = paho = Client(
            CallbackAPIVersion.VERSION2, client_id, clean_session=clean, reconnect_on_failure=False, manual_ack=not acks
        )
        paho.max_inflight_messages_set(_OUT)
        paho.connect_timeout = 3.0
        if login.name is not None:
            paho.username_pw_set(login.name, login.secret)
        if place.tls is not None:
            paho.tls_set_context(place.tls)
        paho.on_connect = lambda *told: self._answers.append((told[3].value, told[2].session_present))
        paho.on_subscribe = lambda *told: self._subscribed.extend(code.value for code in told[3])
        paho.on_message = lambda _client, _data, message: self.messages.append(message)
        paho.on_disconnect = lambda *_: setattr(self, "cut", True)

    @property
    def had_session(self) -> bool:
        """Whether the broker still knew it when it connected."""
        return bool(self._answers) and self._answers[0][1]

    def connect(self) -> None:
        """Connect; raises Broken."""
        try:
            self._paho.connect(*self._place.address)
        except OSError as failed:
            raise Broken from failed
        self._paho.loop_start()
        self._deadline.wait(lambda: bool(self._answers) or self.cut)
        if not self._answers or self._answers[0][0] != 0:
            raise Broken

    def subscribe(self, topic: str) -> None:
        """Subscribe at QoS 1; raises Broken."""
        self._paho.subscribe(topic, qos=1)
        self._deadline.wait(lambda: bool(self._subscribed) or self.cut)
        if not self._subscribed or self._subscribed[0] > 1:
            raise Broken

    def publish(self, topic: str, payloads: Iterable[bytes], *, retain: bool = False) -> int:
        """Publish at QoS 1; returns how many were acknowledged before the line was cut or time ran out."""
        sent = [self._paho.publish(topic, payload, qos=1, retain=retain) for payload in payloads]

        def acknowledged() -> int:
            return sum(info.rc == 0 and info.is_published() for info in sent)

        self._deadline.wait(lambda: self.cut or acknowledged() == len(sent), _MANY_S)
        return acknowledged()

    def settle(self, most: int, quiet_s: float) -> int:
        """Wait until ``most`` messages are here or none came for so long; returns how many are here."""
        while len(self.messages) < most and self._more_than(len(self.messages), quiet_s):
            pass
        return len(self.messages)

    def _more_than(self, count: int, most_s: float) -> bool:
        return self._deadline.wait(lambda: len(self.messages) > count or self.cut, most_s) and not self.cut

    def acknowledge(self, first: int) -> None:
        """Acknowledge what came, from the ``first`` on."""
        for message in self.messages[first:]:
            self._paho.ack(message.mid, message.qos)

    def leave(self) -> None:
        """Say goodbye and end the network thread; safe to repeat."""
        self._paho.disconnect()
        self._paho.loop_stop()
