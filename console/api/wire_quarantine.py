"""The JSON of ``/api/v1`` about the quarantine, as pydantic models.

Comes in: rows of the registry's read models, lines of its verbs. Goes out: the models that FastAPI documents. Refuses
to know: where they come from.
"""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field

from console.api.wire import Text
from ingest.clock import utc_text
from ingest.ledger.decisions import Decision
from registry.replaying import Line
from registry.waiting import Message, SetAside


class SetAsideOut(BaseModel):
    """A quarantined message; ``reason`` and ``pointer`` are the latest verdict's, ``bytes`` is its length."""

    id: int
    device: str
    received_at: str
    reason: str
    pointer: str | None
    bytes: int

    @classmethod
    def of(cls, found: SetAside) -> Self:
        """The message as it stands."""
        return cls(
            id=found.id, device=found.device, received_at=utc_text(found.received_at), reason=found.reason,
            pointer=found.pointer, bytes=found.size,
        )  # fmt: skip


class ListOut(BaseModel):
    """A page; ``cursor`` asks for the next one and is absent on the last."""

    items: list[SetAsideOut]
    cursor: str | None


class DecisionOut(BaseModel):
    """What somebody decided.

    ``before`` is the reason that the message had; ``outcome``: stored, pending, quarantined, duplicate, look_again,
    dismissed. ``reason``: the one it has now; of a dismissal, what the person said.
    """

    at: str
    who: str
    before: str
    outcome: str
    reason: str | None
    pointer: str | None

    @classmethod
    def of(cls, made: Decision) -> Self:
        """The decision as it was kept."""
        return cls(
            at=utc_text(made.at), who=made.who, before=made.before, outcome=made.outcome, reason=made.reason,
            pointer=made.pointer,
        )  # fmt: skip


class MessageOut(SetAsideOut):
    """One quarantined message; ``state``: waiting, dismissed, replayed or duplicate; ``key`` is device:stream:seq.

    ``text`` is masked unless its values were asked for; ``cut``: it was too long, and only its beginning is kept.
    ``history``: every decision, oldest first.
    """

    state: str
    hub: str | None
    key: str | None
    cut: bool
    text: str
    history: list[DecisionOut]

    @classmethod
    def whole(cls, found: Message, text: str) -> Self:
        """The message as it stands, written as ``text``."""
        about = SetAsideOut.of(found.aside).model_dump()
        cut = len(found.payload) < found.aside.size
        made = [DecisionOut.of(each) for each in found.history]
        return cls(**about, state=found.state, hub=found.hub, key=found.key, cut=cut, text=text, history=made)


class LineOut(BaseModel):
    """A message before and after.

    ``before``: the reason it had. ``outcome``: stored; pending (its content is waited for); quarantined, with the
    ``reason`` and ``pointer`` it has now; duplicate (another message under its key says the same); look_again (its
    content is looked at again, and the verdict follows); dismissed; refused: it cannot be judged again, ``reason`` is a
    code and ``why`` says what to do.
    """

    id: int
    device: str
    received_at: str
    before: str
    outcome: str
    reason: str | None
    pointer: str | None
    changed: bool
    why: str | None

    @classmethod
    def of(cls, line: Line) -> Self:
        """The line as it stands."""
        return cls(
            id=line.id, device=line.device, received_at=utc_text(line.received_at), before=line.before,
            outcome=line.outcome, reason=line.reason, pointer=line.pointer, changed=line.changed, why=line.why,
        )  # fmt: skip


class DoneOut(BaseModel):
    """What was gone through; ``cursor``: there is more, ask again with it. ``changed`` counts the lines that say so."""

    dry_run: bool
    count: int
    changed: int
    items: list[LineOut]
    cursor: str | None


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class FilterIn(_In):
    """Which messages: those that wait and fit everything that is given; times are those of their arrival.

    At least one of ``reason``, ``device``, ``since`` and ``until``.
    """

    reason: Text | None = None
    device: Text | None = None
    since: Text | None = None
    until: Text | None = None
    limit: Annotated[int, Field(ge=1, le=200)] = 100
    cursor: Text | None = None


class ReplayIn(FilterIn):
    """``dry_run``: tell what would come of it, and change nothing."""

    dry_run: bool = False


class DismissIn(FilterIn):
    """``why``: what the person says of it, for those who look later; it names nobody."""

    why: Text | None = None


class WhyIn(_In):
    """``why``: what the person says of it, for those who look later; it names nobody."""

    why: Text | None = None
