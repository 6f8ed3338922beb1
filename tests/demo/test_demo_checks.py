"""The checks: each holds for a morning without fault, and fails for the fault it is there for."""

import base64
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from app.demo import asked
from app.demo.becomes import difference
from app.demo.checks import Facts, findings
from app.demo.contents import Sent
from app.demo.ecg_check import _recorded, compare
from app.demo.evidence import Account, Made
from simulators.devices.contents import Claim
from simulators.devices.ecg_cart import RECORDING

BP, WRONG, ECG, EYE = "a" * 32, "b" * 32, "c" * 32, "e" * 32
AT = datetime(2026, 11, 21, 8, 30, tzinfo=UTC)
HTEST = {"security": [{"code": "HTEST"}]}
VALUES = {"systolic": Decimal(120), "diastolic": Decimal(80), "mean": Decimal(95), "pulse": Decimal(70)}
UNITS = {"systolic": "mm[Hg]", "diastolic": "mm[Hg]", "mean": "mm[Hg]", "pulse": "/min"}
LOINC = {"systolic": "8480-6", "diastolic": "8462-4", "mean": "8478-0", "pulse": "8867-4", "qt": "8634-8"}
PICTURE = b"a picture"
CLAIM = Claim(hashlib.sha256(PICTURE).hexdigest(), len(PICTURE))


def resource(type_: str, reading: str, slug: str, **particular: object) -> dict[str, Any]:
    """A resource made of a reading of patient p."""
    known = {"resourceType": type_, "id": f"{reading}-{slug}", "meta": HTEST}
    return known | {"subject": {"reference": "Patient/p"}} | particular


def observation(reading: str, slug: str, **particular: object) -> dict[str, Any]:
    """An Observation made of a reading."""
    code = {"coding": [{"system": "http://loinc.org", "code": "11524-6" if slug == "ecg" else "85354-9"}]}
    return resource("Observation", reading, slug, **({"status": "final", "code": code} | particular))


def number(name: str, value: Decimal, unit: str) -> dict[str, Any]:
    """A quantity with its code."""
    return {"code": {"coding": [{"code": LOINC[name]}]}, "valueQuantity": {"value": value, "code": unit}}


def provenance(*targets: Mapping[str, Any]) -> dict[str, Any]:
    """Where resources come from."""
    reading = targets[0]["id"][:32]
    named = [{"reference": f"{one['resourceType']}/{one['id']}"} for one in targets]
    return {"resourceType": "Provenance", "id": f"{reading}-provenance", "meta": HTEST, "target": named}


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
    BP, "blood-pressure", component=[number(name, VALUES[name], "mm[Hg]") for name in ("systolic", "diastolic", "mean")]
)
RATE = observation(BP, "heart-rate", **number("pulse", VALUES["pulse"], "/min"))
TRACING = tracing()
SAMPLES: str = TRACING["component"][0]["valueSampledData"]["data"]
INTERVALS = observation(ECG, "ecg-intervals", component=[number("qt", Decimal(368), "ms")])
ECG_RATE = observation(ECG, "heart-rate", **number("pulse", Decimal(61), "/min"))
ECG_REPORT = resource("DiagnosticReport", ECG, "ecg-report")
MEDIA = resource(
    "Media", EYE, "fundus", status="completed",
    bodySite={"coding": [{"code": "723299002"}]}, view={"coding": [{"code": "111900"}]},
    content={"contentType": "image/jpeg", "url": f"Binary/{EYE}-fundus-data"},
)  # fmt: skip
BINARY = {
    "resourceType": "Binary", "id": f"{EYE}-fundus-data", "meta": HTEST, "contentType": "image/jpeg",
    "data": base64.b64encode(PICTURE).decode(),
}  # fmt: skip
EYE_REPORT = resource("DiagnosticReport", EYE, "fundus-report")
OF_BP, OF_ECG, OF_EYE = [PRESSURE, RATE], [TRACING, INTERVALS, ECG_RATE, ECG_REPORT], [MEDIA, BINARY, EYE_REPORT]
RECORD = [one for group in (OF_BP, OF_ECG, OF_EYE) for one in (*group, provenance(*group))]
PATIENT, GATEWAY = {"resourceType": "Patient", "id": "p", "meta": HTEST}, {"resourceType": "Device", "id": "g-gateway"}
SEEN, PICTURES = ("p", "Observation"), ("p", "Media")


