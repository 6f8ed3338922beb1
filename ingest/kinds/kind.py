"""What a device kind is: a payload, a rule that turns it into measurements, and the context words it lists.

Comes in: decoded ``values``. Goes out: ``Measurement`` tuples, or ``Rejected``. Refuses to know: messages, time, keys.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from pydantic import BaseModel, ConfigDict

from ingest.metrics import Metric
from ingest.model import Blob, Image, Measurement, Part, Recording
from ingest.noun import noun
from ingest.reasons import Rejected, first
from ingest.schema import Maybe
from ingest.wire import Number

WIRE = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)


class Sent(BaseModel):
    """One value as a device sends it: a number with its digits, and a UCUM unit (absent: ``unit.missing``)."""

    model_config = WIRE

    value: Number
    unit: Maybe[str] = None


class Values(BaseModel):
    """Base of every kind's payload: unknown names are refused (contract C-RD-11)."""

    model_config = WIRE


@noun
class Content:
    """What a reading holds besides measurements: samples, or where a large content will be found."""

    recording: Recording | None = None
    blob: Blob | None = None
    image: Image | None = None
    part: Part | None = None


NOTHING = Content()


@dataclass(frozen=True, slots=True)
class Kind:
    """A row of the table of kinds.

    ``metrics`` maps a name in ``values`` to its metric; ``check`` raises ``Rejected`` for values that contradict each
    other; ``context`` lists the context members the kind takes. Kinds with more than values have ``form``, which reads
    their own members out of a message (``schema.*``), and ``content``, which judges them (``ecg.*``, ``blob.*``,
    ``image.*``); their ``values`` may be left out.
    """

    name: str
    values: type[Values]
    metrics: Mapping[str, Metric]
    check: Callable[[Mapping[str, Decimal]], None] = field(default=lambda _values: None)
    context: frozenset[str] = frozenset()
    form: Callable[[Mapping[str, Any]], Any] | None = None
    content: Callable[[Any], Content] = field(default=lambda _form: NOTHING)

    def measure(self, values: Values) -> tuple[Measurement, ...]:
        """Hold each value against its metric, then all against each other.

        Raises Rejected: of several faults the first by family (number, unit, value), then in the order of the kind.
        """
        found: list[Measurement] = []
        exact: dict[str, Decimal] = {}
        faults: list[Rejected] = []
        for name, metric in self.metrics.items():
            sent: Sent | None = getattr(values, name)
            if sent is None:
                continue
            try:
                measurement, exact[name] = metric.measure(sent.value, sent.unit)
            except Rejected as fault:
                faults.append(Rejected(fault.reason, f"/values/{name}{fault.pointer}"))
            else:
                found.append(measurement)
        if faults:
            raise first(faults)
        self.check(exact)
        return tuple(found)
