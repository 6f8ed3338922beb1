"""One place that puts the parts of the way out together: which series, which deployment, which destinations.

Comes in: settings, an open ledger. Goes out: parts that work. Refuses to know: what any of them does. The registry's
verbs are wired in ``app.office``, the broker in ``app.broker``.
"""

from __future__ import annotations

from app.settings import Settings
from fhir_export.destinations import Destination
from fhir_export.model import Deployment
from ingest.ledger.files import LedgerFile
from ingest.series.embedded import EmbeddedSeries
from ingest.series.port import Series


def series(_settings: Settings, file: LedgerFile) -> Series:
    """The store behind trends."""
    return EmbeddedSeries(file)


def deployment(settings: Settings) -> Deployment:
    """What our identifiers hang under."""
    return Deployment(settings.deployment.oid)


def destinations(settings: Settings) -> list[Destination]:
    """Where resource versions are due; ``record`` always, so that nothing is forgotten before it has an address."""
    found = {"record": settings.record, **settings.records}
    return [Destination(name, record.patients) for name, record in found.items()]
