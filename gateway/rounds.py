"""What the gateway does unasked: resends for old gaps, verdicts on contents, the record's confirmations, alarms.

Comes in: what the ledger says is due, what went wrong. Goes out: commands, receipts, rows of ``alarm``. Refuses to
know: messages that come in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Event

from gateway import commands, receipts
from gateway.events import Events
from gateway.source import Source
from ingest.ledger.faults import LedgerUnavailable
from ingest.ledger.port import Known, Ledger
from ingest.model import Instant

GRACE = 10 * 1_000_000
"""Microseconds before a missing seq is asked for: reordering and redelivery fill most gaps by themselves (contract:
60 s)."""
_MANY = 500
_CONFIRM_EVERY_S, _GAPS_EVERY = 0.25, 8


class Rounds:
    """Looks at the ledger several times a second; ``run`` in a thread of its own."""

    def __init__(
        self, source: Source, ledger: Ledger, now: Callable[[], Instant], events: Events | None = None
    ) -> None:
        self._source, self._ledger, self._now = source, ledger, now
        self._events = events or Events(now)
        self._sent: int | None = None
        self._noted: int | None = None

    def run(self, stop: Event) -> None:
        """Work until ``stop`` is set; a ledger that is away is asked again."""
        turn = 0
        while not stop.wait(_CONFIRM_EVERY_S):
            turn += 1
            try:
                self.tell()
                self.confirm()
                if turn % _GAPS_EVERY == 0:
                    self.warn()
                    self.ask_again()
            except LedgerUnavailable:
                continue

    def confirm(self) -> int:
        """Send ``in_record`` receipts for what the record has confirmed; returns how many.

        Noted a round later: a crash in between sends some twice. Nothing is sent, or noted, while there is no
        connection. One that is lost all the same is cured by the device's repeat (contract, section 3).
        """
        if not self._source.connected():
            return 0
        if self._sent is None:
            self._sent = self._noted = self._ledger.told()
        if self._noted != self._sent:
            self._ledger.note_told(self._sent)
            self._noted = self._sent
        found = self._ledger.confirmations(self._sent, _MANY)
        texts = [(each.hub or each.device, receipts.confirmed(each)) for each in found]
        if not self._send(texts):
            return 0
        if found:
            self._sent = found[-1].position
        return len(found)

    def tell(self) -> int:
        """Send the receipts of contents that were looked at; returns how many.

        Noted at once: a crash in between sends some twice, and a device's repeat cures one that is lost.
        """
        if not self._source.connected():
            return 0
        found = self._ledger.later(_MANY)
        if found and self._send([(each.hub or each.device, receipts.later(each)) for each in found]):
            self._ledger.note_later(found[-1].position)
        return len(found)

    def warn(self) -> int:
        """Note what people should know of; returns how many alarms. With or without a broker."""
        due = self._events.due()
        if due:
            self._ledger.alarm(due)
            self._events.written(due)
        return len(due)

    def _send(self, texts: Sequence[tuple[str, str]]) -> bool:
        """Send receipts, packed for each connection; False when one was not taken for sending."""
        by_sender: dict[str, list[str]] = {}
        for sender, text in texts:
            by_sender.setdefault(sender, []).append(text)
        known = self._ledger.known(by_sender, self._now()) if by_sender else {}
        for sender, told in by_sender.items():
            most = known.get(sender, Known()).max_down_bytes or receipts.MOST_BYTES
            for payload in receipts.messages(self._ledger.name, told, most):
                if not self._source.publish(sender, payload, lasting=True):
                    return False
        return True

    def ask_again(self) -> int:
        """Send ``resend`` for gaps that nobody was asked to fill yet; returns how many."""
        if not self._source.connected():
            return 0
        gaps = self._ledger.overdue(self._now() - GRACE, _MANY)
        asked = [
            gap.gap for gap in gaps if self._source.publish(gap.hub or gap.device, commands.resend(gap), lasting=True)
        ]
        if asked:
            self._ledger.asked(asked, self._now())
        return len(asked)
