"""One batch and what comes of it: send, judge, compare, halve.

Comes in: due rows that may go together. Goes out: an outcome for each row that has one; the circuit told of the
destination's state. Refuses to know: the ledger.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from fhir_export.push.answers import Action, Verdict, judge_answer
from fhir_export.push.circuit import Circuit, backoff
from fhir_export.push.content import same_content
from fhir_export.push.contents import whole
from fhir_export.push.outcomes import Again, Delivered, Outcome, Parked, Unreferenced
from fhir_export.push.plan import SUSPECT, references
from fhir_export.push.port import GONE, Answer, Record, RecordUnavailable
from fhir_export.push.rows import Due
from ingest.blobs import BlobMissing, Blobs
from ingest.model import Instant

BLOB_MISSING = "blob.missing"
"""Parked: the file with the content is not there, or is not what it was; it never left."""
_ROOM_TO_READ = 1_000_000  # bytes that a server may add to a resource or spend on white space


@dataclass(slots=True)
class Counts:
    """What happened since the start: numbers only. ``codes``: how often each code of the answer table came up.

    ``already_there``: resources sent for the first time of which the record had an earlier version already: someone
    else writes them, or the ledger is an old copy.
    """

    requests: int = 0
    sent: int = 0
    delivered: int = 0
    parked: int = 0
    already_there: int = 0
    codes: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Exchange:
    """Batches to one record."""

    record: Record
    circuit: Circuit
    counts: Counts
    clock: Callable[[], Instant]
    blobs: Blobs

    def carry(self, rows: Sequence[Due]) -> list[Outcome]:
        """Send rows together, and in halves when one of them is refused; rows without an outcome stay as they are."""
        outcomes: list[Outcome] = []
        waiting = [list(rows)]
        while waiting:
            part = waiting.pop(0)
            try:
                answers = self._send(part)
            except (BlobMissing, OSError) as fault:
                outcomes += [self._without_content(due, fault) for due in part]
                continue
            verdicts = [self._judged(due, answer) for due, answer in zip(part, answers, strict=True)]
            if verdicts[0].action is Action.HALVE:
                middle = len(part) // 2
                waiting[:0] = [part[:middle], part[middle:]]
                continue
            self._tell_circuit(answers, verdicts)
            for due, answer, verdict in zip(part, answers, verdicts, strict=True):
                outcomes += self._outcome(due, answer, verdict, alone=len(part) == 1)
            if self.circuit.open:
                break
        return outcomes

    def _send(self, part: Sequence[Due]) -> Sequence[Answer]:
        """Raises BlobMissing or OSError before anything whole leaves."""
        outgoing = [whole(due.outgoing, self.blobs) for due in part]
        self.counts.requests += 1
        self.counts.sent += len(part)
        return self.record.send(outgoing)

    def _without_content(self, due: Due, fault: Exception) -> Outcome:
        """A file that is gone is for a person; one that cannot be read now may be readable later."""
        self.counts.codes[BLOB_MISSING] += 1
        if not isinstance(fault, BlobMissing):
            return Again(due, BLOB_MISSING, self._later(due))
        self.counts.parked += 1
        return Parked(due, BLOB_MISSING)

    def _judged(self, due: Due, answer: Answer) -> Verdict:
        verdict = judge_answer(due.outgoing, answer)
        return self._compared(due, verdict) if verdict.action is Action.COMPARE else verdict

    def _compared(self, due: Due, verdict: Verdict) -> Verdict:
        """Equal content is as good as a success; what is not there is simply sent again."""
        sent = due.outgoing
        try:
            found = self.record.read(sent.identity, 2 * whole(sent, self.blobs).length + _ROOM_TO_READ)
        except (BlobMissing, OSError):
            return Verdict(Action.RETRY, BLOB_MISSING)
        except RecordUnavailable as fault:
            return Verdict(Action.RETRY, fault.code)
        if found is None:
            return Verdict(Action.RETRY, verdict.code)
        return Verdict(Action.DELIVERED) if same_content(sent.body, found) else Verdict(verdict.otherwise, verdict.code)

    def _tell_circuit(self, answers: Sequence[Answer], verdicts: Sequence[Verdict]) -> None:
        now = self.clock()
        actions = {verdict.action: verdict.code for verdict in reversed(verdicts)}
        if not actions.keys().isdisjoint({Action.DELIVERED, Action.PARK, Action.REFER}):
            self.circuit.worked()
        if Action.SLOW in actions:
            asked = [answer.retry_after for answer in answers if answer.retry_after is not None]
            self.circuit.slowed(now, actions[Action.SLOW], max(asked, default=None))
        elif Action.REFRESH in actions:
            self.circuit.failed(now, actions[Action.REFRESH])
        elif actions.keys() <= {Action.RETRY, Action.WAIT}:
            self.circuit.failed(now, verdicts[0].code)

    def _outcome(self, due: Due, answer: Answer, verdict: Verdict, *, alone: bool) -> list[Outcome]:
        if verdict.code:
            self.counts.codes[verdict.code.partition(":")[0]] += 1
        match verdict.action:
            case Action.DELIVERED:
                self.counts.delivered += 1
                self.counts.already_there += _already_there(due, answer)
                return [Delivered(due, answer.version)]
            case Action.PARK:
                self.counts.parked += 1
                return [Parked(due, verdict.code)]
            case Action.REFER:
                return [self._referring(due, verdict.code)]
            case Action.RETRY:
                # Where the destination as a whole is away, the row keeps its place: the circuit does the waiting.
                own = alone or not self.circuit.open
                return [Again(due, verdict.code, self._later(due) if own else due.next_try)]
            case _:
                return []

    def _referring(self, due: Due, code: str) -> Outcome:
        """What it refers to is looked for, a few times; a Binary is named by an address that no server follows."""
        if due.tries >= SUSPECT:
            return Parked(due, code)
        try:
            targets = [target for target in references(due) if target[0] != "Binary"]
            missing = frozenset(target for target in targets if self.record.read(target, _ROOM_TO_READ) is None)
        except RecordUnavailable as fault:
            return Parked(due, fault.code) if fault.code == GONE else Again(due, fault.code, self._later(due))
        return Unreferenced(due, code, missing) if missing else Again(due, code, self._later(due))

    def _later(self, due: Due) -> Instant:
        return self.clock() + backoff(due.tries, self.circuit.random)


def _already_there(due: Due, answer: Answer) -> bool:
    first = due.tries == 0 and due.version == 1
    return first and (answer.version or "").isdecimal() and answer.version != "1"
