"""The verbs on what was set aside: judge it again, or dismiss it; one message, or all that a filter finds.

Comes in: who asks, a place in the journal or a filter. Goes out: a line for each message, before and after; ``Refused``
for one that cannot be judged again, in words for a person. Refuses to know: HTTP, what the messages say.

Everything that takes time (reading, judging) is done outside the transaction; each message is then kept in a job of its
own, which lasts under a millisecond, so no device waits longer for its receipt. Messages go oldest first, so the same
commands on a copy of the ledger give the same ledger.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from ingest.ledger import decisions, replay, replay_contents
from ingest.ledger.decisions import Decision
from ingest.ledger.engine import named_faults
from ingest.ledger.files import OpenLedger
from ingest.ledger.replay import Again, Taken
from ingest.ledger.replay_contents import Refused as RefusedContent
from ingest.ledger.replay_facts import Rules
from ingest.model import Channel, Instant
from registry import cannot, waiting
from registry.faults import Conflict, Refused, Unfit
from registry.waiting import Wanted

MOST = 200
"""Messages that one request goes through at most."""
_GROUP = 8  # messages read, judged and handed in at a time: of the longest, 8 MB
_WORDS = re.compile(r"\S(?:[^\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]{0,198}\S)?")


@dataclass(frozen=True, slots=True)
class Line:
    """One message before and after.

    ``before`` is the reason it had; ``outcome`` a word of ``ingest.ledger.decisions``, or ``refused``: then ``reason``
    is a code and ``why`` says what to do. ``changed``: it stands elsewhere than before, or would.
    """

    id: int
    device: str
    received_at: Instant
    before: str
    outcome: str
    reason: str | None = None
    pointer: str | None = None
    changed: bool = False
    why: str | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """What a request came to; ``after`` is the place to go on behind, None when all that was asked for is done."""

    lines: Sequence[Line]
    after: int | None


_Found = Again | RefusedContent | Refused


@dataclass(frozen=True, slots=True)
class _Planned:
    """A message that a group goes through; ``pointer``: where it was said to be wrong."""

    id: int
    device: str
    received_at: Instant
    before: str
    pointer: str | None
    found: _Found


@dataclass(frozen=True, slots=True)
class SetAside:
    """The one that decides; ``rules`` are the installation's, as they are now."""

    file: OpenLedger
    now: Callable[[], Instant]
    rules: Callable[[], Rules] = Rules

    # ------------------------------------------------------------ judge again

    def replay(self, position: int, who: str, *, dry_run: bool = False) -> Line:
        """Judge one message again; raises Unknown, or Conflict when it cannot be."""
        with named_faults(), self.file.readers.connect() as connection:
            (plan,) = self._planned(connection, [position], self.rules())
        if isinstance(plan.found, Refused):
            raise plan.found
        (line,) = self.replay_these([position], who, dry_run=dry_run)
        return line

    def replay_all(self, wanted: Wanted, who: str, *, after: int = 0, most: int = MOST, dry_run: bool = False) -> Done:
        """Judge again what waits and fits ``wanted``, oldest first from behind ``after`` on."""
        places, behind = self._places(wanted, after, most)
        return Done(self.replay_these(places, who, dry_run=dry_run), behind)

    def replay_these(self, places: Sequence[int], who: str, *, dry_run: bool = False) -> list[Line]:
        """Judge these messages again, in order; one that cannot be is told of in its line. Raises Unknown."""
        rules, taken = self.rules(), Taken()
        lines: list[Line] = []
        for group in _groups(places):
            with named_faults(), self.file.readers.connect() as connection:
                plans = self._planned(connection, group, rules)
                if dry_run:
                    lines += [self._rehearsed(connection, plan, taken, who) for plan in plans]
            if not dry_run:
                lines += self._kept(plans, rules, who)
        return lines

    # ------------------------------------------------------------ dismiss

    def dismiss(self, position: int, who: str, words: str | None = None) -> Line:
        """Let a message wait no longer; raises Unknown, Unfit, or Conflict when it does not wait."""
        with named_faults(), self.file.readers.connect() as connection:
            waiting.quarantined_one(connection, position)
        (line,) = self.dismiss_these([position], who, words)
        if line.outcome != decisions.DISMISSED:
            raise cannot.settled()
        return line

    def dismiss_all(
        self, wanted: Wanted, who: str, words: str | None = None, *, after: int = 0, most: int = MOST
    ) -> Done:
        """Let what waits and fits ``wanted`` wait no longer."""
        places, behind = self._places(wanted, after, most)
        return Done(self.dismiss_these(places, who, words), behind)

    def dismiss_these(self, places: Sequence[int], who: str, words: str | None = None) -> list[Line]:
        """Let these wait no longer; one that does not wait is told of in its line. Raises Unknown, Unfit."""
        if words is not None and not _WORDS.fullmatch(words):
            raise Unfit(
                "quarantine.words",
                "The reason given has a form that cannot be taken.",
                "Use 1 to 200 printable characters, no space at the ends, and name no person.",
            )
        lines: list[Line] = []
        for group in _groups(places):
            with named_faults(), self.file.readers.connect() as connection:
                found = [waiting.quarantined_one(connection, position).aside for position in group]
            now = self.now()
            jobs = [self._submit(_dismissal(each.id, who, words, now)) for each in found]
            plans = [_Planned(e.id, e.device, e.received_at, e.reason, e.pointer, cannot.settled()) for e in found]
            lines += [_line(plan, *_result(job)) for plan, job in zip(plans, jobs, strict=True)]
        return lines

    # ------------------------------------------------------------ how

    def _places(self, wanted: Wanted, after: int, most: int) -> tuple[Sequence[int], int | None]:
        with named_faults(), self.file.readers.connect() as connection:
            places = waiting.places(connection, wanted, after, most + 1)
        return places[:most], places[most - 1] if len(places) > most else None

    def _planned(self, connection: Connection, places: Sequence[int], rules: Rules) -> list[_Planned]:
        plans = []
        for position in places:
            seen = waiting.quarantined_one(connection, position).aside
            found = self._found(connection, position, rules)
            plans.append(_Planned(seen.id, seen.device, seen.received_at, seen.reason, seen.pointer, found))
        return plans

    def _found(self, connection: Connection, position: int, rules: Rules) -> _Found:
        """A message judged again, a content that can be looked at again, or why neither can be."""
        content = replay_contents.find(connection, position)
        if content is not None:
            if content.sha is None:
                return cannot.live()
            kept = replay_contents.is_kept(connection, self.file.blobs, content)
            return content if kept else cannot.bytes_gone()
        aside = replay.find(connection, position)
        if aside is None or aside.state in (replay.REPLAYED, replay.DUPLICATE):
            return cannot.settled()
        if aside.raw.channel is not Channel.READING:
            return cannot.no_reading(aside.raw.channel)
        if not aside.has_payload:
            return cannot.pruned()
        return cannot.cut() if aside.is_cut else replay.judge_again(connection, aside, rules)

    def _rehearsed(self, connection: Connection, plan: _Planned, taken: Taken, who: str) -> Line:
        now = self.now()
        if isinstance(plan.found, Again):
            return _line(plan, replay.rehearse(connection, plan.found, taken, who, now))
        if isinstance(plan.found, RefusedContent):
            return _line(plan, replay_contents.rehearsed(plan.found, who, now))
        return _line(plan, None)

    def _kept(self, plans: Sequence[_Planned], rules: Rules, who: str) -> list[Line]:
        now = self.now()
        jobs = [
            None if isinstance(plan.found, Refused) else self._submit(_replaying(plan.found, rules, who, now))
            for plan in plans
        ]
        return [_line(plan, *(_result(job) if job else (None,))) for plan, job in zip(plans, jobs, strict=True)]

    def _submit(self, job: Callable[[Connection], Decision | None]) -> Future[Decision | None]:
        return self.file.writer.submit(job)


