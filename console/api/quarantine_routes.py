"""Routes about the quarantine: what waits in it, judging it again, dismissing it.

Comes in: requests whose form is right. Goes out: read models, lines before and after. Refuses to know: rules, tables.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Request

from console.api.access import Who, audited
from console.api.cursors import cursor_of, position_of
from console.api.wire import Limit, instant
from console.api.wire_quarantine import (
    DismissIn,
    DoneOut,
    FilterIn,
    LineOut,
    ListOut,
    MessageOut,
    ReplayIn,
    SetAsideOut,
    WhyIn,
)
from console.office import Office
from registry import waiting
from registry.faults import Unfit
from registry.masking import masked, plain
from registry.replaying import Done, Line
from registry.waiting import Wanted

_LARGEST = 2**63 - 1
Number = Annotated[int, Path(ge=1, le=_LARGEST)]
State = Literal["waiting", "dismissed", "replayed", "duplicate"]


def add(router: APIRouter, office: Office) -> None:
    """Put the routes on ``router``."""
    _looked_at(router, office)
    _replayed(router, office)
    _dismissed(router, office)


def _looked_at(router: APIRouter, office: Office) -> None:
    @router.get("/quarantine", tags=["waiting"])
    def list_quarantine(
        reason: str | None = None,
        device: str | None = None,
        since: str | None = None,
        until: str | None = None,
        state: State = "waiting",
        cursor: str | None = None,
        limit: Limit = 100,
    ) -> ListOut:
        """Messages that could not be used, newest first; those that wait, unless another state is asked for."""
        wanted = Wanted(reason, device, instant(since), instant(until), state)
        before = None if cursor is None else position_of(cursor)
        with office.snapshot() as connection:
            found = waiting.quarantined(connection, wanted, limit + 1, before)
        following = cursor_of(found[limit - 1].id) if len(found) > limit else None
        return ListOut(items=[SetAsideOut.of(each) for each in found[:limit]], cursor=following)

    @router.get("/quarantine/{number}", tags=["waiting"])
    def show_quarantined(number: Number, who: Who, *, values: bool = False) -> MessageOut:
        """One of them, its values masked unless ``values`` is true: then it is noted who saw them."""
        with office.snapshot() as connection:
            found = waiting.quarantined_one(connection, number)
        if not values:
            return MessageOut.whole(found, masked(found.payload))
        audited(office, who, "Observation", 1)
        return MessageOut.whole(found, plain(found.payload))


def _replayed(router: APIRouter, office: Office) -> None:
    @router.post("/quarantine/replay", tags=["waiting"])
    def replay_all(body: ReplayIn, who: Who) -> DoneOut:
        """Judge again all that waits and fits, oldest first; ask again for as long as there is a ``cursor``."""
        after = 0 if body.cursor is None else position_of(body.cursor)
        done = office.aside.replay_all(_wanted(body), who, after=after, most=body.limit, dry_run=body.dry_run)
        return _told(done, dry_run=body.dry_run)

    @router.post("/quarantine/{number}/replay", tags=["waiting"])
    def replay_one(number: Number, who: Who, request: Request, *, dry_run: bool = False) -> LineOut:
        """Judge one message again, by what is known now of the moment it came."""
        if set(request.query_params) - {"dry_run"}:  # one that is misspelt would be a decision instead of a rehearsal
            raise Unfit("query.unknown", "Only `dry_run` may stand in the query.", "See that it is spelt so.")
        return LineOut.of(office.aside.replay(number, who, dry_run=dry_run))


def _dismissed(router: APIRouter, office: Office) -> None:
    @router.post("/quarantine/dismiss", tags=["waiting"])
    def dismiss_all(body: DismissIn, who: Who) -> DoneOut:
        """Let all that waits and fits wait no longer; it is kept, and can still be judged again one by one."""
        after = 0 if body.cursor is None else position_of(body.cursor)
        return _told(office.aside.dismiss_all(_wanted(body), who, body.why, after=after, most=body.limit))

    @router.post("/quarantine/{number}/dismiss", tags=["waiting"])
    def dismiss_one(number: Number, body: WhyIn, who: Who) -> LineOut:
        """Let one message wait no longer; it is kept, and can still be judged again."""
        return LineOut.of(office.aside.dismiss(number, who, body.why))


def _wanted(body: FilterIn) -> Wanted:
    """What a body asks for; raises Unfit for one that would mean everything."""
    if (body.reason, body.device, body.since, body.until) == (None, None, None, None):
        raise Unfit(
            "quarantine.filter",
            "The request names nothing, which would mean the whole quarantine.",
            "Give a reason, a device, or a time: `since` a time long ago means everything.",
        )
    return Wanted(body.reason, body.device, instant(body.since), instant(body.until))


def _told(done: Done, *, dry_run: bool = False) -> DoneOut:
    lines: Sequence[Line] = done.lines
    return DoneOut(
        dry_run=dry_run,
        count=len(lines),
        changed=sum(line.changed for line in lines),
        items=[LineOut.of(line) for line in lines],
        cursor=None if done.after is None else cursor_of(done.after),
    )
