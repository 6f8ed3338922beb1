"""What the commands that run something do, one function each: ``up`` and its parts alone.

Comes in: settings. Goes out: an exit code. Refuses to know: the command line.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from app.log import configure
from app.parts import only_one, stop_on_signals
from app.settings import Settings


def up(settings: Settings) -> int:
    """Everything, until Ctrl-C."""
    from app.supervisor import Supervisor

    configure()

    def ready() -> None:
        sys.stdout.write(addresses(settings))
        sys.stdout.flush()

    return Supervisor(settings).run(stop_on_signals(), ready)


def gateway(settings: Settings) -> int:
    """The gateway alone."""
    from app.gateway_process import run

    configure()
    return run(settings, stop_on_signals())


def office(settings: Settings) -> int:
    """Everything but broker and gateway; started by ``up``, which holds the folder's lock."""
    from app.office_process import run

    configure()
    return run(settings, stop_on_signals())


def export(settings: Settings) -> int:
    """The publisher and the deliveries alone."""
    return _alone(settings, "export")


def inspect(settings: Settings) -> int:
    """The inspector alone."""
    return _alone(settings, "inspect")


def project(settings: Settings) -> int:
    """The projector alone."""
    return _alone(settings, "project")


def api(settings: Settings) -> int:
    """The HTTP side alone; it holds the folder's lock, because commands reach the installation through it."""
    with only_one(settings.data, "instance"):
        return _alone(settings, "api")


def _alone(settings: Settings, part: str) -> int:
    from app.office_process import run

    configure()
    return run(settings, stop_on_signals(), (part,))


def addresses(settings: Settings) -> str:
    """What ``up`` says when it is ready: where everything is."""
    lines = {
        "devices": settings.mqtt_url,
        "practice software": f"{settings.http_url}/fhir",
        "API": f"{settings.http_url}/docs",
        "record": _record(settings),
        "data": str(settings.data.resolve()),
    }
    told = "".join(f"  {name:<18} {address}\n" for name, address in lines.items())
    return f"Constantes is ready. Ctrl-C ends it.\n{told}"


def _record(settings: Settings) -> str:
    if settings.record.url is None:
        return "none yet: exports wait (CONSTANTES_RECORD__URL)"
    if settings.record.patients == "write":
        return settings.record.url
    return (
        f"{settings.record.url} (patients=lookup: exports are parked in this version;"
        " CONSTANTES_RECORD__PATIENTS=write sends them)"
    )


RUN: dict[str, Callable[[Settings], int]] = {
    "up": up,
    "gateway": gateway,
    "office": office,
    "inspect": inspect,
    "export": export,
    "project": project,
    "api": api,
}
