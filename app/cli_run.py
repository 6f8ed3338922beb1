"""Commands that run something until it is stopped: the installation, its parts, simulated devices, a record, a demo.

Comes in: words. Goes out: an exit code. Refuses to know: how any of it works.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from app.cli_output import NOTHING_STARTED, Json, fail, notice, show_json, spoken, table

_KINDS = "Kinds of the device contract: blood_pressure, ecg, retinography...; a word that is none lists them all."

_REPORT = ("kind", "device", "made", "verdicts", "reasons", "waiting", "seconds")

record = typer.Typer(help="A FHIR record to push to, for trials.", no_args_is_help=True)


def add(app: typer.Typer) -> None:
    """Put the commands on ``app``."""
    for name in ("up", "gateway", "inspect", "project", "export", "api"):
        app.command(name, help=_PARTS[name])(_runner(name))
    app.command("office", hidden=True, help=_PARTS["office"])(_runner("office"))
    app.command()(healthy)
    app.command()(demo)
    app.command()(simulate)
    app.add_typer(record, name="record")


_PARTS = {
    "up": "Broker, gateway, projector, exporter and API, on embedded defaults; stays until Ctrl-C.",
    "gateway": "The gateway alone: takes readings from the broker and answers them.",
    "inspect": "The inspector alone: looks into contents that came apart, in a limited child.",
    "project": "The projector alone: fills the time series.",
    "export": "The exporter alone: publishes readings and delivers them to the record.",
    "api": "The API alone: /api/v1, /fhir, health and metrics.",
    "office": "Everything but broker and gateway, in one process.",
}


def _runner(name: str) -> Callable[[], None]:
    def run() -> None:
        with spoken(NOTHING_STARTED):
            from app import processes
            from app.settings import load

            raise typer.Exit(processes.RUN[name](load()))

    return run


def healthy(
    parts: Annotated[
        list[str] | None, typer.Argument(metavar="[PART...]", help="gateway, inspect, ...; those of `up` when absent.")
    ] = None,
) -> None:
    """Whether parts of the installation do their work now: exit code 0, or 1 and why not. For healthchecks."""
    from app import status

    known = [part for part in _PARTS if part != "up"]
    if unknown := [part for part in parts or () if part not in known]:
        fail(f"No such part: {', '.join(unknown)}. There are {', '.join(known)}.", code=2)
    data = _data()
    problems = [problem for part in parts or ("gateway", "office") if (problem := status.unwell(data, part))]
    if parts and "project" in parts:  # asked about alone: a series that is away makes nothing else unready
        series = status.read(data, status.SERIES)
        problems += [f"series: {series.problem}"] if series is not None and series.is_fresh and series.problem else []
    if problems:
        fail("; ".join(problems))


def _data() -> Path:
    """The data folder, from the environment alone where it is there: a healthcheck is asked often and must be quick."""
    if told := os.environ.get("CONSTANTES_DATA"):
        return Path(told)
    with spoken():
        from app.settings import load

        return load().data


def demo(
    once: Annotated[bool, typer.Option("--once", help="Play it, check that each reading arrived, and end.")] = False,
) -> None:
    """A morning on Reunion island, with real recordings, on this machine alone."""
    with spoken():
        from app import demo as morning

        raise typer.Exit(morning.play(once=once))


@record.command("serve")
def serve(
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 0,
    file: Annotated[Path | None, typer.Option(help="SQLite file; in memory when absent.")] = None,
    fault: Annotated[list[str] | None, typer.Option(help="NAME[:PROBABILITY[:SECONDS]]; may be repeated.")] = None,
    seed: Annotated[int, typer.Option(help="Of the faults' chance.")] = 0,
    token_file: Annotated[Path | None, typer.Option(help="Ask for the bearer token in this file.")] = None,
) -> None:
    """A FHIR record on 127.0.0.1 that accepts, refuses, delays, or cuts the line after storing; until Ctrl-C."""
    from simulators.record import FaultMalformed, NotStarted
    from simulators.record import serve as be_the_record

    try:
        be_the_record(port, file, fault or (), seed, token_file=token_file)
    except FaultMalformed as why:
        fail(str(why), code=2)
    except NotStarted as why:
        fail(str(why))


def simulate(  # noqa: PLR0913, PLR0917 - each option of the command is a parameter
    kinds: Annotated[list[str], typer.Argument(metavar="KIND...", help=_KINDS)],
    device: Annotated[str | None, typer.Option(help="The device's id; registered as simulated when new.")] = None,
    rate: Annotated[float, typer.Option(min=0.001, help="Readings a second.")] = 1.0,
    count: Annotated[int, typer.Option(min=0, help="Readings a device; 0: until Ctrl-C.")] = 10,
    seed: Annotated[int, typer.Option(help="The same seed measures the same.")] = 0,
    fault: Annotated[list[str] | None, typer.Option(help="NAME[:PROBABILITY]; may be repeated.")] = None,
    secret_file: Annotated[Path | None, typer.Option(help="The secret of a device registered before.")] = None,
    url: Annotated[str | None, typer.Option(help="The broker; this installation's when absent.")] = None,
    deadline: Annotated[
        float | None,
        typer.Option(
            min=0.1, help="Seconds after which it ends unanswered; 60 after the last reading is due when absent."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Devices that follow the contract, keep their readings until the receipt, and can misbehave.

    Exit code 1 when a reading got no answer; it is kept and goes out the next time.
    """
    from app.cli_simulate import Asked, play, without_patient
    from simulators.faults import UnknownFaultError
    from simulators.simulate import UnknownKindError

    asked = Asked(tuple(kinds), device, rate, count or None, seed, tuple(fault or ()), secret_file, url, deadline)
    with spoken():
        try:
            reports = play(asked)
        except (UnknownKindError, UnknownFaultError) as why:
            fail(str(why), code=2)
    documents = [report.document() for report in reports]
    if as_json:
        show_json({"items": documents})
    else:
        table(_REPORT, [[_cell(document[column]) for column in _REPORT] for document in documents])
        if url is None and any(report.tally.connects for report in reports):
            for name, waiting in without_patient(reports).items():
                notice(f"{waiting} readings wait without a patient: `constantes assign {name} PATIENT`")
    if not all(report.answered for report in reports):
        fail("Some readings have no answer yet. They are kept and go out with the next `constantes simulate`.")


def _cell(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {count}" for name, count in value.items()) or "-"
    return str(value)