def bundle(*resources: Mapping[str, Any]) -> bytes:
    """A searchset as it comes over the line."""
    whole = {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": one} for one in resources]}
    return _json(whole).encode()


def _json(value: object) -> str:
    import simplejson

    return simplejson.dumps(value, use_decimal=True)


GOOD = Made(0, "blood_pressure", AT, VALUES, UNITS)
HEART = Made(0, "ecg", AT, {"heart_rate": Decimal(61), "qt": Decimal(368)}, {"heart_rate": "/min", "qt": "ms"})
TRENDS = {
    "systolic": 120.0, "diastolic": 80.0, "mean_pressure": 95.0, "cuff_pulse": 70.0,
    "ecg_heart_rate": 61.0, "ecg_qt": 368.0,
}  # fmt: skip
PHOTOGRAPH = Made(0, "retinography", AT, {}, {}, CLAIM, "left", "macula")


def morning() -> Facts:
    """A meter with one good reading and one in a wrong unit, a cart with one recording, a camera; all went well."""
    wrong = Made(1, "blood_pressure", AT, VALUES, UNITS | {"systolic": "furlong"})
    meter = Account("meter", {BP: GOOD, WRONG: wrong}, frozenset({BP}), {WRONG: "unit.not_allowed"}, frozenset({BP}), 0)
    cart, camera = (
        Account(name, {reading: made}, frozenset({reading}), {}, frozenset({reading}), 0)
        for name, reading, made in (("cart", ECG, HEART), ("camera", EYE, PHOTOGRAPH))
    )
    record = [*RECORD, PATIENT, GATEWAY]
    told = asked.Told(
        readings=[{"reading": reading, "patient": "p"} for reading in (BP, ECG, EYE)],
        quarantine=[{"device": "meter", "reason": "unit.not_allowed"}],
        deliveries=[], gaps=[],
        balance={"received": 4, "stored": 3, "duplicate": 0, "quarantined": 1, "dismissed": 0, "pending": 0,
                 "balanced": True},
        verify={"rows": 9, "blobs": 1, "faults": []},
        pulled={SEEN: bundle(PRESSURE, RATE, TRACING), PICTURES: bundle(MEDIA)},
        files={f"Binary/{EYE}-fundus-data": PICTURE},
        trends={("p", metric): [value] for metric, value in TRENDS.items()},
        record=record,
        held=b"",
        sent=[{"type": one["resourceType"], "id": one["id"], "puts": 2, "versions": 1} for one in record],
        record_faults={"cut": 1},
    )  # fmt: skip
    return Facts([meter, cart, camera], told, dict.fromkeys((BP, WRONG, ECG, EYE), "p"), Sent(3, 10, 1, 1))


def told(facts: Facts, **changed: object) -> Facts:
    """The same with other answers."""
    return replace(facts, told=replace(facts.told, **changed))  # type: ignore[arg-type]  # the names are Told's own


def pulled(facts: Facts, *resources: Mapping[str, Any], of: tuple[str, str] = SEEN) -> Facts:
    """The same with another bundle."""
    return told(facts, pulled={**facts.told.pulled, of: bundle(*resources)})


def trending(facts: Facts, **changed: list[float]) -> Facts:
    """The same with other trends; one without a value is not there."""
    trends = {**facts.told.trends, **{("p", metric): values for metric, values in changed.items()}}
    return told(facts, trends={key: values for key, values in trends.items() if values})


def lacking(facts: Facts, gone: Mapping[str, Any]) -> Facts:
    """The same with a resource less in the record."""
    return told(facts, record=[one for one in facts.told.record if one is not gone])


def account(facts: Facts, **changed: object) -> Facts:
    """The same with another account of the meter."""
    meter, *others = facts.accounts
    return replace(facts, accounts=[replace(meter, **changed), *others])  # type: ignore[arg-type]  # as above


def failing(facts: Facts) -> list[int]:
    """Which checks fail, by their place."""
    return [place for place, found in enumerate(findings(facts)) if found.problem is not None]


(RECEIPTS, LEDGER, BALANCE, VERIFY, WRONG_UNITS, IN_RECORD, TOLD, CONFIRMED, SETTLED, TRENDING, TRACED, FILES,
 PARTS, MARKED, VALID) = range(15)  # fmt: skip


def test_a_good_morning_passes() -> None:
    """Every check holds when nothing went wrong, and says so in a line."""
    found = findings(morning())
    assert [one.problem for one in found] == [None] * 15
    assert found[0].line == "ok      4 readings made = 3 stored + 1 quarantined, each with its receipt"


def _swapped(pressures: Mapping[str, Any]) -> dict[str, Any]:
    """The pressures with another mean."""
    *kept, _ = pressures["component"]
    return {**pressures, "component": [*kept, number("mean", Decimal(96), "mm[Hg]")]}


FAULTS: dict[str, tuple[int, Callable[[Facts], Facts]]] = {
    "no receipt": (RECEIPTS, lambda f: account(f, made={**f.accounts[0].made, "d" * 32: GOOD})),
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
    "record lacks one": (IN_RECORD, lambda f: told(f, record=[o for o in f.told.record if ECG not in o["id"]])),
    "record lacks the pulse": (IN_RECORD, lambda f: lacking(f, RATE)),
    "record has another value": (
        IN_RECORD, lambda f: told(f, record=[_swapped(PRESSURE), *(o for o in f.told.record if o is not PRESSURE)])
    ),
    "two contents": (IN_RECORD, lambda f: told(f, sent=[{**one, "versions": 2} for one in f.told.sent])),
    "another patient": (IN_RECORD, lambda f: replace(f, whose={**f.whose, EYE: "q"})),
    "no provenance": (TOLD, lambda f: lacking(f, next(o for o in RECORD if o["id"] == f"{EYE}-provenance"))),
    "not told": (CONFIRMED, lambda f: account(f, in_record=frozenset())),
    "delivery waits": (SETTLED, lambda f: told(f, deliveries=[{}])),
    "gap": (SETTLED, lambda f: told(f, gaps=[{}])),
    "no patient": (
        SETTLED, lambda f: told(f, readings=[{**one, "patient": None} for one in f.told.readings])
    ),
    "trend is absent": (TRENDING, lambda f: trending(f, ecg_qt=[])),
    "trend has another value": (TRENDING, lambda f: trending(f, systolic=[121.0])),
    "trend has a value twice": (TRENDING, lambda f: trending(f, systolic=[120.0, 120.0])),
    "trend of nobody": (TRENDING, lambda f: told(f, trends={**f.told.trends, ("q", "systolic"): [120.0]})),
    "no ECG": (TRACED, lambda f: pulled(f, PRESSURE)),
    "no photograph": (FILES, lambda f: pulled(f, of=PICTURES)),
    "other bytes": (FILES, lambda f: told(f, files=dict.fromkeys(f.told.files, b"another picture"))),
    "other eye": (FILES, lambda f: pulled(f, {**MEDIA, "bodySite": {"coding": [{"code": "723298005"}]}}, of=PICTURES)),
    "other field": (FILES, lambda f: pulled(f, {**MEDIA, "view": {"coding": [{"code": "111901"}]}}, of=PICTURES)),
    "no eye": (FILES, lambda f: pulled(f, {n: v for n, v in MEDIA.items() if n != "bodySite"}, of=PICTURES)),
    "too many bytes": (PARTS, lambda f: replace(f, sent=Sent(3, 12, 1, 1))),
    "too few bytes": (PARTS, lambda f: replace(f, sent=Sent(3, 8, 1, 1))),
    "nothing lost": (PARTS, lambda f: replace(f, sent=Sent(3, 10, 0, 1))),
    "nothing twice": (PARTS, lambda f: replace(f, sent=Sent(3, 10, 1, 0))),
    "not marked": (MARKED, lambda f: pulled(f, {**PRESSURE, "meta": {}}, RATE, TRACING)),
    "not marked in the record": (MARKED, lambda f: told(f, record=[*f.told.record, {**PATIENT, "meta": {}}])),
    "not FHIR": (VALID, lambda f: pulled(f, {**PRESSURE, "valueOften": 1}, RATE, TRACING)),
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


def _with_component(**changed: Decimal | str) -> dict[str, Any]:
    """The pressures with another first component."""
    name, value, unit = changed.get("name", "systolic"), changed.get("value", 120), changed.get("unit", "mm[Hg]")
    _, *others = PRESSURE["component"]
    return {**PRESSURE, "component": [number(str(name), Decimal(value), str(unit)), *others]}


@pytest.mark.parametrize(
    ("resources", "problem"),
    [
        ([*OF_BP, provenance(*OF_BP)], None),
        ([PRESSURE, provenance(PRESSURE)], "other resources"),
        ([*OF_BP, observation(BP, "body-weight"), provenance(*OF_BP)], "other resources"),
        (OF_BP, "other resources"),
        ([_with_component(value=Decimal(121)), RATE, provenance(*OF_BP)], "other values"),
        ([_with_component(unit="kPa"), RATE, provenance(*OF_BP)], "other values"),
        ([_with_component(name="qt"), RATE, provenance(*OF_BP)], "other values"),
        ([PRESSURE, {**RATE, "subject": {"reference": "Patient/q"}}, provenance(*OF_BP)], "another patient"),
        ([*OF_BP, provenance(PRESSURE)], "another provenance"),
    ],
)
def test_what_a_reading_becomes_is_held_against_its_device(
    resources: list[Mapping[str, Any]], problem: str | None
) -> None:
    """A resource more or less, another number, unit or name of one, another patient, and a target less are found."""
    assert difference(GOOD, "p", resources) == problem


def test_a_file_in_the_record_is_held_against_its_hash() -> None:
    """A Binary with other bytes than the device named is found."""
    other = {**BINARY, "data": base64.b64encode(b"another picture").decode()}
    assert difference(PHOTOGRAPH, "p", [*OF_EYE, provenance(*OF_EYE)]) is None
    assert difference(PHOTOGRAPH, "p", [MEDIA, other, EYE_REPORT, provenance(*OF_EYE)]) == "another file"


def test_what_was_told_to_an_absent_device_is_no_fault_and_is_said() -> None:
    """A device whose line was cut may have missed that its reading is in the record; the line counts it."""
    spoiled = replace(account(morning(), in_record=frozenset()), cut=frozenset({"meter"}))
    assert failing(spoiled) == []
    assert "(1 while off the network)" in findings(spoiled)[CONFIRMED].line


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
