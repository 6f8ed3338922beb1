"""One place that puts the parts of the way out together: which ledger, series, deployment and destinations.

Comes in: settings. Goes out: parts that work. Refuses to know: what any of them does. The registry's
verbs are wired in ``app.office``, the broker in ``app.broker``.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec

from app.clock import is_disciplined
from app.parts import CannotStart
from app.settings import PREFIX, Settings, secret_of
from fhir_export.destinations import Destination
from fhir_export.model import Deployment
from ingest.ledger.engine import named_faults
from ingest.ledger.files import OpenLedger, open_ledger
from ingest.ledger.replay_facts import Rules
from ingest.series.embedded import EmbeddedSeries
from ingest.series.port import Series
from registry import devices

_DAY = 86_400_000_000
"""Microseconds."""


def ledger(settings: Settings) -> OpenLedger:
    """The ledger, opened: a file in the data folder, or a PostgreSQL database with its blobs there.

    Raises LedgerFault, and WrongSetting when the password's file cannot be read.
    """
    if not settings.has_ledger_server:
        return open_ledger(settings.ledger_path)
    named = settings.ledger
    password = secret_of(named.password_file, f"{PREFIX}LEDGER__PASSWORD_FILE") if named.password_file else None
    blobs = settings.data / "blobs"
    return open_ledger(named.url or "", blobs=blobs, password=password, standby=named.standby)


def series(settings: Settings, file: OpenLedger) -> Series:
    """The store behind trends; whoever projects and whoever asks have one each. Raises CannotStart."""
    named = settings.series
    if named.is_embedded or named.token_file is None:
        return EmbeddedSeries(file)
    if find_spec("influxdb_client") is None:
        raise CannotStart(
            "CONSTANTES_SERIES__URL names an InfluxDB, and its client is not installed here. Nothing was started. "
            "Install constantes[influx], or leave the series embedded."
        )
    from ingest.series.influx import InfluxSeries
    from ingest.series.influx_server import Place, Server

    place = Place(named.url, named.org, named.bucket, named.token_file, named.timeout_s)
    return InfluxSeries(Server(place), named.keep_days)


def rules(settings: Settings) -> Callable[[], Rules]:
    """By what a message is judged again: the same settings that the gateway judges a fresh one by."""
    clock = settings.clock
    return lambda: Rules(is_disciplined(clock.disciplined), clock.oldest_days * _DAY)


def deployment(settings: Settings) -> Deployment:
    """What our identifiers hang under, and the software that a Provenance names."""
    return Deployment(settings.deployment.oid, version=version("constantes"))


def destinations(settings: Settings) -> list[Destination]:
    """Where resource versions are due; ``record`` always, so that nothing is forgotten before it has an address."""
    found = {"record": settings.record, **settings.records}
    return [Destination(name, record.patients) for name, record in found.items()]


def refuse_simulated(settings: Settings, file: OpenLedger) -> None:
    """Raise CannotStart where readings of simulated devices would reach a record elsewhere by accident."""
    if settings.takes_simulated:
        return
    with named_faults(), file.readers.connect() as connection:
        found = [each for each in devices.listed(connection) if each.simulated]
    if found:
        raise CannotStart(
            f"{len(found)} simulated devices were registered, and a record is not on this machine. Nothing was "
            "started. Take that record out, or set CONSTANTES_RECORD__ALLOW_SIMULATED=true."
        )
