"""What the routes need of an installation, in one frozen value.

Comes in: nothing. Goes out: ``Office``, made once by the composition root. Refuses to know: settings, how its parts
are made.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection

from ingest.ledger.engine import named_faults
from ingest.ledger.files import OpenLedger
from ingest.model import Instant
from ingest.series.port import Series
from registry.operations import Registrar


@dataclass(frozen=True, slots=True)
class Office:
    """``mqtt_url`` is how devices reach the broker: what is put on a new one; ``series`` answers for trends."""

    registrar: Registrar
    mqtt_url: str
    series: Series

    @property
    def file(self) -> OpenLedger:
        """The ledger."""
        return self.registrar.file

    def now(self) -> Instant:
        """The present, by the installation's clock."""
        return self.registrar.now()

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """A read-only view of the ledger as it is now; raises LedgerUnavailable."""
        with named_faults(), self.file.readers.connect() as connection:
            yield connection
