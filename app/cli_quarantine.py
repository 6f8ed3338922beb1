"""Commands about what was set aside: list, show, judge again, dismiss.

Comes in: words. Goes out: what the API answered. Refuses to know: rules.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from app.cli_output import Json, fail, notice, session, show, show_items, show_json, table

if TYPE_CHECKING:  # loading it takes longer than `--help` may
    from app.client import Api

_COLUMNS = ("id", "device", "received_at", "reason", "pointer", "bytes")
_MESSAGE = (
    "id", "device", "hub", "received_at", "key", "state", "reason", "pointer", "bytes", "cut", "text", "history",
)  # fmt: skip
_HISTORY = ("at", "who", "before", "outcome", "reason", "pointer")
_LINE = ("id", "device", "received_at", "before", "outcome", "reason", "pointer", "changed", "why")
_SHOWN = ("id", "device", "received_at", "before", "outcome", "reason", "pointer")
_PAGE = 200
_NO_FILTER = "Name messages by their ids, or with --reason, --device, --since or --until. Nothing was changed."
_TWO_WAYS = "Name messages by their ids or by a filter, not by both. Nothing was changed."

Ids = Annotated[list[int] | None, typer.Argument(metavar="ID", min=1, help="Ids that `quarantine list` shows.")]
Reason = Annotated[str | None, typer.Option(help="Those of this reason, such as time.future.")]
Device = Annotated[str | None, typer.Option("--device", help="Those of this device.")]
Since = Annotated[str | None, typer.Option(help="Received since: RFC 3339 with an offset or Z.")]
Until = Annotated[str | None, typer.Option(help="Received before: RFC 3339 with an offset or Z.")]

quarantine = typer.Typer(help="Readings that could not be used.", no_args_is_help=True)


def add(app: typer.Typer) -> None:
    """Put the commands on ``app``."""
    app.add_typer(quarantine, name="quarantine")


@quarantine.command("list")
def list_quarantine(
    *,
    reason: Reason = None,
    device: Device = None,
    since: Since = None,
    until: Until = None,
    state: Annotated[
        Literal["waiting", "dismissed", "replayed", "duplicate"], typer.Option(help="What became of them.")
    ] = "waiting",
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 100,
    as_json: Json = False,
) -> None:
    """Messages that wait for a decision, newest first."""
    with session() as (api, _):
        found = api.get("/quarantine", reason=reason, device=device, since=since, until=until, state=state, limit=limit)
    empty = "Nothing of this kind is in the quarantine." if any((reason, device, since, until)) else _EMPTY[state]
    show_items(found["items"], _COLUMNS, as_json=as_json, empty=empty)
    if found["cursor"] is not None and not as_json:
        notice(f"These are the newest {limit}; there are more.")


_EMPTY = {"waiting": "The quarantine is empty."} | dict.fromkeys(
    ("dismissed", "replayed", "duplicate"), "Nothing of this kind is in the quarantine."
)


@quarantine.command("show")
def show_quarantined(
    number: Annotated[int, typer.Argument(metavar="ID", min=1, help="The id that `quarantine list` shows.")],
    values: Annotated[
        bool, typer.Option("--values", help="With what it says: values of a patient. Who saw them is noted.")
    ] = False,
    as_json: Json = False,
) -> None:
    """One of them: why, where, what was decided on it, and the message with its values masked."""
    with session() as (api, _):
        found = api.get(f"/quarantine/{number}", values=values)
    if as_json:
        show(found, _MESSAGE, as_json=True)
        return
    show(found, _MESSAGE[:-2], as_json=False)
    if found["history"]:
        table(_HISTORY, [_row(made, _HISTORY) for made in found["history"]])
    typer.echo(found["text"])


@quarantine.command("replay")
def replay(
    ids: Ids = None,
    *,
    reason: Reason = None,
    device: Device = None,
    since: Since = None,
    until: Until = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Tell what would come of it, and change nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Judge messages again, by what is known now of the moment they came; a list of before and after."""
    wanted = _wanted(ids, reason=reason, device=device, since=since, until=until)
    asked = {"dry_run": dry_run}
    with session() as (api, _):
        lines = list(_each(api, "replay", ids, {}, **asked) if ids else _all(api, "replay", wanted | asked))
    _tell(lines, as_json=as_json, done=f"{'would be' if dry_run else 'are'} elsewhere than before")


@quarantine.command("dismiss")
def dismiss(
    ids: Ids = None,
    *,
    why: Annotated[str | None, typer.Option(help="What you say of it, for those who look later. Name nobody.")] = None,
    reason: Reason = None,
    device: Device = None,
    since: Since = None,
    until: Until = None,
    as_json: Json = False,
) -> None:
    """Let messages wait no longer. They are kept, and each can still be judged again by its id."""
    wanted = _wanted(ids, reason=reason, device=device, since=since, until=until)
    said = {"why": why}
    with session() as (api, _):
        lines = list(_each(api, "dismiss", ids, said) if ids else _all(api, "dismiss", wanted | said))
    _tell(lines, as_json=as_json, done="are dismissed")


def _wanted(ids: list[int] | None, **filters: str | None) -> dict[str, object]:
    """The filter's body; ends with wrong use for neither or both."""
    given = {name: value for name, value in filters.items() if value is not None}
    if bool(ids) == bool(given):
        fail(_TWO_WAYS if ids else _NO_FILTER, code=2)
    return dict(given)


def _each(
    api: Api, verb: str, ids: Sequence[int], body: Mapping[str, object], **query: object
) -> Iterator[dict[str, Any]]:
    """One by one; one that is refused is a line like the others, so that those behind it have their turn."""
    from app.client import ApiRefused

    for number in ids:
        try:
            yield api.post(f"/quarantine/{number}/{verb}", body, **query)
        except ApiRefused as fault:
            if fault.status not in (404, 409):
                raise
            yield dict.fromkeys(_LINE) | {
                "id": number, "outcome": "refused", "reason": fault.code, "changed": False, "why": str(fault),
            }  # fmt: skip


def _all(api: Api, verb: str, body: Mapping[str, object]) -> Iterator[dict[str, Any]]:
    """Page by page, until all that the filter finds was gone through."""
    cursor: str | None = None
    while True:
        done = api.post(f"/quarantine/{verb}", {**body, "limit": _PAGE, "cursor": cursor})
        yield from done["items"]
        cursor = done["cursor"]
        if cursor is None:
            return


def _tell(lines: Sequence[Mapping[str, Any]], *, as_json: bool, done: str) -> None:
    """The list, and how many changed; exit code 1 when one was refused."""
    refused = [line for line in lines if line["outcome"] == "refused"]
    if as_json:
        show_json({"items": [{name: line[name] for name in _LINE} for line in lines]})
    elif not lines:
        typer.echo("Nothing of this kind is in the quarantine.")
    else:
        table(_SHOWN, [_row(line, _SHOWN) for line in lines])
        typer.echo(f"{sum(bool(line['changed']) for line in lines)} of {len(lines)} {done}.")
    if refused:
        fail("\n".join(f"{line['id']}: {line['why']}" for line in refused))


def _row(line: Mapping[str, Any], columns: Sequence[str]) -> list[str]:
    return ["-" if line[name] is None else str(line[name]) for name in columns]
