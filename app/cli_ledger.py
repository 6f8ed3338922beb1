"""Commands about readings and the ledger: trace, reading, gaps, deliveries, ledger.

Comes in: words. Goes out: what the API answered. Refuses to know: rules.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli_output import Json, fail, notice, session, show, show_items, show_json, spoken, table

if TYPE_CHECKING:  # loading it takes longer than `--help` may
    from app.client import Api

_TRACE = ("reading", "device", "stream", "seq", "kind", "stages")
_BALANCE = ("received", "stored", "duplicate", "quarantined", "dismissed", "pending", "balanced")
_READING_COLUMNS = ("reading", "device", "kind", "taken_at", "values", "verdict", "patient", "waits")
_GAP_COLUMNS = ("device", "stream", "first", "last", "first_seen", "asked_at")
_DELIVERY_COLUMNS = ("destination", "resource", "state", "tries", "answer", "next_try")

RENAMED = """The ledger has another name. What follows, by itself, once the installation is started:
- each device sees the new name when it connects or is answered, and offers again everything it still keeps;
  what is there already is answered as a duplicate;
- practice software's cursors are refused: it begins again from the first page, without a cursor;
- an InfluxDB is emptied and filled anew from the ledger; the embedded series is part of the ledger."""

Limit = Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")]

ledger = typer.Typer(help="Whether everything is there.", no_args_is_help=True)
reading = typer.Typer(help="Accepted readings.", no_args_is_help=True)
gaps = typer.Typer(help="Sequence numbers that never came.", no_args_is_help=True)
deliveries = typer.Typer(help="What goes to which record.", no_args_is_help=True)


def add(app: typer.Typer) -> None:
    """Put the commands on ``app``."""
    app.command()(trace)
    app.add_typer(reading, name="reading")
    app.add_typer(gaps, name="gaps")
    app.add_typer(deliveries, name="deliveries")
    app.add_typer(ledger, name="ledger")


def trace(
    reading_id: Annotated[
        str,
        typer.Argument(
            metavar="READING", help="A reading id, a FHIR id, device:seq, device:stream:seq, or a receipt's hash."
        ),
    ],
    device_id: Annotated[
        str | None, typer.Option("--device", help="With a hash: look through all of one device.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Every stage of one reading, with times and reasons."""
    from urllib.parse import quote

    with session() as (api, _):
        found = api.get(f"/readings/{quote(reading_id, safe='') or '-'}/trace", device=device_id)
    if as_json:
        show(found, _TRACE, as_json=True)
        return
    show(found, _TRACE[:-1], as_json=False)
    columns = ("stage", "at", "outcome", "reason")
    table(columns, [[str(stage[column] or "-") for column in columns] for stage in found["stages"]])


@reading.command("list")
def list_readings(
    device_id: Annotated[str | None, typer.Option("--device")] = None,
    patient_id: Annotated[str | None, typer.Option("--patient")] = None,
    since: Annotated[str | None, typer.Option(help="Arrived since: RFC 3339 with an offset or Z.")] = None,
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """Accepted readings, newest first."""
    with session() as (api, _):
        items = api.get("/readings", device=device_id, patient=patient_id, since=since, limit=limit)["items"]
    if not as_json:
        items = [{**item, "values": _values(item)} for item in items]
    show_items(items, _READING_COLUMNS, as_json=as_json, empty="No such reading was accepted.")


def _values(item: dict[str, Any]) -> list[str]:
    measured = item["measurements"]
    told = [f"{m['metric']} {m['value']} {m['unit']}{'!' if m['unusual'] else ''}" for m in measured]
    if (recording := item["recording"]) is not None:
        told.append(f"{len(recording['leads'])} lead{'s'[: len(recording['leads']) - 1]} {recording['seconds']:g} s")
    if (image := item["image"]) is not None:
        told.append(" ".join(filter(None, (image["eye"], image["field"]))) or "photograph")
    if (blob := item["blob"]) is not None and blob["missing"]:
        left = sum(end - start for start, end in blob["missing"])
        told.append(f"{left} of {blob['bytes']} bytes missing")
    return told


@gaps.command("list")
def list_gaps(
    closed: Annotated[bool, typer.Option("--closed", help="Those that were filled or declared lost.")] = False,
    limit: Limit = 100,
    as_json: Json = False,
) -> None:
    """Sequence numbers that have not come, oldest first."""
    with session() as (api, _):
        items = api.get("/gaps", limit=limit, closed=closed)["items"]
    columns = (*_GAP_COLUMNS[:-1], "closed_at", "closed_as") if closed else _GAP_COLUMNS
    show_items(items, columns, as_json=as_json, empty="There is no gap.")


@deliveries.command("list")
def list_deliveries(
    state: Annotated[str | None, typer.Option(help="due or parked.")] = None, limit: Limit = 100, as_json: Json = False
) -> None:
    """What a record has not confirmed: parked first, then by the next try."""
    with session() as (api, settings):
        found = api.get("/deliveries", limit=limit, state=state)
        items, left = found["items"], found["unpublished"]
        empty = "" if items or as_json else _nothing_waits(api, recorded=bool(settings.destinations))
    if as_json:
        show_json({"items": items, "unpublished": left})
        return
    show_items(items, _DELIVERY_COLUMNS, as_json=False, empty=empty)
    if left["readings"]:
        since = f", the oldest since {left['since']}" if left["since"] else ""
        notice(
            f"{left['readings']} readings are kept and not published yet{since}. They become deliveries by themselves, "
            "in a moment; if they do not, see `constantes alarms list`."
        )


def _nothing_waits(api: Api, *, recorded: bool) -> str:
    """Why the list is empty: it is not the same as everything being in a record."""
    if not recorded:
        return "No record is configured (CONSTANTES_RECORD__URL); exports wait."
    waiting = sum(item["readings"] for item in api.get("/inbox")["items"])
    more = f" {waiting} readings wait without a patient: `constantes reading list`." if waiting else ""
    return f"Nothing waits for delivery.{more}"


@ledger.command("balance")
def show_balance(as_json: Json = False) -> None:
    """Received = stored + duplicate + quarantined + dismissed + pending; exit code 1 when it is not."""
    with session() as (api, _):
        found = api.get("/ledger/balance")
    show(found, _BALANCE, as_json=as_json)
    if not found["balanced"]:
        fail("The ledger does not balance. Stop the installation, keep the data folder, and run `ledger verify`.")


@ledger.command("verify")
def verify_ledger(as_json: Json = False) -> None:
    """Check every row's hash, and that no row is missing; exit code 1 when something is wrong."""
    with session() as (api, _):
        found = api.get("/ledger/verify")
    if as_json:
        show_json({key: found[key] for key in ("rows", "blobs", "head", "faults")})
    else:
        typer.echo(f"{found['rows']} rows and {found['blobs']} blobs checked, {len(found['faults'])} faults.")
        typer.echo(f"Newest seal: {found['head'] or 'none yet'}")
        if found["faults"]:
            columns = ("table", "position", "what")
            table(columns, [[str(fault[column]) for column in columns] for fault in found["faults"]])
    if found["faults"]:
        fail("Rows were changed or are missing. Stop the installation and keep the data folder as it is.")


@ledger.command("restored")
def restored(as_json: Json = False) -> None:
    """Say that the ledger was set back to a backup or a standby: it gets another name. Only while nothing runs."""
    with spoken("Nothing was changed."):
        from app.restoring import rename
        from app.settings import load

        names = rename(load())
    show(names._asdict(), ("before", "ledger"), as_json=as_json)
    notice(None if as_json else RENAMED)
