"""Both brokers on free ports with what the project ships for them, and clients that write down what happens.

In: an empty folder. Out: a `Site`: a running broker with nobody let in but the gateway. The probes and the tests of
the gates use it. Refuses to know: what is expected of a broker.
"""

import contextlib
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from gateway.broker.accounts import BrokerUser, hash_for, new_secret
from gateway.broker.credentials import GatewayCredentials, gateway_credentials
from gateway.broker.embedded import EmbeddedBroker
from gateway.broker.embedded_gate import EmbeddedGate
from gateway.broker.gate import DeviceGate
from gateway.broker.knock import ACCEPTED, knock
from gateway.broker.nats_config import LOOPBACK, Limits
from scripts.services.mosquitto import Server as Mosquitto
from scripts.services.mosquitto import running

PATIENCE_S = 10.0
UP, DOWN = "constantes/v1/up", "constantes/v1/down"


def until(condition: Callable[[], bool], what: str, patience_s: float = PATIENCE_S) -> None:
    """Wait for `condition`; raise `TimeoutError` naming `what` when `patience_s` seconds were not enough."""
    end = time.monotonic() + patience_s
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"not within {patience_s:g} s: {what}")
        time.sleep(0.01)


def free_port() -> int:
    """Return a port of the loopback interface that nobody listens on."""
    with socket.socket() as door:
        door.bind((LOOPBACK, 0))
        return int(door.getsockname()[1])


class Account:
    """A device's name and secret, and what the broker gets to know of it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.secret = new_secret()
        self.user = BrokerUser(name, hash_for(self.secret), "device")


class Client:
    """A paho client on one connection; it never connects again by itself."""

    def __init__(self, name: str, secret: str, client_id: str, *, clean: bool = True, acks: bool = True) -> None:
        self.codes: list[int] = []
        self.subscribed: list[int] = []
        self.received: list[mqtt.MQTTMessage] = []
        self.cuts = 0
        self.paho = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id,
            clean_session=clean,
            reconnect_on_failure=False,
            manual_ack=not acks,
        )
        self.paho.max_inflight_messages_set(500)
        self.paho.username_pw_set(name, secret)
        self.paho.on_connect = lambda *told: self.codes.append(told[3].value)
        self.paho.on_subscribe = lambda *told: self.subscribed.extend(code.value for code in told[3])
        self.paho.on_message = lambda _client, _data, message: self.received.append(message)
        self.paho.on_disconnect = lambda *_: setattr(self, "cuts", self.cuts + 1)

    def connect(self, address: tuple[str, int]) -> int:
        """Connect; return CONNACK's code as paho tells it (0: accepted)."""
        self.codes.clear()
        self.paho.connect(*address)
        self.paho.loop_start()
        until(lambda: bool(self.codes), "CONNACK")
        return self.codes[0]

    def subscribe(self, topic: str) -> int:
        """Subscribe at QoS 1; return SUBACK's code."""
        self.subscribed.clear()
        self.paho.subscribe(topic, qos=1)
        until(lambda: bool(self.subscribed), "SUBACK")
        return self.subscribed[0]

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Publish at QoS 1 and wait for PUBACK."""
        self.paho.publish(topic, payload, qos=1, retain=retain).wait_for_publish(PATIENCE_S)

    def publish_all(self, topic: str, payloads: list[bytes], patience_s: float = PATIENCE_S) -> list[bytes]:
        """Publish many at QoS 1; return those whose PUBACK came before the connection ended or time ran out."""
        sent = [(payload, self.paho.publish(topic, payload, qos=1)) for payload in payloads]
        with contextlib.suppress(TimeoutError):
            until(lambda: self.cuts > 0 or all(_is_acknowledged(info) for _, info in sent), "PUBACK", patience_s)
        return [payload for payload, info in sent if _is_acknowledged(info)]

    def payloads(self) -> list[bytes]:
        """Return what was received, in order."""
        return [bytes(message.payload) for message in self.received]

    def leave(self) -> None:
        """Say goodbye and end the network thread."""
        self.paho.disconnect()
        self.paho.loop_stop()


def _is_acknowledged(info: mqtt.MQTTMessageInfo) -> bool:
    try:
        return info.is_published()
    except (RuntimeError, ValueError):  # paho's way to say that it was never sent
        return False


@dataclass(slots=True)
class Site:
    """A running broker, its gate and its gateway's credentials; `crash` kills it and starts it again."""

    address: tuple[str, int]
    gate: DeviceGate
    credentials: GatewayCredentials
    crash: Callable[[], None]
    clients: list[Client] = field(default_factory=list)

    def device(self, account: Account, client_id: str | None = None, *, clean: bool = True) -> Client:
        """Return an unconnected client of a device."""
        return self._kept(Client(account.name, account.secret, client_id or account.name, clean=clean))

    def gateway(self, *, acks: bool = True) -> Client:
        """Return the gateway's connected and subscribed client."""
        own = self.credentials
        client = self._kept(Client(own.username, own.secret, own.client_id, clean=False, acks=acks))
        if (code := client.connect(self.address)) != ACCEPTED:
            raise ConnectionRefusedError(f"the gateway is refused with code {code}")
        client.subscribe(f"{UP}/#")
        return client

    def is_let_in(self, account: Account) -> bool:
        """Say whether the account may connect now."""
        return knock(self.address, account.name, account.secret) == ACCEPTED

    def close(self) -> None:
        """End every client."""
        for client in self.clients:
            client.leave()

    def _kept(self, client: Client) -> Client:
        self.clients.append(client)
        return client


@contextlib.contextmanager
def embedded(folder: Path, limits: Limits | None = None) -> Iterator[Site]:
    """Run the embedded broker."""
    broker = EmbeddedBroker(folder, free_port(), limits)
    broker.start()

    def crash() -> None:
        os.kill(broker.pid or 0, signal.SIGKILL)
        broker.wait(PATIENCE_S)
        broker.start()

    site = Site(broker.address, EmbeddedGate(folder), gateway_credentials(folder), crash)
    try:
        yield site
    finally:
        site.close()
        broker.stop()


@contextlib.contextmanager
def mosquitto(folder: Path, run: Callable[[Path], AbstractContextManager[Mosquitto]] = running) -> Iterator[Site]:
    """Run Mosquitto with the shipped configuration, other paths and a free port; raises `ServiceMissing`."""
    with run(folder) as server:

        def crash() -> None:
            server.kill()
            server.start()

        site = Site(server.address, server.gate, server.credentials, crash)
        try:
            yield site
        finally:
            site.close()
