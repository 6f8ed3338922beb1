"""What the routes need of an installation, in one frozen value.

Comes in: nothing. Goes out: ``Office``, made once by the composition root. Refuses to know: settings, how its parts
are made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal, Protocol

from sqlalchemy import Connection

from ingest.ledger.engine import named_faults
from ingest.ledger.files import OpenLedger
from ingest.ledger.replay_facts import Rules
from ingest.model import Instant
from ingest.series.port import Series
from registry.alarm import Alarm, Limits
from registry.operations import Registrar
from registry.replaying import SetAside


class Outside(Protocol):
    """What the installation says of itself outside the ledger."""

    def alarms(self, now: Instant) -> Sequence[Alarm]:
        """Alarms that hold at ``now``."""

    def waits(self) -> Mapping[str, str]:
        """Destinations that take nothing at the moment, with the code of why."""


class Silent:
    """An outside that says nothing."""

    def alarms(self, now: Instant) -> Sequence[Alarm]:  # noqa: ARG002 - the port's signature
        """None."""
        return ()

    def waits(self) -> Mapping[str, str]:
        """None."""
        return {}


@dataclass(frozen=True, slots=True)
class Office:
    """``mqtt_url`` is how devices reach the broker: what is put on a new one; ``series`` answers for trends.

    ``language`` is that of texts for people, ``limits`` say from when on something is an alarm, ``rules`` are those by
    which a message is judged again.
    """

    registrar: Registrar
    mqtt_url: str
    series: Series
    language: Literal["fr", "en"] = "fr"
    limits: Limits = field(default_factory=Limits)
    outside: Outside = field(default_factory=Silent)
    rules: Callable[[], Rules] = Rules

    @property
    def file(self) -> OpenLedger:
        """The ledger."""
        return self.registrar.file

    @property
    def aside(self) -> SetAside:
        """The verbs on what was set aside."""
        return SetAside(self.file, self.now, self.rules)

    def now(self) -> Instant:
        """The present, by the installation's clock."""
        return self.registrar.now()

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """A read-only view of the ledger as it is now; raises LedgerUnavailable."""
        with named_faults(), self.file.readers.connect() as connection:
            yield connection
