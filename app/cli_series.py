"""Commands about the time series behind trends: how far behind it is, filling it anew.

Comes in: words. Goes out: what the API answered. Refuses to know: which series it is.
"""

from __future__ import annotations

import time
from typing import Annotated

import typer

from app.cli_output import Json, fail, session, show, show_json

_COLUMNS = ("behind", "age_s", "late", "rebuilding", "problem")
_TURN_S = 0.5

series = typer.Typer(help="The time series behind trends.", no_args_is_help=True)


def add(app: typer.Typer) -> None:
    """Put the commands on ``app``."""
    app.add_typer(series, name="series")


@series.command("show")
def show_series(as_json: Json = False) -> None:
    """Published readings that trends do not show yet, and why not; exit code 1 when they are late."""
    with session() as (api, settings):
        from app import status
        from app.projecting import SERIES

        told = status.read(settings.data, SERIES)
        problem = told.problem if told is not None and told.is_fresh else None
        found = api.get("/series/lag") | {"problem": problem}
    show(found, _COLUMNS, as_json=as_json)
    if found["late"]:
        fail("Trends are late. Every reading is safe in the ledger; see what `problem` says.")


@series.command("rebuild")
def rebuild(
    wait: Annotated[bool, typer.Option("--wait", help="Until every reading of now is in it.")] = False,
    as_json: Json = False,
) -> None:
    """Empty the series and fill it from the ledger, from the first reading on; new readings go on coming meanwhile."""
    with session() as (api, _):
        api.post("/series/rebuild")
        is_alone = api.in_process
        while wait and not is_alone and _is_unfinished(found := api.get("/series/lag")):
            if not as_json:
                typer.echo(f"{found['behind']} readings to go", err=True)
            time.sleep(_TURN_S)
    if as_json:
        show_json({"asked": True})
    else:
        typer.echo(
            "Asked for: it begins when the projector runs (`constantes up` or `constantes project`)."
            if is_alone
            else "Filled."
            if wait
            else "Asked for. `constantes series show` tells how far it is."
        )


def _is_unfinished(found: dict[str, object]) -> bool:
    return bool(found["rebuilding"] or found["behind"])
