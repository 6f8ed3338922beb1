"""Limits and conversions of each quantity, in exact decimals."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.metrics import (
    CUFF_PULSE,
    DIASTOLIC,
    ECG_QT,
    ECG_RATE,
    MAX_LENGTH,
    MEAN_PRESSURE,
    METRICS,
    SYSTOLIC,
    Conversion,
    Metric,
    exact_text,
)
from ingest.model import Measurement
from ingest.reasons import Reason, Rejected


def _measured(metric: Metric, value: str, unit: str | None) -> Measurement:
    return metric.measure(Decimal(value), unit)[0]


def _refused(metric: Metric, value: str, unit: str | None) -> tuple[Reason, str | None] | None:
    try:
        _measured(metric, value, unit)
    except Rejected as fault:
        return fault.reason, fault.pointer
    return None


# From the contract's section 4: (metric, unit, possible from, to, usual from, to).
ROWS = [
    (SYSTOLIC, "mm[Hg]", "40", "300", "70", "200"),
    (DIASTOLIC, "mm[Hg]", "20", "200", "40", "120"),
    (MEAN_PRESSURE, "mm[Hg]", "30", "250", None, None),
    (CUFF_PULSE, "/min", "20", "300", "40", "140"),
    (ECG_RATE, "/min", "0", "1000", None, None),
    (ECG_QT, "ms", "0", "10000", None, None),
]
TINY = Decimal("0.0000000001")


@pytest.mark.parametrize(("metric", "unit", "low", "high", "usual_low", "usual_high"), ROWS)
def test_limits_are_inclusive(
    metric: Metric, unit: str, low: str, high: str, usual_low: str | None, usual_high: str | None
) -> None:
    """At the limit a value is possible, or usual; a hair beyond it is not."""
    assert _refused(metric, low, unit) is None
    assert _refused(metric, high, unit) is None
    assert _refused(metric, str(Decimal(low) - TINY), unit) == (Reason.VALUE_IMPOSSIBLE, "/value")
    assert _refused(metric, str(Decimal(high) + TINY), unit) == (Reason.VALUE_IMPOSSIBLE, "/value")
    if usual_low and usual_high:
        assert not _measured(metric, usual_low, unit).unusual
        assert not _measured(metric, usual_high, unit).unusual
        assert _measured(metric, str(Decimal(usual_low) - TINY), unit).unusual
        assert _measured(metric, str(Decimal(usual_high) + TINY), unit).unusual
    else:
        assert not _measured(metric, low, unit).unusual


# x 7.50062, to 1 mm[Hg], half to even.
KPA = [
    ("17.33", "130"),
    ("17.1", "128"),
    ("10.9", "82"),
    ("16", "120"),
    ("5.4", "41"),
    ("39.9", "299"),
    ("17.10", "128"),
]


@pytest.mark.parametrize(("kpa", "mmhg"), KPA)
def test_kilopascals_become_whole_millimetres(kpa: str, mmhg: str) -> None:
    """The value as sent stays beside the one in the metric's unit."""
    assert _measured(SYSTOLIC, kpa, "kPa") == Measurement("systolic", kpa, "kPa", mmhg, mmhg in {"41", "299"})


@pytest.mark.parametrize(
    ("value", "rounded"), [("0.5", "0"), ("1.5", "2"), ("2.5", "2"), ("2.5000001", "3"), ("3.5", "4")]
)
def test_halves_go_to_the_even_neighbour(value: str, rounded: str) -> None:
    """So that rounding adds no bias over many readings."""
    half = Metric("half", "one", None, None, {"other": Conversion(Decimal(1), Decimal(1))})
    assert _measured(half, value, "other").normal == rounded


def test_limits_hold_for_the_exact_value_not_the_rounded_one() -> None:
    """5.333 kPa is 40.0008 mm[Hg] and possible; 5.332 is 39.993 and is not, though it rounds to 40."""
    assert _refused(SYSTOLIC, "5.333", "kPa") is None
    assert SYSTOLIC.normal(Decimal("5.332"), "kPa") == 40
    assert _refused(SYSTOLIC, "5.332", "kPa") == (Reason.VALUE_IMPOSSIBLE, "/value")


@pytest.mark.parametrize("unit", ["mmHg", "mm[hg]", "MM[HG]", "mm[Hg] ", "", "kpa", "/min", "Pa", "\u00b5V"])
def test_a_unit_is_one_of_those_listed_to_the_letter(unit: str) -> None:
    """UCUM is case-sensitive, and nothing is taken for what it probably means."""
    assert _refused(SYSTOLIC, "128", unit) == (Reason.UNIT_NOT_ALLOWED, "/unit")


def test_of_number_unit_and_value_the_first_is_told() -> None:
    """The order of the contract's section 13, within one value."""
    assert _refused(SYSTOLIC, "NaN", None) == (Reason.NUMBER_NOT_FINITE, "/value")
    assert _refused(SYSTOLIC, "1e30", None) == (Reason.NUMBER_OUT_OF_RANGE, "/value")
    assert _refused(SYSTOLIC, "9999", None) == (Reason.UNIT_MISSING, "/unit")
    assert _refused(SYSTOLIC, "9999", "bar") == (Reason.UNIT_NOT_ALLOWED, "/unit")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Decimal("36.60"), "36.60"),
        (Decimal("1.31e2"), "131"),
        (Decimal("1E+5"), "100000"),
        (Decimal("1e-7"), "0.0000001"),
        (128, "128"),
        (Decimal("-0.0"), "-0.0"),
        (0, "0"),
        (10**21, "1" + "0" * 21),
        (Decimal("0.0000000000000000001"), "0.0000000000000000001"),
    ],
)
def test_a_number_is_kept_as_plain_decimal_text(value: int | Decimal, text: str) -> None:
    """Its digits are those that were sent."""
    assert exact_text(value, "/x") == text


@pytest.mark.parametrize(
    "value", [10**22, Decimal("1e22"), Decimal("0e99"), Decimal("1e-999999"), Decimal("1." + "0" * 21)]
)
def test_a_number_longer_than_any_sensors_is_refused(value: int | Decimal) -> None:
    """Before its text is built."""
    with pytest.raises(Rejected) as caught:
        exact_text(value, "/x")
    assert (caught.value.reason, caught.value.pointer) == (Reason.NUMBER_OUT_OF_RANGE, "/x")


@given(st.decimals("5.4", "39.9", places=12))
def test_a_conversion_is_exact_before_it_is_rounded(kpa: Decimal) -> None:
    """The product has every digit, and the rounded value lies within half a millimetre of it."""
    measurement, exact = SYSTOLIC.measure(kpa, "kPa")
    assert int(exact.scaleb(17)) == int(kpa.scaleb(12)) * 750062
    assert abs(Decimal(measurement.normal) - exact) <= Decimal("0.5")
    assert measurement.value == format(kpa, "f")


@given(st.decimals("40", "300", places=17))
def test_the_same_unit_changes_no_digit(value: Decimal) -> None:
    """What was sent is what is kept, twice."""
    assert len(format(value, "f")) <= MAX_LENGTH
    measurement, exact = SYSTOLIC.measure(value, "mm[Hg]")
    assert measurement.value == measurement.normal == format(value, "f")
    assert exact == value


def test_metrics_are_found_by_their_names() -> None:
    """The table's key is the row's own name, and no limit stands upside down."""
    for name, metric in METRICS.items():
        assert metric.name == name
        assert metric.possible
        assert metric.possible[0] < metric.possible[1]
        assert not metric.usual or metric.possible[0] <= metric.usual[0] < metric.usual[1] <= metric.possible[1]
