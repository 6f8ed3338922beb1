"""One row a quantity: its units, exact conversions, and the limits of the possible and the usual.

Comes in: a value with its unit. Goes out: the same value in the metric's own unit, or a named refusal. Refuses to
know: FHIR codes (``fhir_export.profiles``), devices, patients.

Limits: device contract, section 4. Factors stand in the rows (kPa x 7.50062, to 1 mm[Hg]); rounding is half to even, in
decimals, never floats. A new quantity is one row here; ``METRICS`` finds it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal

from ingest.model import Measurement
from ingest.reasons import Reason, Rejected

MAX_LENGTH = 22
"""Longest number kept, in characters: 20 digits, sign and point. No sensor has more, a factor of six digits leaves the
product within the 28 digits that decimals compute exactly, and no spelling (1e999999999) can stall us."""


Limits = tuple[Decimal, Decimal]
"""Lowest and highest, both inclusive."""


@dataclass(frozen=True, slots=True)
class Conversion:
    """From a source unit to the metric's unit: ``(value x factor + plus) / by``, rounded half-even to ``places``.

    ``places`` None rounds nothing: a factor that is a power of ten shifts the point and keeps the digits. ``possible``
    are limits in the source unit, where the contract names them apart from those of the metric's unit.
    """

    factor: Decimal
    places: Decimal | None
    plus: Decimal = Decimal(0)
    by: Decimal = Decimal(1)
    possible: Limits | None = None

    def exact(self, value: Decimal) -> Decimal:
        """The value in the metric's unit, not rounded (a ninth of a degree: to 28 digits)."""
        return (value * self.factor + self.plus) / self.by

    def normal(self, value: Decimal) -> Decimal:
        """The value in the metric's unit, rounded as the row says."""
        exact = self.exact(value)
        return exact if self.places is None else exact.quantize(self.places, rounding=ROUND_HALF_EVEN)


@dataclass(frozen=True, slots=True)
class Metric:
    """A quantity: ``unit`` is UCUM; ``possible`` and ``usual`` are limits in that unit (None: no limit)."""

    name: str
    unit: str
    possible: Limits | None
    usual: Limits | None = None
    conversions: Mapping[str, Conversion] = field(default_factory=dict)

    def exact(self, value: Decimal, unit: str) -> Decimal:
        """The value in the metric's unit, not rounded; raises KeyError for a unit that is not listed."""
        return value if unit == self.unit else self.conversions[unit].exact(value)

    def normal(self, value: Decimal, unit: str) -> Decimal:
        """The value in the metric's unit: untouched digits in the same unit, else rounded as the conversion says."""
        return value if unit == self.unit else self.conversions[unit].normal(value)

    def can_be(self, value: Decimal, unit: str) -> bool:
        """True within the possible: of the source unit where that has limits of its own, else of the exact value."""
        own = self.conversions[unit].possible if unit != self.unit else None
        return _within(value, own) if own else _within(self.exact(value, unit), self.possible)

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
        if not self.can_be(number, unit):
            raise Rejected(Reason.VALUE_IMPOSSIBLE, "/value")
        return Measurement(self.name, text, unit, normal, not _within(exact, self.usual)), exact


def _within(value: Decimal, limits: Limits | None) -> bool:
    return limits is None or limits[0] <= value <= limits[1]


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


def _limits(low: str, high: str) -> Limits:
    return Decimal(low), Decimal(high)


def _to(factor: str, places: str | None = None) -> Conversion:
    return Conversion(Decimal(factor), Decimal(places) if places else None)


_KPA = {"kPa": _to("7.50062", "1")}
_RATE_POSSIBLE, _RATE_USUAL = _limits("20", "300"), _limits("40", "140")

SYSTOLIC = Metric("systolic", "mm[Hg]", _limits("40", "300"), _limits("70", "200"), _KPA)
DIASTOLIC = Metric("diastolic", "mm[Hg]", _limits("20", "200"), _limits("40", "120"), _KPA)
MEAN_PRESSURE = Metric("mean_pressure", "mm[Hg]", _limits("30", "250"), None, _KPA)
CUFF_PULSE = Metric("cuff_pulse", "/min", _RATE_POSSIBLE, _RATE_USUAL)
SATURATION = Metric("oxygen_saturation", "%", _limits("30", "100"), _limits("88", "100"))
OXIMETER_PULSE = Metric("oximeter_pulse", "/min", _RATE_POSSIBLE, _RATE_USUAL)
HEART_RATE = Metric("heart_rate", "/min", _RATE_POSSIBLE, _RATE_USUAL)
RESPIRATORY_RATE = Metric("respiratory_rate", "/min", _limits("3", "80"), _limits("8", "30"))
BODY_TEMPERATURE = Metric(
    "body_temperature",
    "Cel",
    _limits("25", "45"),
    _limits("35", "40"),
    {"[degF]": Conversion(Decimal(5), Decimal("0.1"), plus=Decimal(-160), by=Decimal(9))},  # (F - 32) x 5 / 9
)
BODY_WEIGHT = Metric(
    "body_weight",
    "kg",
    _limits("0.3", "400"),
    _limits("2", "200"),
    {"g": _to("0.001"), "[lb_av]": _to("0.45359237", "0.01")},
)
BODY_HEIGHT = Metric(
    "body_height",
    "cm",
    _limits("25", "272"),
    _limits("45", "210"),
    {"m": _to("1E2"), "[in_i]": _to("2.54", "0.1")},  # 1E2, not 100: 1.685 m is 168.5 cm, not 168.500
)
BLOOD_GLUCOSE = Metric(
    "blood_glucose", "mg/dL", _limits("10", "1000"), _limits("50", "300"), {"mmol/L": _to("18.0156", "1")}
)
# IFCC to NGSP. The contract gives the possible in both units, and they do not meet: 9 mmol/mol is 2.97532 %.
HBA1C = Metric(
    "hba1c",
    "%",
    _limits("3", "20"),
    _limits("4", "10"),
    {"mmol/mol": Conversion(Decimal("0.09148"), Decimal("0.1"), plus=Decimal("2.152"), possible=_limits("9", "195"))},
)
_LUNG_VOLUME = _limits("0.1", "10")
FEV1 = Metric("fev1", "L", _LUNG_VOLUME)
FVC = Metric("fvc", "L", _LUNG_VOLUME)
PEF = Metric("pef", "L/min", _limits("20", "1200"))
# The contract gives an ECG's own figures no limits: only what no recording can show (a negative one) is refused.
_ECG_RATE, _ECG_INTERVAL = _limits("0", "1000"), _limits("0", "10000")
ECG_RATE = Metric("ecg_heart_rate", "/min", _ECG_RATE)
ECG_PR = Metric("ecg_pr", "ms", _ECG_INTERVAL)
ECG_QRS = Metric("ecg_qrs", "ms", _ECG_INTERVAL)
ECG_QT = Metric("ecg_qt", "ms", _ECG_INTERVAL)
ECG_QTC = Metric("ecg_qtc", "ms", _ECG_INTERVAL)

METRICS: dict[str, Metric] = {row.name: row for row in tuple(globals().values()) if isinstance(row, Metric)}
"""Every row above, by its name."""
