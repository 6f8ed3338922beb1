"""A device that follows the contract: hello, readings, receipts, repeats, commands; one step at a time.

Comes in: an instrument, an outbox, a clock, faults, where to connect. Goes out: publishes, and a `Tally` of all it saw.
Refuses to know: what its readings mean, how long it runs.

One thread drives it by `step`; nothing else touches it. Section numbers are those of the device contract.
"""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Callable, Mapping

from simulators.devices import messages
from simulators.devices.backoff import RECONNECT_MOST_S, Backoff, Repeats
from simulators.devices.clock import DeviceClock, text
from simulators.devices.connection import Connection, Endpoint
from simulators.devices.messages import Command, Identity, Json, Receipt
from simulators.devices.outbox import FREES, Key, Outbox, kept
from simulators.devices.suspects import Suspects
from simulators.devices.tally import Manner, Tally, log
from simulators.faults import Misbehaviour, Outgoing

WELCOME_S = 10.0
"""A welcome later than this after the hello is ignored (section 9)."""


class Device:
    """One device on one line. Call `step` until there is nothing to do, then `close`."""

    def __init__(
        self, at: Endpoint, who: Identity, outbox: Outbox, clock: DeviceClock, faults: Misbehaviour, manner: Manner
    ) -> None:
        self.tally = Tally()
        self._at, self._who, self._outbox, self._clock, self._faults = at, who, outbox, clock, faults
        self._manner = manner
        self._chance = random.Random(secrets.token_bytes(8))
        self._repeats = Repeats(manner.repeat_s, self._chance)
        self._backoff = Backoff(manner.reconnect_s, max(RECONNECT_MOST_S, manner.reconnect_s), self._chance)
        self._line: Connection | None = None
        self._greeted_at: float | None = None
        self._connect_at = 0.0
        self._quiet_until = 0.0
        self._suspects = Suspects()
        self._set_aside: list[Key] = []

    @property
    def waiting(self) -> int:
        """Readings without a final verdict."""
        return len(self._outbox.held(self._who.device))

    @property
    def online(self) -> bool:
        """Whether hello has been said on the present connection."""
        return self._greeted_at is not None

    def take(self, members: Mapping[str, Json]) -> None:
        """Keep a new reading: its number and bytes are safe before anything is published (C-RD-3)."""
        device = self._who.device
        stream, seq = self._outbox.stream(device), self._outbox.next_seq(device)
        whole = {"v": 1, "stream": stream, "seq": seq, "clock": self._clock.epoch, **members}
        reading = kept(device, stream, seq, messages.encode(self._faults.made(whole)))
        self._outbox.keep([reading])
        self._repeats.offer(reading.key, time.monotonic())
        self.tally.made += 1

    def step(self, timeout_s: float) -> None:
        """Connect if need be, publish what is due, and listen for at most `timeout_s`."""
        now = time.monotonic()
        if self._line is None:
            self._connect(now, timeout_s)
            return
        if self._line.ready and self._greeted_at is None:
            self._greet(now)
        if self._greeted_at is not None and now >= self._quiet_until:
            self._publish_due(now)
        self._line.pump(timeout_s)
        self._suspects.clear(self._line.taken())
        for payload in self._line.heard():
            self._hear(payload)
        if self._line.gone is not None:
            self._cut_off(self._line)

    def close(self) -> None:
        """Say `offline`, disconnect, and write what the outbox has not written yet."""
        if self._line is not None:
            self._line.close(messages.offline(self._line.conn))
            self._line = None
        self._outbox.flush()

    def _connect(self, now: float, timeout_s: float) -> None:
        if now < self._connect_at:
            time.sleep(min(timeout_s, self._connect_at - now))
            return
        conn = secrets.token_hex(4)
        line = Connection(self._at, conn, messages.offline(conn), down_qos=self._manner.down_qos)
        try:
            line.open()
        except OSError as absent:
            self.tally.problem = f"the broker does not answer ({absent.strerror or type(absent).__name__})"
            self._connect_at = time.monotonic() + self._backoff.next()
            return
        self._line = line

    def _greet(self, now: float) -> None:
        """Hello, and everything still held is due again (section 8: repeat at the next connect)."""
        self._greeted_at = now
        self._backoff.reset()
        self.tally.connects += 1
        stream = self._outbox.stream(self._who.device)
        held = stream, self._outbox.oldest(self._who.device), self._outbox.next_seq(self._who.device)
        clock: dict[str, Json] = {
            "epoch": self._clock.epoch,
            "now": text(self._clock.now()),
            "synced": self._clock.synced,
        }
        self._send("hello", messages.hello(self._who, self._conn, held, clock))
        for _, of, seq in self._set_aside:
            self._send("state", messages.lost(self._conn, of, [(seq, seq)]))
        self._set_aside.clear()
        for reading in self._outbox.held(self._who.device):
            self._repeats.offer(reading.key, now)

    @property
    def _conn(self) -> str:
        return self._line.conn if self._line else ""

    def _send(self, channel: str, payload: bytes) -> None:
        if self._line:
            self._line.publish(channel, payload)

    def _publish_due(self, now: float) -> None:
        line = self._line
        if line is None:
            return
        window = 1 if self._suspects else self._manner.window
        due = self._repeats.due(now, window - len(line.in_flight))
        for key in due:
            if line.gone is None:
                self._publish(line, key, now)
        if not due and not line.in_flight:
            for late in self._faults.left():
                line.publish("reading", late)

    def _publish(self, line: Connection, key: Key, now: float) -> None:
        reading = self._outbox.get(key)
        if reading is None:
            self._repeats.forget(key)
            return
        if self._repeats.tries(key):
            self.tally.repeated += 1
        self._repeats.published(key, now)
        self._go_out(line, key, self._faults.sent(reading.payload))

    def _go_out(self, line: Connection, key: Key, what: Outgoing) -> None:
        for payload in what.payloads:
            self.tally.published += 1
            line.publish("reading", payload, key, retain=what.retain)
        if what.torn is not None:
            line.tear("reading", what.torn)

    def _cut_off(self, line: Connection) -> None:
        self.tally.cuts += line.ready
        self.tally.problem = line.gone
        line.drop()
        self._line, self._greeted_at = None, None
        self._connect_at = time.monotonic() + self._backoff.next()
        for key in self._suspects.after_cut({key for key in line.in_flight.values() if key}):
            self._outbox.give_up(key)
            self._repeats.forget(key)
            self._set_aside.append(key)
            self.tally.lost += 1

    def _hear(self, payload: bytes) -> None:
        ledger, items = messages.received(payload)
        if ledger is not None:
            self._know(ledger)
        for item in items:
            if isinstance(item, Receipt):
                self._read(item)
            else:
                _COMMANDS.get(item.name, Device._ignore)(self, item)

    def _know(self, ledger: str) -> None:
        """Another ledger than the known one was restored from a backup: offer again all that is kept (section 8)."""
        self.tally.ledger = ledger
        device = self._who.device
        if ledger == self._outbox.fact(device, "ledger"):
            return
        if self._outbox.fact(device, "ledger") is not None:
            self._outbox.hold_again(device)
            for reading in self._outbox.held(device):
                self._repeats.offer(reading.key, time.monotonic())
        self._outbox.remember(device, "ledger", ledger)

    def _read(self, receipt: Receipt) -> None:
        self.tally.note(receipt)
        if self._manner.receipts_log is not None:
            log(self._manner.receipts_log, self._who.device, receipt)
        key = self._key_of(receipt)
        if receipt.verdict in FREES:
            self._free(key, receipt)
        elif receipt.verdict == "refused" and key and self._outbox.get(key):
            self._repeats.postpone(key, time.monotonic() + (receipt.retry_after_s or self._manner.repeat_s))

    def _key_of(self, receipt: Receipt) -> Key | None:
        if receipt.stream is not None and receipt.seq is not None:
            return self._who.device, receipt.stream, receipt.seq
        named = self._outbox.find(self._who.device, receipt.sha)
        return named.key if named else None

    def _free(self, key: Key | None, receipt: Receipt) -> None:
        if key and self._outbox.settle(key, receipt.sha, receipt.verdict):
            self._repeats.forget(key)
        else:
            self.tally.unmatched += 1

    def _welcome(self, command: Command) -> None:
        """Echo the gateway's time at once (section 9), before anything else is sent."""
        late = self._greeted_at is None or time.monotonic() - self._greeted_at > WELCOME_S
        if command.body.get("conn") != self._conn or late:
            return
        self.tally.welcomes += 1
        told = str(command.body.get("gateway_time"))
        self._send("state", messages.echo(self._conn, self._clock.epoch, text(self._clock.now(), "milliseconds"), told))
        stream = self._outbox.stream(self._who.device)
        self.tally.settled = command.body.get("settled", {}).get(stream, self.tally.settled)

    def _resend(self, command: Command) -> None:
        """Publish again what is held of a range, and say which of it will never come (sections 9 and 11)."""
        self.tally.resends += 1
        device, stream = self._who.device, str(command.body.get("stream"))
        if stream != self._outbox.stream(device):
            return
        last = min(int(command.body["to"]), self._outbox.next_seq(device) - 1)
        gone: list[int] = []
        for seq in range(int(command.body["from"]), last + 1):
            if self._outbox.get((device, stream, seq)):
                self._repeats.offer((device, stream, seq), time.monotonic())
            else:
                gone.append(seq)
        if gone:
            self._send("state", messages.lost(self._conn, stream, messages.ranges(gone)))

    def _slow_down(self, command: Command) -> None:
        self.tally.slow_downs += 1
        self._quiet_until = time.monotonic() + float(command.body.get("retry_after_s", 1))

    def _ignore(self, command: Command) -> None:
        """A command of a later version of the contract."""


_COMMANDS: dict[str, Callable[[Device, Command], None]] = {
    "welcome": Device._welcome,  # noqa: SLF001 - the table belongs to the class
    "resend": Device._resend,  # noqa: SLF001 - the same
    "slow_down": Device._slow_down,  # noqa: SLF001 - the same
}
