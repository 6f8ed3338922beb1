"""The rules of mapping that no single message shows."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_export.mapping import device_resource, entered_in_error, patient_resource, resources
from fhir_export.model import Body, Deployment, Resource, encode
from fhir_export.structure import validated
from ingest.clock import SECOND, parse
from ingest.model import DeviceStatus, Key, Measurement, Reading, TimeMark, Timing
from registry.model import Attributed, Device, Identifier, Identity, Patient

DEPLOYMENT = Deployment("2.999.1")
TAKEN = "2026-11-21T08:30:00+04:00"
DEVICE = Device("bp7-0001", DeviceStatus.ACTIVE, eui64="FE-ED-AB-EE-DE-AD-77-C3", method="cuff")
PATIENT = Patient("p1", "EXEMPLE-FICTIF", ("Alpha",), "1980-01-01", "female")
READING = Reading(
    key=Key("bp7-0001", "0" * 32, 1),
    kind="blood_pressure",
    clock=0,
    timing=Timing(TAKEN, parse(TAKEN), TimeMark.DEVICE),
    measurements=(
        Measurement("systolic", "128", "mm[Hg]", "128"),
        Measurement("diastolic", "82", "mm[Hg]", "82"),
        Measurement("cuff_pulse", "71", "/min", "71"),
    ),
)
ATTRIBUTED = Attributed(READING, parse(TAKEN), "p1", DEVICE, bytes(32))


def observations(attributed: Attributed) -> tuple[Resource, ...]:
    """Map and give the vital signs: blood pressure, then pulse."""
    return tuple(made for made in resources(attributed, DEPLOYMENT) if "profile" in made.body["meta"])


def pressure(attributed: Attributed) -> Body:
    """Map and give the blood pressure."""
    return observations(attributed)[0].body


def shifted(offset: int) -> Attributed:
    """Give the reading under a corrected clock, `offset` in microseconds."""
    timing = Timing(TAKEN, parse(TAKEN) + offset, TimeMark.CORRECTED, offset, 0)
    return replace(ATTRIBUTED, reading=replace(READING, timing=timing))


@pytest.mark.parametrize(
    ("offset", "words"),
    [
        (13_200 * SECOND, "+3 h 40 min 00 s : horloge de l'appareil non synchronisée [clock_offset_s=13200]"),
        (-121 * SECOND, "-0 h 02 min 01 s : horloge de l'appareil non synchronisée [clock_offset_s=-121]"),
        (-7_200_400_000, "-2 h 00 min 00 s : horloge de l'appareil non synchronisée [clock_offset_s=-7200]"),
        (129_600_500_000, "+36 h 00 min 01 s : horloge de l'appareil non synchronisée [clock_offset_s=129601]"),
    ],
)
def test_a_corrected_time_is_disclosed(offset: int, words: str) -> None:
    """The note tells the shift in both directions, to the second."""
    body = pressure(shifted(offset))
    assert body["note"] == [{"text": f"Heure corrigée de {words}"}]
    assert body["_effectiveDateTime"]["extension"][0]["valueString"] == TAKEN


@given(st.integers(-400 * 86_400, 400 * 86_400).map(lambda seconds: seconds * SECOND) | st.integers(-(10**13), 10**13))
def test_note_and_time_tell_the_same_shift(offset: int) -> None:
    """The corrected time differs from the device's by the seconds that the note names."""
    body = pressure(shifted(offset))
    seconds = int(body["note"][0]["text"].split("clock_offset_s=")[1].rstrip("]"))
    assert parse(body["effectiveDateTime"]) - parse(TAKEN) == seconds * SECOND


def test_a_clock_that_was_not_corrected_says_nothing() -> None:
    """A time that was kept has no note and no original text beside it."""
    assert not {"note", "_effectiveDateTime"} & pressure(ATTRIBUTED).keys()


def test_a_retraction_differs_in_its_status_only() -> None:
    """The resource taken back has the same bytes but for the status; the one in hand is not changed."""
    made = observations(ATTRIBUTED)[0]
    before = encode(made)
    taken_back = entered_in_error(made.body)
    assert encode(replace(made, body=taken_back)) == before.replace(b'"final"', b'"entered-in-error"')
    assert encode(made) == before


