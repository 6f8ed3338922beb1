"""One place that puts the parts of the way out together: which series, which deployment, which destinations.

Comes in: settings, an open ledger. Goes out: parts that work. Refuses to know: what any of them does. The registry's
verbs are wired in ``app.office``, the broker in ``app.broker``.
"""

from __future__ import annotations

from importlib.metadata import version

from app.parts import CannotStart
from app.settings import Settings
from fhir_export.destinations import Destination
from fhir_export.model import Deployment
from ingest.ledger.files import OpenLedger
from ingest.ledger.sqlite import named_faults
from ingest.series.embedded import EmbeddedSeries
from ingest.series.port import Series
from registry import devices


def series(_settings: Settings, file: OpenLedger) -> Series:
    """The store behind trends."""
    return EmbeddedSeries(file)


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
