"""Commands about alarms: list, clear.

Comes in: words. Goes out: what the API answered; exit code 1 while an alarm of severity error is open. Refuses to know:
rules.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from app.cli_output import Json, notice, session, show_json

alarms = typer.Typer(help="What a person should know of.", no_args_is_help=True)


def add(app: typer.Typer) -> None:
    """Put the commands on ``app``."""
    app.add_typer(alarms, name="alarms")


@alarms.command("list")
def list_alarms(
    everything: Annotated[bool, typer.Option("--all", help="Also events that are over, newest first.")] = False,
    as_json: Json = False,
) -> None:
    """What is wrong now: what happened, what is safe, what to do. Exit code 1 with an error among them."""
    with session() as (api, _):
        items = api.get("/alarms", cleared=everything)["items"]
    if as_json:
        show_json({"items": items})
    else:
        typer.echo("\n\n".join(_told(item) for item in items) or "There is no alarm.")
    if any(item["severity"] == "error" and item["cleared_at"] is None for item in items):
        raise typer.Exit(1)


@alarms.command("clear")
def clear_alarm(
    code: Annotated[str, typer.Argument(metavar="CODE", help="As `alarms list` shows it.")],
    subject: Annotated[str, typer.Argument(metavar="SUBJECT", help="As `alarms list` shows it.")],
) -> None:
    """Say that an event was seen to; if it happens again, it is a new alarm."""
    with session() as (api, _):
        api.post("/alarms/clear", {"code": code, "subject": subject})
    notice("Cleared.")


def _told(item: Mapping[str, Any]) -> str:
    """An alarm for a person: what and since when, then the three sentences."""
    over = f" until {item['cleared_at']}" if item["cleared_at"] else ""
    head = f"{item['severity']:<8} {item['code']} {item['subject']}  since {item['since']}{over}"
    return "\n".join((head, *(f"         {item[key]}" for key in ("happened", "safe", "remedy"))))
