"""The checks: each holds for a morning without fault, and fails for the fault it is there for."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from app.demo import asked
from app.demo.checks import Facts, findings
from app.demo.ecg_check import _recorded, compare
from app.demo.evidence import Account, Made
from simulators.devices.ecg_cart import RECORDING

BP, WRONG, ECG = "a" * 32, "b" * 32, "c" * 32
AT = datetime(2026, 11, 21, 8, 30, tzinfo=UTC)
HTEST = {"security": [{"code": "HTEST"}]}
VALUES = {"systolic": Decimal(120), "diastolic": Decimal(80), "mean": Decimal(95), "pulse": Decimal(70)}
UNITS = {"systolic": "mm[Hg]", "diastolic": "mm[Hg]", "mean": "mm[Hg]", "pulse": "/min"}


def observation(reading: str, slug: str, **particular: object) -> dict[str, Any]:
    """An Observation made of a reading."""
    code = {"coding": [{"system": "http://loinc.org", "code": "11524-6" if slug == "ecg" else "85354-9"}]}
    known = {"resourceType": "Observation", "id": f"{reading}-{slug}", "meta": HTEST, "status": "final", "code": code}
    return known | particular


def tracing() -> dict[str, Any]:
    """The recording as a tracing."""
    component = [
        {
            "code": {"coding": [{"system": "urn:iso:std:iso:11073:10101", "code": lead.code}], "text": lead.name},
            "valueSampledData": {
                "origin": {"value": 0, "code": "uV"}, "period": 1, "factor": Decimal("1.25"), "dimensions": 1,
                "data": " ".join(map(str, lead.samples)),
            },
        }
        for lead in _recorded(RECORDING).values()
    ]  # fmt: skip
    return observation(ECG, "ecg", component=component)


PRESSURE = observation(
    BP, "blood-pressure",
    component=[{"code": {"text": n}, "valueQuantity": {"value": VALUES[n]}} for n in ("systolic", "diastolic", "mean")],
)  # fmt: skip
RATE = observation(BP, "heart-rate", valueQuantity={"value": VALUES["pulse"]})
TRACING = tracing()
SAMPLES: str = TRACING["component"][0]["valueSampledData"]["data"]


def bundle(*resources: Mapping[str, Any]) -> bytes:
    """A searchset as it comes over the line."""
    whole = {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": one} for one in resources]}
    return _json(whole).encode()


def _json(value: object) -> str:
    import simplejson

    return simplejson.dumps(value, use_decimal=True)


def morning() -> Facts:
    """A meter with one good reading and one in a wrong unit, a cart with one recording; all went well."""
    good = Made(0, "blood_pressure", AT, VALUES, UNITS)
    wrong = Made(1, "blood_pressure", AT, VALUES, UNITS | {"systolic": "furlong"})
    meter = Account("meter", {BP: good, WRONG: wrong}, frozenset({BP}), {WRONG: "unit.not_allowed"}, frozenset({BP}), 0)
    cart = Account("cart", {ECG: Made(0, "ecg", AT, {}, {})}, frozenset({ECG}), {}, frozenset({ECG}), 0)
    record = [PRESSURE, RATE, TRACING, {"resourceType": "Patient", "id": "p", "meta": HTEST}]
    told = asked.Told(
        readings=[{"reading": BP, "patient": "p"}, {"reading": ECG, "patient": "p"}],
        quarantine=[{"device": "meter", "reason": "unit.not_allowed"}],
        deliveries=[], gaps=[],
        balance={"received": 3, "stored": 2, "duplicate": 0, "quarantined": 1, "dismissed": 0, "pending": 0,
                 "balanced": True},
        verify={"rows": 9, "blobs": 0, "faults": []},
        pulled={"p": bundle(PRESSURE, RATE, TRACING)},
        record=record,
        held=b"",
        sent=[{"type": one["resourceType"], "id": one["id"], "puts": 2, "versions": 1} for one in record],
        record_faults={"cut": 1},
    )  # fmt: skip
    return Facts([meter, cart], told)


def told(facts: Facts, **changed: object) -> Facts:
    """The same with other answers."""
    return replace(facts, told=replace(facts.told, **changed))  # type: ignore[arg-type]  # the names are Told's own


def account(facts: Facts, **changed: object) -> Facts:
    """The same with another account of the meter."""
    meter, cart = facts.accounts
    return replace(facts, accounts=[replace(meter, **changed), cart])  # type: ignore[arg-type]  # as above


def failing(facts: Facts) -> list[int]:
    """Which checks fail, by their place."""
    return [place for place, found in enumerate(findings(facts)) if found.problem is not None]


RECEIPTS, LEDGER, BALANCE, VERIFY, WRONG_UNITS, IN_RECORD, CONFIRMED, SETTLED, TRACED, MARKED, VALID = range(11)


def test_a_good_morning_passes() -> None:
    """Every check holds when nothing went wrong, and says so in a line."""
    found = findings(morning())
    assert [one.problem for one in found] == [None] * 11
    assert found[0].line == "ok      3 readings made = 2 stored + 1 quarantined, each with its receipt"


def _swapped(resource: Mapping[str, Any]) -> dict[str, Any]:
    """The pressures with another mean."""
    *kept, _ = resource["component"]
    return {**resource, "component": [*kept, {"code": {}, "valueQuantity": {"value": Decimal(96)}}]}


FAULTS: dict[str, tuple[int, Callable[[Facts], Facts]]] = {
    "no receipt": (RECEIPTS, lambda f: account(f, made={**f.accounts[0].made, "d" * 32: f.accounts[0].made[BP]})),
    "two verdicts": (RECEIPTS, lambda f: account(f, quarantined={WRONG: "unit.not_allowed", BP: "key.conflict"})),
    "ledger lost one": (LEDGER, lambda f: told(f, readings=f.told.readings[:1])),
    "ledger has a stranger": (LEDGER, lambda f: told(f, readings=[*f.told.readings, {"reading": "d", "patient": "p"}])),
    "quarantine is empty": (LEDGER, lambda f: told(f, quarantine=[])),
    "out of balance": (BALANCE, lambda f: told(f, balance={**f.told.balance, "balanced": False})),
    "rows changed": (VERIFY, lambda f: told(f, verify={**f.told.verify, "faults": [{}]})),
    "wrong unit taken": (WRONG_UNITS, lambda f: account(f, quarantined={WRONG: "value.impossible"})),
    "right unit set aside": (WRONG_UNITS, lambda f: account(f, quarantined={WRONG: "unit.not_allowed", BP: "key.x"})),
    "wrong unit in the record": (
        WRONG_UNITS, lambda f: told(f, record=[*f.told.record, observation(WRONG, "blood-pressure")])
    ),
    "record lacks one": (IN_RECORD, lambda f: told(f, record=[one for one in f.told.record if one is not TRACING])),
    "record lacks the pulse": (IN_RECORD, lambda f: told(f, record=[one for one in f.told.record if one is not RATE])),
    "record has another value": (
        IN_RECORD, lambda f: told(f, record=[_swapped(PRESSURE), *(o for o in f.told.record if o is not PRESSURE)])
    ),
    "two contents": (IN_RECORD, lambda f: told(f, sent=[{**one, "versions": 2} for one in f.told.sent])),
    "not told": (CONFIRMED, lambda f: account(f, in_record=frozenset())),
    "delivery waits": (SETTLED, lambda f: told(f, deliveries=[{}])),
    "gap": (SETTLED, lambda f: told(f, gaps=[{}])),
    "no patient": (
        SETTLED, lambda f: told(f, readings=[{"reading": BP, "patient": None}, {"reading": ECG, "patient": "p"}])
    ),
    "no ECG": (TRACED, lambda f: told(f, pulled={"p": bundle(PRESSURE)})),
    "not marked": (MARKED, lambda f: told(f, pulled={"p": bundle({**PRESSURE, "meta": {}}, RATE, TRACING)})),
    "not FHIR": (VALID, lambda f: told(f, pulled={"p": bundle({**PRESSURE, "valueOften": 1}, RATE, TRACING)})),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found(name: str) -> None:
    """The check that is there for a fault fails with it, and its line says what to do."""
    place, spoil = FAULTS[name]
    spoiled = spoil(morning())
    assert place in failing(spoiled)
    line = findings(spoiled)[place].line
    assert line.startswith("NOT ok  ")
    assert line.endswith(".")


def test_what_was_told_to_an_absent_device_is_no_fault_and_is_said() -> None:
    """A device whose line was cut may have missed that its reading is in the record; the line counts it."""
    spoiled = replace(account(morning(), in_record=frozenset()), cut=frozenset({"meter"}))
    assert failing(spoiled) == []
    assert "(1 while it was off the network" in findings(spoiled)[CONFIRMED].line


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"factor": Decimal("1.26")}, "another factor"),
        ({"period": 2}, "another period_ms"),
        ({"origin": {"value": 1, "code": "uV"}}, "another origin"),
        ({"data": SAMPLES + "7"}, "other samples"),
        ({"data": "E " + SAMPLES.partition(" ")[2]}, "other samples"),
    ],
)
def test_another_ecg_is_found(changed: Mapping[str, object], problem: str) -> None:
    """One other sample, factor, period or origin in one lead is a difference."""
    assert compare([TRACING]) == (120_000, None)
    first, *others = TRACING["component"]
    spoiled = {**first, "valueSampledData": {**first["valueSampledData"], **changed}}
    assert compare([{**TRACING, "component": [spoiled, *others]}])[1] == f"lead I: {problem}"


def test_a_lead_under_another_name_is_found() -> None:
    """A lead whose code is right and whose name is another's is a difference: people read the name."""
    first, *others = TRACING["component"]
    spoiled = {**first, "code": {**first["code"], "text": "II"}}
    assert compare([{**TRACING, "component": [spoiled, *others]}])[1] == "lead I: another name"


def test_a_lead_left_out_is_found() -> None:
    """Eleven leads are not the recording."""
    assert compare([{**TRACING, "component": TRACING["component"][:-1]}])[1] is not None
