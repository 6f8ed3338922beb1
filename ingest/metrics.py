"""One row a quantity: its units, exact conversions, and the limits of the possible and the usual.

Comes in: a value with its unit. Goes out: the same value in the metric's own unit, or a named refusal. Refuses to
know: FHIR codes (``fhir_export.profiles``), devices, patients.

Limits: device contract, section 4. Factors stand in the rows (kPa x 7.50062, to 1 mm[Hg]); rounding is half to even, in
decimals, never floats.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal

from ingest.model import Measurement
from ingest.reasons import Reason, Rejected

MAX_LENGTH = 22
"""Longest number kept, in characters: 20 digits, sign and point. No sensor has more, a factor of six digits leaves the
product within the 28 digits that decimals compute exactly, and no spelling (1e999999999) can stall us."""


@dataclass(frozen=True, slots=True)
class Conversion:
    """From a source unit to the metric's unit: ``value x factor``, rounded half-even to ``places`` decimals."""

    factor: Decimal
    places: Decimal


@dataclass(frozen=True, slots=True)
class Metric:
    """A quantity: ``unit`` is UCUM; ``possible`` and ``usual`` are inclusive limits in that unit (None: no limit)."""

    name: str
    unit: str
    possible: tuple[Decimal, Decimal] | None
    usual: tuple[Decimal, Decimal] | None = None
    conversions: dict[str, Conversion] = field(default_factory=dict)

    def exact(self, value: Decimal, unit: str) -> Decimal:
        """The value in the metric's unit, not rounded; raises KeyError for a unit that is not listed."""
        return value if unit == self.unit else value * self.conversions[unit].factor

    def normal(self, value: Decimal, unit: str) -> Decimal:
        """The value in the metric's unit: untouched digits in the same unit, else rounded as the conversion says."""
        if unit == self.unit:
            return value
        conversion = self.conversions[unit]
        return (value * conversion.factor).quantize(conversion.places, rounding=ROUND_HALF_EVEN)

    def measure(self, value: int | Decimal, unit: str | None) -> tuple[Measurement, Decimal]:
        """Hold one value against this row: the measurement, and the exact value in the metric's unit.

        Raises Rejected with ``number.*``, ``unit.*`` or ``value.impossible``; the pointer starts at the value's object.
        """
        text = exact_text(value, "/value")
        if unit is None:
            raise Rejected(Reason.UNIT_MISSING, "/unit")
        number = Decimal(value)
        if unit == self.unit:
            exact, normal = number, text
        elif unit in self.conversions:
            exact, normal = self.exact(number, unit), format(self.normal(number, unit), "f")
        else:
            raise Rejected(Reason.UNIT_NOT_ALLOWED, "/unit")
        if self.possible and not self.possible[0] <= exact <= self.possible[1]:
            raise Rejected(Reason.VALUE_IMPOSSIBLE, "/value")
        unusual = self.usual is not None and not self.usual[0] <= exact <= self.usual[1]
        return Measurement(self.name, text, unit, normal, unusual), exact


def exact_text(value: int | Decimal, pointer: str) -> str:
    """A number as plain decimal text with its digits; raises Rejected with ``number.*``."""
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise Rejected(Reason.NUMBER_NOT_FINITE, pointer)
        if abs(value.adjusted()) > MAX_LENGTH:  # before the text is built: it may have 10^18 zeros
            raise Rejected(Reason.NUMBER_OUT_OF_RANGE, pointer)
        text = format(value, "f")
    else:
        text = str(value)
    if len(text) > MAX_LENGTH:
        raise Rejected(Reason.NUMBER_OUT_OF_RANGE, pointer)
    return text


def _limits(low: str, high: str) -> tuple[Decimal, Decimal]:
    return Decimal(low), Decimal(high)


_KPA = {"kPa": Conversion(Decimal("7.50062"), Decimal(1))}
_RATE_POSSIBLE, _RATE_USUAL = _limits("20", "300"), _limits("40", "140")

SYSTOLIC = Metric("systolic", "mm[Hg]", _limits("40", "300"), _limits("70", "200"), _KPA)
DIASTOLIC = Metric("diastolic", "mm[Hg]", _limits("20", "200"), _limits("40", "120"), _KPA)
MEAN_PRESSURE = Metric("mean_pressure", "mm[Hg]", _limits("30", "250"), None, _KPA)
CUFF_PULSE = Metric("cuff_pulse", "/min", _RATE_POSSIBLE, _RATE_USUAL)
# The contract gives an ECG's own figures no limits: only what no recording can show (a negative one) is refused.
_ECG_RATE, _ECG_INTERVAL = _limits("0", "1000"), _limits("0", "10000")
ECG_RATE = Metric("ecg_heart_rate", "/min", _ECG_RATE)
ECG_PR = Metric("ecg_pr", "ms", _ECG_INTERVAL)
ECG_QRS = Metric("ecg_qrs", "ms", _ECG_INTERVAL)
ECG_QT = Metric("ecg_qt", "ms", _ECG_INTERVAL)
ECG_QTC = Metric("ecg_qtc", "ms", _ECG_INTERVAL)

METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (SYSTOLIC, DIASTOLIC, MEAN_PRESSURE, CUFF_PULSE, ECG_RATE, ECG_PR, ECG_QRS, ECG_QT, ECG_QTC)
}
