"""What commands share: the way to the API, tables for people, one JSON document for programs, faults in words.

Comes in: answers of the API. Goes out: text on standard output; faults on standard error. Refuses to know: which
command it is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeAlias

import typer

if TYPE_CHECKING:  # loading these takes longer than `--help` may
    from app.client import Api
    from app.settings import Settings

Json: TypeAlias = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]


NOTHING_STARTED = "Nothing was started."


@contextmanager
def spoken(safe: str = "Nothing was done.") -> Iterator[None]:
    """Turn the faults that a person can act on into a sentence and exit code 1; a wrong setting is wrong use, 2.

    ``safe`` is what a command says of a wrong setting's consequences.
    """
    from app.client import ClientFault
    from app.parts import CannotStart
    from app.settings import WrongSetting
    from gateway.broker.faults import BrokerFault
    from ingest.ledger.faults import LedgerFault

    try:
        yield
    except WrongSetting as fault:
        fail(fault.told(safe), code=2)
    except (ClientFault, CannotStart, LedgerFault, BrokerFault) as fault:
        fail(str(fault))
    except PermissionError as fault:
        fail(f"{fault.filename} may not be read or written by this user. Give the rights, or name another folder.")


@contextmanager
def session(*, new: bool = False) -> Iterator[tuple[Api, Settings]]:
    """The API of this installation, and its settings; faults are spoken. With ``new``, one is made if there is none."""
    with spoken():
        from app.client import connected
        from app.settings import load

        settings = load()
        with connected(settings, new=new) as api:
            yield api, settings


def fail(sentence: str, *, code: int = 1) -> NoReturn:
    """Say why, and end."""
    typer.echo(sentence, err=True)
    raise typer.Exit(code)


def notice(sentence: str | None) -> None:
    """Say something beside the answer."""
    if sentence:
        typer.echo(sentence, err=True)


def show_json(document: object) -> None:
    """The one document of ``--json``."""
    typer.echo(json.dumps(document, ensure_ascii=False))


def show(document: Mapping[str, Any], keys: Sequence[str], *, as_json: bool) -> None:
    """One thing: these keys, as JSON or one a line."""
    kept = {key: document[key] for key in keys}
    if as_json:
        show_json(kept)
        return
    for key, value in kept.items():
        typer.echo(f"{key:<12} {_cell(value)}")


def show_items(items: Sequence[Mapping[str, Any]], columns: Sequence[str], *, as_json: bool, empty: str) -> None:
    """Several things: all their keys as JSON, or these columns as a table; ``empty`` when there is none."""
    if as_json:
        show_json({"items": items})
    elif not items:
        typer.echo(empty)
    else:
        table(columns, [[_cell(item[column]) for column in columns] for item in items])


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table as wide as the terminal, or as its text when it goes into a file or pipe."""
    import sys

    from rich.console import Console
    from rich.table import Table

    wide = None if sys.stdout.isatty() else max(80, *(sum(map(len, row)) + 3 * len(row) for row in rows)) + 40
    drawn = Table(*columns, box=None, header_style="bold", pad_edge=False)
    for row in rows:
        drawn.add_row(*row)
    Console(width=wide, markup=False, highlight=False, emoji=False).print(drawn)


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(str(one) for one in value) or "-"
    return str(value)
