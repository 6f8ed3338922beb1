"""One message followed from left to right: what was sent, what was judged, what goes into the record.

A folder below `<kind>/` is a case. `message.json` holds the bytes a device sent; `facts.json` what was known beside it
(a case's members are laid over those of its kind). `measurements.json` is what judging makes of it, or
`rejection.json` why it was set aside. `observations.json` holds the Observations that mapping makes of the judged
reading, `others.json`, where it is there, all else it makes of it; `device.json` and `patient.json`, where they are
there, what it makes of the facts. Digits and the order of members count.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fhir_export.mapping import device_resource, patient_resource, resources
from fhir_export.model import Deployment, Resource, encode
from fhir_export.profiles import MESURES, PHD_DEVICE
from fhir_export.structure import validated
from ingest.clock import parse, utc_text
from ingest.judge import judge
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
        """All that the reading becomes; nothing when it was set aside."""
        judged = self.judged
        if (reading := judged.reading) is None:
            return ()
        attributed = Attributed(
            reading=reading,
            accepted_at=parse(self.facts["received_at"]),
            patient=self.patient.patient,
            device=self.device,
            attribution=self.facts.get("attribution", 1),
            sha=judged.sha,
        )
        return resources(attributed, DEPLOYMENT)

    @property
    def observations(self) -> tuple[Resource, ...]:
        """The Observations among what is made."""
        return tuple(resource for resource in self.made if resource.type == "Observation")

    @property
    def vital_signs(self) -> tuple[Resource, ...]:
        """The Observations that claim a profile of vital signs."""
        return tuple(resource for resource in self.observations if "profile" in resource.body["meta"])

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


def array(made: Iterable[Resource]) -> bytes:
    """Give resources as one JSON array, each in the bytes that leave."""
    return b"[" + b",".join(encode(resource) for resource in made) + b"]"


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
        assert judged.verdict.outcome is (Outcome.STORED if judged.reading.blob is None else Outcome.PENDING)
        assert lines(json.dumps(judgement(judged.reading))) == lines(case.text("measurements.json"))
        assert not case.has("rejection.json")
    else:
        verdict = {"reason": judged.verdict.reason, "pointer": judged.verdict.pointer}
        assert verdict == json.loads(case.text("rejection.json"))
        assert not case.has("measurements.json")


def test_a_reading_becomes_the_resources_of_its_folder(case: Case) -> None:
    """The Observations are those of the folder, in order, digit for digit; a message set aside makes nothing."""
    observations = case.observations
    assert lines(array(observations)) == lines(
        case.text("observations.json") if case.has("observations.json") else "[]"
    )
    assert case.has("observations.json") == case.has("measurements.json")
    if case.has("others.json"):
        others = [resource for resource in case.made if resource not in observations]
        assert lines(array(others)) == lines(case.text("others.json"))


def test_device_and_patient_become_those_of_the_folder(case: Case) -> None:
    """The registered device and the patient are mapped as the folder says, where it says so."""
    device, patient = device_resource(case.device, DEPLOYMENT), patient_resource(case.patient, DEPLOYMENT)
    for name, resource in (("device.json", device), ("patient.json", patient)):
        if case.has(name):
            assert lines(encode(resource)) == lines(case.text(name))
        assert validated(resource) is resource


def test_what_is_made_is_fhir_and_names_itself(case: Case) -> None:
    """Each resource fits FHIR's own model, its ids fit FHIR's 64 characters and none is made twice."""
    made = case.made
    assert len({(resource.type, resource.id) for resource in made}) == len(made)
    for resource in made:
        assert validated(resource) is resource
        assert len(resource.id) <= 64
        assert (resource.body["resourceType"], resource.body["id"]) == (resource.type, resource.id)
    for resource in case.observations:
        assert [number["value"] for number in resource.body["identifier"]] == [resource.id]


# What no profile validator of ours notices, so that zero errors do not prove it:


def test_a_mesures_profile_is_claimed_with_a_phd_device_only(case: Case) -> None:
    """An Observation claims Mesures de santé only when its device is the PhdDevice that this profile asks for."""
    device = device_resource(case.device, DEPLOYMENT)
    phd = device.body["meta"].get("profile") == [PHD_DEVICE]
    for resource in case.observations:
        assert resource.body["device"] == {"reference": device.reference}
        claims = resource.body["meta"].get("profile", ())
        assert all(phd == claim.startswith(MESURES) for claim in claims)
        assert not any("|" in claim for claim in claims)


def test_vital_signs_point_to_patient_and_device_only(case: Case) -> None:
    """No vital sign is derived from a tracing: subject, device and a corrected clock are all it points to."""
    for resource in case.vital_signs:
        references = [line for line in lines(encode(resource)) if '/reference "' in line]
        others = [line for line in references if not line.startswith(("/subject/", "/device/"))]
        assert all(line.endswith('-clock"') or "-clock-" in line for line in others)
        assert not {"derivedFrom", "hasMember", "partOf", "basedOn"} & resource.body.keys()


UNITS = {
    "8480-6": "mm[Hg]", "8462-4": "mm[Hg]", "8478-0": "mm[Hg]", "8867-4": "/min", "2708-6": "%", "8310-5": "Cel",
    "29463-7": "kg", "8302-2": "cm", "2345-7": "mg/dL", "99504-3": "mg/dL", "9279-1": "/min", "20150-9": "L",
    "19868-9": "L", "19935-6": "L/min", "4548-4": "%", "8625-6": "ms", "8633-0": "ms", "8634-8": "ms", "8636-3": "ms",
}  # fmt: skip
"""The one UCUM unit of each LOINC code: what is compared over years stands in one unit."""


def test_values_stand_in_the_unit_of_their_code(case: Case) -> None:
    """A value has the unit of its code, so glucose never leaves in mmol/L; another one stands only in an extension."""
    for resource in case.observations:
        for part in (resource.body, *resource.body.get("component", ())):
            if "valueQuantity" in part:
                value = part["valueQuantity"]
                assert value["code"] == UNITS[part["code"]["coding"][0]["code"]]
                assert value["system"] == "http://unitsofmeasure.org"


def test_simulated_devices_are_marked_and_others_are_not(case: Case) -> None:
    """HTEST stands on everything made of a simulated device's readings and on nothing else, whatever is sent."""
    for resource in (*case.made, device_resource(case.device, DEPLOYMENT)):
        assert (b'"HTEST"' in encode(resource)) == case.device.simulated


def test_no_identity_and_no_finding_is_written(case: Case) -> None:
    """An Observation holds no name or number of the patient, no interpretation and no range."""
    person = case.patient
    secrets = [person.family, person.birth_date, *person.given, *(n.value for n in person.identifiers)]
    for resource in case.observations:
        text = encode(resource).decode()
        assert not [secret for secret in secrets if secret in text]
        assert not {"interpretation", "referenceRange", "text"} & resource.body.keys()
