"""Limits and conversions of each quantity, in exact decimals."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest import metrics
from ingest.metrics import (
    BLOOD_GLUCOSE,
    BODY_HEIGHT,
    BODY_TEMPERATURE,
    BODY_WEIGHT,
    CUFF_PULSE,
    DIASTOLIC,
    ECG_QT,
    ECG_RATE,
    FEV1,
    FVC,
    HBA1C,
    HEART_RATE,
    MAX_LENGTH,
    MEAN_PRESSURE,
    METRICS,
    OXIMETER_PULSE,
    PEF,
    RESPIRATORY_RATE,
    SATURATION,
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
    (SATURATION, "%", "30", "100", "88", "100"),
    (OXIMETER_PULSE, "/min", "20", "300", "40", "140"),
    (HEART_RATE, "/min", "20", "300", "40", "140"),
    (BODY_TEMPERATURE, "Cel", "25", "45", "35", "40"),
    (BODY_TEMPERATURE, "[degF]", "77", "113", "95", "104"),
    (BODY_WEIGHT, "kg", "0.3", "400", "2", "200"),
    (BODY_WEIGHT, "g", "300", "400000", "2000", "200000"),
    (BODY_HEIGHT, "cm", "25", "272", "45", "210"),
    (BODY_HEIGHT, "m", "0.25", "2.72", "0.45", "2.10"),
    (BLOOD_GLUCOSE, "mg/dL", "10", "1000", "50", "300"),
    (HBA1C, "%", "3", "20", "4", "10"),
    (HBA1C, "mmol/mol", "9", "195", None, None),
    (RESPIRATORY_RATE, "/min", "3", "80", "8", "30"),
    (FEV1, "L", "0.1", "10", None, None),
    (FVC, "L", "0.1", "10", None, None),
    (PEF, "L/min", "20", "1200", None, None),
    (ECG_RATE, "/min", "0", "1000", None, None),
    (ECG_QT, "ms", "0", "10000", None, None),
]
TINY = Decimal("0.0000000001")
PAGE = Path(__file__).parents[2] / "docs/reference/conversions.md"


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
        above = str(Decimal(usual_high) + TINY)
        assert usual_high == high or _measured(metric, above, unit).unusual
    elif metric.usual is None:
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


# Factors and rounding of each unit that is not the metric's own.
CONVERTED = [
    (BODY_TEMPERATURE, "98.6", "[degF]", "37.0"),
    (BODY_TEMPERATURE, "98.33", "[degF]", "36.8"),  # 36.85, half to even
    (BODY_TEMPERATURE, "98.51", "[degF]", "37.0"),  # 36.95, half to even
    (BODY_TEMPERATURE, "100.4", "[degF]", "38.0"),
    (BODY_WEIGHT, "3450", "g", "3.450"),
    (BODY_WEIGHT, "3450.50", "g", "3.45050"),
    (BODY_WEIGHT, "160", "[lb_av]", "72.57"),
    (BODY_HEIGHT, "1.685", "m", "168.5"),
    (BODY_HEIGHT, "1.70", "m", "170"),
    (BODY_HEIGHT, "2", "m", "200"),
    (BODY_HEIGHT, "1.6850", "m", "168.50"),
    (BODY_HEIGHT, "66", "[in_i]", "167.6"),
    (BODY_HEIGHT, "66.25", "[in_i]", "168.3"),  # 168.275
    (BLOOD_GLUCOSE, "7.80", "mmol/L", "141"),  # 140.52168; 140.4 with a factor of 18
    (BLOOD_GLUCOSE, "5.6", "mmol/L", "101"),
    (HBA1C, "48", "mmol/mol", "6.5"),
    (HBA1C, "53", "mmol/mol", "7.0"),
    (HBA1C, "42", "mmol/mol", "6.0"),
]


@pytest.mark.parametrize(("metric", "value", "unit", "normal"), CONVERTED)
def test_another_unit_is_converted_as_its_row_says(metric: Metric, value: str, unit: str, normal: str) -> None:
    """A point that is shifted keeps the digits; any other factor rounds; what was sent stays beside it."""
    found = _measured(metric, value, unit)
    assert (found.value, found.unit, found.normal) == (value, unit, normal)


def test_every_conversion_has_its_example() -> None:
    """No unit is taken without a figure that says what becomes of it."""
    rows = {(metric.name, unit) for metric in METRICS.values() for unit in metric.conversions}
    pressures = {(name, "kPa") for name in ("systolic", "diastolic", "mean_pressure")}
    assert rows - pressures == {(metric.name, unit) for metric, _, unit, _ in CONVERTED}


def _row(metric: Metric, unit: str, conversion: Conversion, value: str) -> str:
    add = f" {'-' if conversion.plus < 0 else '+'} {abs(conversion.plus)}" if conversion.plus else ""
    steps = f"x {conversion.factor:f}{add}"
    cells = [
        f"`{metric.name}`",
        f"`{unit}`",
        f"`{metric.unit}`",
        steps if conversion.by == 1 else f"({steps}) / {conversion.by}",
        "digits kept" if conversion.places is None else str(conversion.places),
        f"{value} becomes {metric.normal(Decimal(value), unit):f}",
    ]
    return f"| {' | '.join(cells)} |"


def test_the_page_of_conversions_says_what_the_rows_do() -> None:
    """Each conversion has its line in the reference, with its factor, its rounding and a true example."""
    page = PAGE.read_text("utf-8").splitlines()
    told = [line for line in page if line.startswith("| `")]
    values = [line.split("|")[6].split(" becomes ")[0].strip() for line in told]
    rows = [(m, u, c) for m in METRICS.values() for u, c in m.conversions.items()]
    assert told == [_row(*row, value) for row, value in zip(rows, values, strict=True)]


def test_a_unit_with_limits_of_its_own_is_held_against_those() -> None:
    """9 mmol/mol is 2.97532 %, below what is possible in %, and the contract takes it; 195.1 it does not take."""
    assert HBA1C.exact(Decimal(9), "mmol/mol") == Decimal("2.97532")
    assert _refused(HBA1C, "9", "mmol/mol") is None
    assert _refused(HBA1C, "2.97532", "%") == (Reason.VALUE_IMPOSSIBLE, "/value")
    assert HBA1C.exact(Decimal("195.09"), "mmol/mol") < 20
    assert _refused(HBA1C, "195.09", "mmol/mol") == (Reason.VALUE_IMPOSSIBLE, "/value")


@given(st.decimals("77", "113", places=18))
def test_a_temperature_is_rounded_once(fahrenheit: Decimal) -> None:
    """A ninth has no end: cutting it at 28 digits never moves the tenth that it is rounded to."""
    tenths = Fraction(fahrenheit - 32) * 50 / 9
    assert Fraction(BODY_TEMPERATURE.normal(fahrenheit, "[degF]")) * 10 == round(tenths)


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
    rows = [row for row in vars(metrics).values() if isinstance(row, Metric)]
    assert list(METRICS.values()) == rows
    for name, metric in METRICS.items():
        assert metric.name == name
        assert metric.possible
        assert metric.possible[0] < metric.possible[1]
        assert not metric.usual or metric.possible[0] <= metric.usual[0] < metric.usual[1] <= metric.possible[1]