def _groups(places: Sequence[int]) -> Iterator[Sequence[int]]:
    return (places[start : start + _GROUP] for start in range(0, len(places), _GROUP))


def _replaying(
    found: Again | RefusedContent, rules: Rules, who: str, now: Instant
) -> Callable[[Connection], Decision | None]:
    if isinstance(found, Again):
        return lambda connection: replay.keep(connection, found, rules, who, now)
    return lambda connection: replay_contents.look_again(connection, found, who, now)


def _dismissal(position: int, who: str, words: str | None, now: Instant) -> Callable[[Connection], Decision | None]:
    return lambda connection: replay_contents.dismiss(connection, position, who, words, now)


def _result(job: Future[Decision | None]) -> tuple[Decision | None, Conflict | None]:
    """What a job decided; a message whose rows the ledger does not take must not stop those behind it."""
    try:
        return job.result(), None
    except DBAPIError:
        return None, cannot.not_kept()


def _line(plan: _Planned, made: Decision | None, fault: Conflict | None = None) -> Line:
    """``made`` is None for one that was refused, or that somebody else has decided on meanwhile."""
    about = (plan.id, plan.device, plan.received_at, plan.before)
    if made is None:
        why = fault or (plan.found if isinstance(plan.found, Refused) else cannot.settled())
        return Line(*about, "refused", why.code, None, changed=False, why=str(why))
    same = made.outcome == decisions.QUARANTINED and (made.reason, made.pointer) == (plan.before, plan.pointer)
    return Line(*about, made.outcome, made.reason, made.pointer, changed=not same)
