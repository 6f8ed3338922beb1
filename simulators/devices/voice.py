"""What one device says and hears by the contract, on whatever line carries it: its own, or that of a hub.

Comes in: an outbox, a clock, faults, new readings, a line, what came down for this device. Goes out: publishes, and
counts in a `Tally`. Refuses to know: what its readings mean, how the line comes and goes.

Section numbers are those of the device contract. Nothing here is for several threads.
"""

from __future__ import annotations

import json
import random
import secrets
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from simulators.devices import messages
from simulators.devices.backoff import REPEAT_MOST_S, Repeats
from simulators.devices.clock import DeviceClock, text
from simulators.devices.connection import Line
from simulators.devices.contents import carried, claimed
from simulators.devices.messages import Command, Identity, Json, Receipt
from simulators.devices.outbox import FREES, Kept, Key, Outbox, kept, sha16
from simulators.devices.parcels import Parcels, Part
from simulators.devices.tally import Manner, Tally, log
from simulators.faults import Misbehaviour, Outgoing

WELCOME_S = 10.0
"""A welcome later than this after the hello is ignored (section 9)."""
_MISMATCH, _CORRECTIONS = "blob.hash_mismatch", 5
"""A content that is right here and was damaged on the way is sent so often under new numbers, not for ever."""


@dataclass(frozen=True, slots=True)
class Speech:
    """How a device's words travel: on its own line, or on a hub's, and who numbers and times its readings (12)."""

    prefix: str = ""
    """Before each channel: `for/{device}/` on a hub's line."""
    by: str | None = None
    """`clock.by` of hello: `device` or `hub`."""
    counts: bool = True


