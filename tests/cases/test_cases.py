"""One message followed from left to right: what was sent, what was judged, what goes into the record.

A folder below `<kind>/` is a case. `message.json` holds the bytes a device sent; `facts.json` what was known beside it
(a case's members are laid over those of its kind). `measurements.json` is what judging makes of it, or
`rejection.json` why it was set aside. `observations.json` is what mapping makes of the judged reading, `device.json`
and `patient.json`, where they are there, what it makes of the facts. Digits and the order of members count.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fhir_export.mapping import device_resource, observations, patient_resource
from fhir_export.model import Deployment, Resource, encode
from fhir_export.profiles import MESURES, PHD_DEVICE
from fhir_export.structure import validated
from ingest.clock import parse, utc_text
from ingest.judge import judge
from ingest.metrics import METRICS
from ingest.model import (
    Channel,
    ClockFacts,
    DeviceStatus,
    Facts,
    Judged,
    Outcome,
    RawMessage,
    Reading,
    Recording,
)
from registry.model import Attributed, Device, Identifier, Identity, Patient

HERE = Path(__file__).parent
FOLDERS = sorted(path.parent for path in HERE.glob("*/*/message.json"))
DEPLOYMENT = Deployment("2.999.1")


@dataclass(frozen=True, slots=True)
class Case:
    """A folder, with its facts."""

    folder: Path
    facts: dict[str, Any]

    @property
    def device(self) -> Device:
        """The registration."""
        words = dict(self.facts["device"])
        identity = words.pop("identity")
        status = DeviceStatus(words.pop("status", "active"))
        told = Identity(**{**identity, "kinds": tuple(identity.get("kinds", ()))})
        return Device(**words, status=status, identity=told)

    @property
    def patient(self) -> Patient:
        """The person the device was assigned to."""
        words = dict(self.facts["patient"])
        numbers = tuple(Identifier(**number) for number in words.pop("identifiers"))
        return Patient(**{**words, "given": tuple(words["given"])}, identifiers=numbers)

    @property
    def judged(self) -> Judged:
        """The verdict on the message."""
        now = parse(self.facts["received_at"])
        raw = RawMessage(
            device=self.device.device,
            channel=Channel.READING,
            payload=self.folder.joinpath("message.json").read_bytes(),
            received_at=now,
            retained=self.facts.get("retained", False),
        )
        clocks = {int(epoch): ClockFacts(**known) for epoch, known in self.facts["clocks"].items()}
        return judge(raw, Facts(now=now, status=self.device.status, clocks=clocks))

    @property
    def made(self) -> tuple[Resource, ...]:
        """The Observations of the reading; none when it was set aside."""
        if (reading := self.judged.reading) is None:
            return ()
        attributed = Attributed(
            reading=reading,
            accepted_at=parse(self.facts["received_at"]),
            patient=self.patient.patient,
            device=self.device,
            attribution=self.facts.get("attribution", 1),
        )
        return observations(attributed, DEPLOYMENT)

    def has(self, name: str) -> bool:
        """True when the folder holds this file."""
        return self.folder.joinpath(name).exists()

    def text(self, name: str) -> str:
        """A file of the folder."""
        return self.folder.joinpath(name).read_text("utf-8")


def _case(folder: Path) -> Case:
    kind, own = folder.parent / "facts.json", folder / "facts.json"
    facts = json.loads(kind.read_text("utf-8"))
    return Case(folder, _laid_over(facts, json.loads(own.read_text("utf-8")) if own.exists() else {}))


def _laid_over(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = dict(under)
    for name, member in over.items():
        below = under.get(name)
        merged[name] = _laid_over(below, member) if isinstance(below, dict) and below and member else member
    return merged


def lines(text: str | bytes) -> list[str]:
    """One line a leaf, `/0/component/1/valueQuantity/value 82`: numbers as they are spelled, members in order."""
    document = json.loads(
        text,
        object_pairs_hook=lambda pairs: [("", pairs)],
        parse_int=lambda digits: ("number", digits),
        parse_float=lambda digits: ("number", digits),
    )
    return list(_leaves(document, ""))


def _leaves(node: object, at: str) -> Iterator[str]:
    match node:
        case ("number", str(digits)):
            yield f"{at} {digits}"
        case [("", list(pairs))]:
            yield f"{at} {{"
            for name, member in pairs:
                yield from _leaves(member, f"{at}/{name}")
        case list(members):
            yield f"{at} ["
            for index, member in enumerate(members):
                yield from _leaves(member, f"{at}/{index}")
        case leaf:
            yield f"{at} {json.dumps(leaf, ensure_ascii=False)}"


def judgement(reading: Reading) -> dict[str, Any]:
    """What `measurements.json` holds: digits as text; of a recording all but the samples."""
    document: dict[str, Any] = {
        "time": {"mark": reading.timing.mark, "used": utc_text(reading.timing.used)},
        "measurements": [
            {"metric": m.metric, "value": m.value, "unit": m.unit, "normal": m.normal, "unusual": m.unusual}
            for m in reading.measurements
        ],
    }
    if reading.recording is not None:
        document["recording"] = _header(reading.recording)
    return document


def _header(recording: Recording) -> dict[str, Any]:
    return {
        "sampling_hz": recording.sampling_hz,
        "unit": recording.unit,
        "step": recording.leads[0].step,
        "baseline": recording.leads[0].baseline,
        "samples": recording.samples,
        "leads": [lead.name for lead in recording.leads],
    }


@pytest.fixture(params=FOLDERS, ids=lambda folder: f"{folder.parent.name}-{folder.name}")
def case(request: pytest.FixtureRequest) -> Case:
    """Give one case after the other."""
    return _case(request.param)


def test_a_message_is_judged_as_its_folder_says(case: Case) -> None:
    """A message gives the measurements of its folder with their digits, or the reason and pointer of it."""
    judged = case.judged
    if judged.reading is not None:
        assert judged.verdict.outcome is Outcome.STORED
        assert lines(json.dumps(judgement(judged.reading))) == lines(case.text("measurements.json"))
        assert not case.has("rejection.json")
    else:
        verdict = {"reason": judged.verdict.reason, "pointer": judged.verdict.pointer}
        assert verdict == json.loads(case.text("rejection.json"))
        assert not case.has("measurements.json")


def test_a_reading_becomes_the_observations_of_its_folder(case: Case) -> None:
    """The Observations are those of the folder, in order, digit for digit; a message set aside makes none."""
    made = b"[" + b",".join(encode(resource) for resource in case.made) + b"]"
    assert lines(made) == lines(case.text("observations.json") if case.has("observations.json") else "[]")
    assert case.has("observations.json") == case.has("measurements.json")


def test_device_and_patient_become_those_of_the_folder(case: Case) -> None:
    """The registered device and the patient are mapped as the folder says, where it says so."""
    device, patient = device_resource(case.device, DEPLOYMENT), patient_resource(case.patient, DEPLOYMENT)
    for name, resource in (("device.json", device), ("patient.json", patient)):
        if case.has(name):
            assert lines(encode(resource)) == lines(case.text(name))
        assert validated(resource) is resource


def test_what_is_made_is_fhir_and_names_itself(case: Case) -> None:
    """Each Observation fits FHIR's own model, its ids fit FHIR's 64 characters and none is made twice."""
    made = case.made
    assert len({resource.id for resource in made}) == len(made)
    for resource in made:
        assert validated(resource) is resource
        assert len(resource.id) <= 64
        assert (resource.body["resourceType"], resource.body["id"]) == (resource.type, resource.id)
        assert [number["value"] for number in resource.body["identifier"]] == [resource.id]


# What no profile validator of ours notices, so that zero errors do not prove it:


def test_a_mesures_profile_is_claimed_with_a_phd_device_only(case: Case) -> None:
    """An Observation claims Mesures de santé only when its device is the PhdDevice that this profile asks for."""
    device = device_resource(case.device, DEPLOYMENT)
    phd = device.body["meta"].get("profile") == [PHD_DEVICE]
    for resource in case.made:
        assert resource.body["device"] == {"reference": device.reference}
        claims = resource.body["meta"].get("profile", ())
        assert all(phd == claim.startswith(MESURES) for claim in claims)
        assert not any("|" in claim for claim in claims)


def test_observations_of_a_reading_point_to_patient_and_device_only(case: Case) -> None:
    """No vital sign is derived from a tracing and nothing points back: subject and device are all references."""
    for resource in case.made:
        references = [line for line in lines(encode(resource)) if '/reference "' in line]
        assert [line.split(" ")[0] for line in references] == ["/subject/reference", "/device/reference"]
        assert not {"derivedFrom", "hasMember", "partOf", "basedOn"} & resource.body.keys()


def test_values_stand_in_the_unit_of_their_metric(case: Case) -> None:
    """A vital sign's value has a metric's own UCUM unit; another unit stands only in its translation."""
    units = {metric.unit for metric in METRICS.values()}
    for resource in case.made:
        values = [resource.body, *resource.body.get("component", ())]
        found = [value["valueQuantity"] for value in values if "valueQuantity" in value]
        assert {value["code"] for value in found} <= units
        assert {value["system"] for value in found} <= {"http://unitsofmeasure.org"}


def test_simulated_devices_are_marked_and_others_are_not(case: Case) -> None:
    """HTEST stands on everything made of a simulated device's readings and on nothing else, whatever is sent."""
    for resource in (*case.made, device_resource(case.device, DEPLOYMENT)):
        assert (b'"HTEST"' in encode(resource)) == case.device.simulated


def test_no_identity_and_no_finding_is_written(case: Case) -> None:
    """An Observation holds no name or number of the patient, no interpretation and no range."""
    person = case.patient
    secrets = [person.family, person.birth_date, *person.given, *(n.value for n in person.identifiers)]
    for resource in case.made:
        text = encode(resource).decode()
        assert not [secret for secret in secrets if secret in text]
        assert not {"interpretation", "referenceRange", "text"} & resource.body.keys()