@pytest.mark.parametrize("attribution", [2, 3, 10_000])
def test_another_attribution_has_another_id(attribution: int) -> None:
    """From the second on, id and identifier end in the attribution's number, and still fit FHIR."""
    again = observations(replace(ATTRIBUTED, attribution=attribution))
    first = observations(ATTRIBUTED)
    assert [made.id for made in again] == [f"{made.id}-{attribution}" for made in first]
    assert all(made.body["identifier"][0]["value"] == made.id for made in again)
    assert all(len(made.id) <= 64 for made in again)


def test_the_same_reading_gives_the_same_bytes() -> None:
    """Mapping twice gives equal bytes: retries and second exporters write the same resource."""
    once, twice = resources(ATTRIBUTED, DEPLOYMENT), resources(ATTRIBUTED, DEPLOYMENT)
    assert [encode(made) for made in once] == [encode(made) for made in twice]


@pytest.mark.parametrize(
    ("status", "word"),
    [(DeviceStatus.ACTIVE, "active"), (DeviceStatus.REVOKED, "inactive"), (DeviceStatus.UNKNOWN, "unknown")],
)
def test_a_device_says_whether_it_is_in_use(status: DeviceStatus, word: str) -> None:
    """A revoked device is inactive."""
    assert device_resource(replace(DEVICE, status=status), DEPLOYMENT).body["status"] == word


def test_several_kinds_give_several_specializations() -> None:
    """A device of two kinds lists both, each once; one whose kinds we have no code for is generic."""
    two = Identity("Acme", "Kit", kinds=("ecg", "blood_pressure", "ecg"))
    other = Identity("Acme", "Kit", kinds=("dynamometer",))
    found = [
        [entry["systemType"]["coding"][0]["code"] for entry in device.body["specialization"]]
        for device in (device_resource(replace(DEVICE, identity=told), DEPLOYMENT) for told in (two, other))
    ]
    assert found == [["528390", "528391"], ["528457"]]


def test_nothing_is_made_up_for_a_plain_device() -> None:
    """A device that told nothing has its own id, its state, and no more."""
    body = device_resource(Device("belt_1", DeviceStatus.ACTIVE), DEPLOYMENT).body
    assert body.keys() == {"resourceType", "id", "meta", "identifier", "status"}
    assert body["identifier"] == [{"system": "urn:oid:2.999.1.2", "value": "belt_1"}]


@pytest.mark.parametrize("branch", ["2", "8", "9", "10", "11", "13", "14"])
@pytest.mark.parametrize("scheme", ["urn:oid:", "URN:OID:", " urn:oid:"])
def test_no_national_number_leaves(scheme: str, branch: str) -> None:
    """INS and billing numbers stay here, however their system is spelled; our own number goes instead."""
    number = Identifier(f"{scheme}1.2.250.1.213.1.4.{branch}", "280019741199930")
    made = patient_resource(replace(PATIENT, identifiers=(number,)), DEPLOYMENT)
    assert b"280019741199930" not in encode(made)
    assert [(n["system"], n["value"]) for n in made.body["identifier"]] == [("urn:oid:2.999.1.4", "p1")]


def test_local_numbers_leave_as_internal_identifiers() -> None:
    """Local numbers of any system leave as PI with the display that FR Core's slice is entered by."""
    numbers = (
        Identifier("urn:oid:2.999.1.4", "1"),
        Identifier("urn:oid:1.2.250.1.213.1.4.8", "280019741199930"),
        Identifier("urn:oid:2.999.7", "2"),
    )
    made = validated(patient_resource(replace(PATIENT, identifiers=numbers), DEPLOYMENT))
    assert [number["value"] for number in made.body["identifier"]] == ["1", "2"]
    for number in made.body["identifier"]:
        assert number["use"] == "usual"
        assert number["type"]["coding"][0]["code"] == "PI"
        assert number["type"]["coding"][0]["display"] == "Patient internal identifier"


def test_a_patient_without_given_name_has_no_empty_list() -> None:
    """FHIR has no empty lists: a name without given name leaves them out."""
    made = validated(patient_resource(replace(PATIENT, given=()), DEPLOYMENT))
    assert made.body["name"] == [{"use": "official", "family": "EXEMPLE-FICTIF"}]
    assert "security" not in made.body["meta"]
