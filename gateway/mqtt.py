"""``Source`` over MQTT 3.1.1, by paho: QoS 1, acknowledged by hand, in a session that outlives the connection.

Comes in: an address and credentials. Goes out: messages. Refuses to know: what is in them, who may send.

paho's network thread does one thing with a message: put it into the buffer (an exception in a callback would end the
thread without a word). It reconnects by itself; ``stalled`` says when it does not.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from gateway.buffer import Buffer
from gateway.lean_paho import LeanClient
from gateway.source import Taken
from gateway.topics import EVERYTHING_UP, address_of, down
from ingest.model import Instant, RawMessage

LINGER_S = 0.005
"""How long the first message of a batch waits for company."""
_KEEPALIVE_S = 20
_MOST = 8192  # more than any window in which a broker leaves messages unacknowledged
_MOST_BYTES = 64 * 1024**2
_AT_ONCE = 8 * 1024**2  # in one batch: two are held besides what waits, with what was made of their bytes
_RETRY_S = (1, 30)
_OVERHEAD = 512  # bytes that a waiting message costs besides its payload
_UNSENT = 20_000  # answers that may wait for the broker, of either QoS; beyond it ``publish`` says no
_FAILED = 0x80  # MQTT 3.1.1 section 3.9.3: SUBACK failure


@dataclass(frozen=True, slots=True)
class Account:
    """How the gateway is known to the broker.

    ``client_id`` is random and secret: whoever has it can take the session over.
    """

    host: str
    port: int
    username: str
    secret: str = field(repr=False)
    client_id: str = field(repr=False)
    tls: bool = False
    ca_file: Path | None = None


class MqttSource:
    """See ``gateway.source.Source``. Both callbacks are called in the network thread, and must not wait.

    ``on_subscribed``: after each SUBACK. ``on_session_lost``: the broker has no session of this gateway's, and the
    instant since which it may have lost messages: the end of the last connection, None at the first one.
    """

    def __init__(
        self,
        account: Account,
        on_subscribed: Callable[[], None] = lambda: None,
        on_session_lost: Callable[[Instant | None], None] = lambda _since: None,
    ) -> None:
        self._buffer: Buffer[Taken] = Buffer(_MOST, _MOST_BYTES, _AT_ONCE)
        self._epoch = 0
        self._subscribed = False
        self._guard = threading.Lock()  # held while an acknowledgement is queued: no connection may end in between
        self._since = time.monotonic()
        self.problem: str | None = None
        self.on_subscribed, self.on_session_lost = on_subscribed, on_session_lost
        self._left_at: Instant | None = None  # when the last connection that was subscribed ended
        self._name = account.client_id
        self._client = client = LeanClient(
            CallbackAPIVersion.VERSION2, account.client_id, clean_session=False, manual_ack=True
        )
        client.username_pw_set(account.username, account.secret)
        if account.tls:
            client.tls_set(ca_certs=str(account.ca_file) if account.ca_file else None)
        client.reconnect_delay_set(*_RETRY_S)
        client.max_inflight_messages_set(0)  # a receipt must not wait in here while its acknowledgement overtakes it
        client.max_queued_messages_set(_UNSENT)
        client.on_connect, client.on_disconnect = self._connected, self._disconnected
        client.on_connect_fail = self._unreachable
        client.on_subscribe, client.arrived = self._acked, self._arrived
        client.connect_async(account.host, account.port, _KEEPALIVE_S)
        client.loop_start()

    def take(self, most: int, timeout_s: float) -> Sequence[Taken]:
        """See the port."""
        return self._buffer.take(most, timeout_s, LINGER_S)

    def publish(self, sender: str, payload: bytes, *, lasting: bool = False) -> bool:
        """See the port; a lasting answer goes at QoS 1, so that a device with a session of its own finds it later."""
        if not lasting and self._client.unsent >= _UNSENT:  # paho counts those of QoS 1 alone
            return False
        code = self._client.publish(down(sender), payload, qos=int(lasting)).rc
        return code == MQTTErrorCode.MQTT_ERR_SUCCESS or (lasting and code == MQTTErrorCode.MQTT_ERR_NO_CONN)

    def ack(self, taken: Sequence[Taken]) -> None:
        """See the port."""
        with self._guard:
            mids = [message.mid for message in taken if message.qos and message.epoch == self._epoch]
            if mids:
                self._client.ack_many(mids)

    def connected(self) -> bool:
        """See the port."""
        return self._subscribed

    def stalled(self, patience_s: float) -> str | None:
        """Why nothing can come any more; None while all is well or ``patience_s`` have not passed since it was."""
        alive = any(thread.name == f"paho-mqtt-client-{self._name}" for thread in threading.enumerate())
        if not alive:
            return "the network thread has ended"
        if not self._subscribed and time.monotonic() - self._since > patience_s:
            return self.problem or "the broker does not answer"
        return None

    def close(self) -> None:
        """See the port."""
        self._buffer.close()
        self._client.disconnect()
        self._client.loop_stop()

    # ------------------------------------------------------------ paho's network thread

    def _connected(
        self, client: Client, _data: object, flags: ConnectFlags, code: ReasonCode, _properties: Properties | None
    ) -> None:
        if code.is_failure:
            self.problem = f"the broker refuses the gateway ({code})"
            return
        with self._guard:
            self._epoch += 1
        if not flags.session_present:
            self.on_session_lost(self._left_at)
        client.subscribe(EVERYTHING_UP, qos=1)

    def _unreachable(self, _client: Client, _data: object) -> None:
        self.problem = "the broker cannot be reached"

    def _acked(
        self, _client: Client, _data: object, _mid: int, codes: list[ReasonCode], _properties: Properties | None
    ) -> None:
        if any(code.value >= _FAILED for code in codes):
            self.problem = "the broker refuses the gateway's subscription"
            return
        self.problem, self._subscribed = None, True
        self.on_subscribed()

    def _disconnected(
        self, _client: Client, _data: object, _flags: DisconnectFlags, _code: ReasonCode, _properties: Properties | None
    ) -> None:
        with self._guard:
            self._epoch += 1
        if self._subscribed:  # a broker that refuses ends every try with a disconnect: patience counts from the first
            self._since, self._left_at = time.monotonic(), time.time_ns() // 1000
            self._subscribed = False
        # What was not taken yet can no longer be acknowledged and will come again; kept, it would be judged twice.
        self._buffer.clear()

    def _arrived(self, topic: bytes, payload: bytes, mid: int, qos: int, retained: bool, dup: bool) -> None:  # noqa: FBT001 - paho's thread, once a message
        address = address_of(topic)
        received_at = time.time_ns() // 1000
        raw = RawMessage(
            address.device, address.channel, payload, received_at, address.hub, retained, dup, address.place
        )
        self._buffer.put(Taken(raw, self._epoch, mid, qos), len(payload) + _OVERHEAD)