class Voice:
    """One device. Its owner calls `greet` on each new line, then `publish_due`, `hear` and, at a cut, `cut`."""

    def __init__(
        self, who: Identity, outbox: Outbox, clock: DeviceClock, faults: Misbehaviour, manner: Manner, tally: Tally,
        speech: Speech = Speech(),
    ) -> None:  # fmt: skip
        self._who, self._outbox, self._clock, self._faults = who, outbox, clock, faults
        self._manner, self._tally, self._speech = manner, tally, speech
        self._repeats = Repeats(manner.repeat_s, random.Random(secrets.token_bytes(8)))
        self._parcels = Parcels(manner.part, manner.unanswered, manner.ask_s, faults.place)
        self._greeted_at: float | None = None
        self._quiet_until = 0.0
        self._set_aside: list[Key] = []
        self._corrected: Counter[str] = Counter()
        for reading in outbox.held(who.device):
            self._claim(reading)

    @property
    def device(self) -> str:
        """Its id."""
        return self._who.device

    @property
    def waiting(self) -> int:
        """Readings without a final verdict."""
        return len(self._outbox.held(self.device))

    def take(self, members: Mapping[str, Json], number: tuple[str, int] | None = None) -> None:
        """Keep a new reading: its number and bytes are safe before anything is published (C-RD-3).

        `number` is (stream, seq) where the device's own memory gives them (section 12).
        """
        stream, seq = number or (self._outbox.stream(self.device), self._outbox.next_seq(self.device))
        whole = {"v": 1, "stream": stream, "seq": seq, "clock": self._clock.epoch, **members}
        whole = self._faults.made(whole)
        content = carried(whole)
        if content is not None:
            self._outbox.contents.keep(str(content["sha256"]), content.raw)
        self._keep(kept(self.device, stream, seq, messages.encode(whole)))
        self._tally.made += 1

    def greet(self, line: Line, now: float) -> None:
        """Hello, and everything still held is due again (section 8: repeat at the next connect)."""
        self._greeted_at = now
        stream = self._outbox.stream(self.device)
        held = stream, self._outbox.oldest(self.device), self._outbox.next_seq(self.device)
        clock: dict[str, Json] = {
            "epoch": self._clock.epoch,
            "now": text(self._clock.now()),
            "synced": self._clock.synced,
        }
        if self._speech.by:
            clock["by"] = self._speech.by
        self._send(line, "hello", messages.hello(self._who, line.conn, held, clock, counts=self._speech.counts))
        for _, of, seq in self._set_aside:
            self._send(line, "state", messages.lost(line.conn, of, [(seq, seq)]))
        self._set_aside.clear()
        for reading in self._outbox.held(self.device):
            self._repeats.offer(reading.key, now)

    def publish_due(self, line: Line, now: float, window: int) -> None:
        """Readings, then parts of contents, while fewer than `window` messages wait for the broker."""
        if self._greeted_at is None or now < self._quiet_until:
            return
        for key in self._parcels.asks(now):
            self._repeats.offer(key, now)
        due = self._repeats.due(now, window - len(line.in_flight))
        for key in due:
            if line.gone is None:
                self._publish(line, key, now)
        if not due and not line.in_flight:
            for late in self._faults.left():
                self._send(line, "reading", late)
        # The readings of the window leave room for the parts, which have a window of their own (C-BLB-1).
        for part in self._parcels.due(1 - len(line.in_flight) if window == 1 else self._manner.unanswered):
            if line.gone is not None or not self._publish_part(line, part, now):
                return

    def hear(self, line: Line, item: Receipt | Command) -> None:
        """Act on what came down for this device."""
        if isinstance(item, Receipt):
            self._read(item)
        else:
            _COMMANDS.get(item.name, Voice._ignore)(self, line, item)

    def know(self, ledger: str) -> None:
        """Another ledger than the known one was restored from a backup: offer again all that is kept (section 8)."""
        known = self._outbox.fact(self.device, "ledger")
        if ledger == known:
            return
        if known is not None:
            self._outbox.hold_again(self.device)
            for reading in self._outbox.held(self.device):
                self._claim(reading)
                self._repeats.offer(reading.key, time.monotonic())
        self._outbox.remember(self.device, "ledger", ledger)

    def cut(self) -> None:
        """The line is gone."""
        self._greeted_at = None
        self._parcels.cut()

    def give_up(self, key: Key) -> None:
        """This message, a reading or a part, cuts the line: set the reading aside, and tell at the next hello."""
        device, name, _ = key
        for lost in self._parcels.keys(name) or [(device, name, key[2])]:
            self._outbox.give_up(lost)
            self._forget(lost)
            self._set_aside.append(lost)
            self._tally.lost += 1

    def _send(self, line: Line, channel: str, payload: bytes) -> None:
        line.publish(self._speech.prefix + channel, payload)

    def _keep(self, reading: Kept) -> None:
        self._outbox.keep([reading])
        self._claim(reading)
        self._repeats.offer(reading.key, time.monotonic())

    def _claim(self, reading: Kept) -> None:
        claim = claimed(reading.payload)
        if claim is not None:
            self._parcels.claim(reading.key, claim, min(self._outbox.contents.size(claim.sha256), claim.size))

    def _publish(self, line: Line, key: Key, now: float) -> None:
        reading = self._outbox.get(key)
        if reading is None:
            self._forget(key)
            return
        if now < self._parcels.may_ask_at(key):
            self._repeats.postpone(key, self._parcels.may_ask_at(key))
            return
        if self._repeats.tries(key):
            self._tally.repeated += 1
        self._repeats.published(key, now)
        self._parcels.asked(key, now)
        self._go_out(line, "reading", key, self._faults.sent(reading.payload))

    def _publish_part(self, line: Line, part: Part, now: float) -> bool:
        """Send one; False when the device stops here."""
        if self._faults.stops(part.start / self._outbox.contents.size(part.sha256)):
            return False
        payload = self._outbox.contents.read(*part)
        self._parcels.sent(part, sha16(payload), now)
        out = self._faults.part(payload)
        self._tally.parts += 1
        self._tally.part_bytes += sum(map(len, out.payloads))
        self._go_out(line, f"blob/{part.sha256}/{part.start}", (self.device, part.sha256, part.start), out)
        return True

    def _go_out(self, line: Line, channel: str, key: Key, what: Outgoing) -> None:
        for payload in what.payloads:
            self._tally.published += 1
            line.publish(self._speech.prefix + channel, payload, key, retain=what.retain)
        if what.torn is not None:
            line.tear(self._speech.prefix + channel, what.torn)

    def _read(self, receipt: Receipt) -> None:
        self._tally.note(receipt)
        if self._manner.receipts_log is not None:
            log(self._manner.receipts_log, self.device, receipt)
        now = time.monotonic()
        if receipt.verdict == "kept":
            self._parcels.kept(str(receipt.blob), int(receipt.offset or 0), receipt.sha, now)
            return
        key = self._key_of(receipt)
        if key is None and self._parcels.turned_down(receipt.sha, now):
            return
        if receipt.verdict in FREES:
            self._free(key, receipt)
        elif key and self._outbox.get(key):
            self._wait(key, receipt, now)

    def _wait(self, key: Key, receipt: Receipt, now: float) -> None:
        """`pending` with something missing is asked again by the parcels; `refused` is tried later."""
        if receipt.verdict == "refused":
            self._repeats.postpone(key, now + (receipt.retry_after_s or self._manner.repeat_s))
        elif receipt.verdict == "pending" and self._parcels.pending(key, receipt.missing, now):
            self._repeats.postpone(key, now + REPEAT_MOST_S)

    def _key_of(self, receipt: Receipt) -> Key | None:
        if receipt.stream is not None and receipt.seq is not None:
            return self.device, receipt.stream, receipt.seq
        named = self._outbox.find(self.device, receipt.sha)
        return named.key if named else None

    def _free(self, key: Key | None, receipt: Receipt) -> None:
        reading = self._outbox.get(key) if key else None
        if reading is None or reading.sha != receipt.sha:
            self._tally.unmatched += 1
            return
        if receipt.reason == _MISMATCH:
            self._correct(reading)
        self._outbox.settle(reading.key, receipt.sha, receipt.verdict)
        self._forget(reading.key)

    def _correct(self, damaged: Kept) -> None:
        """The line damaged a content that is right here: once more, under a new number (C-RD-10)."""
        claim = claimed(damaged.payload)
        if claim is None or self._corrected[claim.sha256] >= _CORRECTIONS or not self._outbox.contents.intact(claim):
            return
        self._corrected[claim.sha256] += 1
        stream, seq = self._outbox.stream(self.device), self._outbox.next_seq(self.device)
        if stream != damaged.stream:
            return
        again = json.loads(damaged.payload) | {"seq": seq, "replaces": damaged.seq}
        self._keep(kept(self.device, stream, seq, messages.encode(again)))
        self._tally.made += 1

    def _forget(self, key: Key) -> None:
        self._repeats.forget(key)
        self._parcels.release(key)

    def _welcome(self, line: Line, command: Command) -> None:
        """Echo the gateway's time at once (section 9), before anything else is sent."""
        late = self._greeted_at is None or time.monotonic() - self._greeted_at > WELCOME_S
        if command.body.get("conn") != line.conn or late:
            return
        self._tally.welcomes += 1
        told, now = str(command.body.get("gateway_time")), text(self._clock.now(), "milliseconds")
        self._send(line, "state", messages.echo(line.conn, self._clock.epoch, now, told))
        stream = self._outbox.stream(self.device)
        self._tally.settled = command.body.get("settled", {}).get(stream, self._tally.settled)

    def _resend(self, line: Line, command: Command) -> None:
        """Publish again what is held of a range, and say which of it will never come (sections 9 and 11)."""
        self._tally.resends += 1
        device, stream = self.device, str(command.body.get("stream"))
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
            self._send(line, "state", messages.lost(line.conn, stream, messages.ranges(gone)))

    def _slow_down(self, _line: Line, command: Command) -> None:
        self._tally.slow_downs += 1
        self._quiet_until = time.monotonic() + float(command.body.get("retry_after_s", 1))

    def _ignore(self, _line: Line, command: Command) -> None:
        """A command of a later version of the contract."""


_COMMANDS: dict[str, Callable[[Voice, Line, Command], None]] = {
    "welcome": Voice._welcome,  # noqa: SLF001 - the table belongs to the class
    "resend": Voice._resend,  # noqa: SLF001 - the same
    "slow_down": Voice._slow_down,  # noqa: SLF001 - the same
}
