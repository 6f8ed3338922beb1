"""``constantes``: the command line. Every command is a client of ``/api/v1``, or starts a part of the installation.

Comes in: words. Goes out: exit code 0 done, 1 refused or failed, 2 wrong use. Refuses to know: how anything is done.

Nothing heavy is imported here: ``--help`` answers at once.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from app import cli_alarms, cli_care, cli_doctor, cli_ledger, cli_quarantine, cli_registry, cli_run, cli_series

app = typer.Typer(
    name="constantes",
    help="Readings of connected medical devices, made safe and put into the right patient's FHIR record.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
cli_run.add(app)
cli_registry.add(app)
cli_ledger.add(app)
cli_care.add(cli_ledger.ledger)
cli_quarantine.add(app)
cli_doctor.add(app)
cli_series.add(app)
cli_alarms.add(app)


def _say_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"constantes {version('constantes')}")
        raise typer.Exit


@app.callback()
def root(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Say the version and end.")
    ] = False,
) -> None:
    """Readings of connected medical devices, made safe and put into the right patient's FHIR record."""


def main() -> None:
    """The entry of the program."""
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(130)  # what a shell expects of a program that SIGINT ended
    except BrokenPipeError:
        sys.stderr.close()  # whoever read has enough; nothing is left to say it to
        sys.exit(1)
