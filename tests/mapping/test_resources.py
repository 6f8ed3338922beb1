"""What a whole reading becomes, and what no validator of ours notices in it."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from fhir_export.codes import MAPPING_VERSION
from fhir_export.mapping import device_id, gateway_id, gateway_resource, resources
from fhir_export.model import Body, Resource, decode, encode
from fhir_export.structure import validated
from tests.mapping.whole import DEPLOYMENT, FOLDERS, Whole

SLUGS = {
    "blood-pressure", "heart-rate", "oxygen-saturation", "body-temperature", "body-weight", "body-height",
    "blood-glucose", "interstitial-glucose", "respiratory-rate", "fev1", "fvc", "pef", "hba1c", "ecg", "ecg-intervals",
    "ecg-report", "ecg-file", "ecg-file-data", "fundus", "fundus-data", "fundus-report", "imaging-study", "clock",
    "provenance", "retraction",
}  # fmt: skip


@pytest.fixture(params=FOLDERS, ids=lambda folder: f"{folder.parent.name}-{folder.name}")
def whole(request: pytest.FixtureRequest) -> Whole:
    """Give one folder after the other."""
    return Whole(request.param)


def references(part: Any) -> Iterator[str]:  # noqa: ANN401 - any JSON
    """Give every literal reference of a body."""
    for name, member in part.items() if isinstance(part, dict) else enumerate(part):
        if name == "reference":
            yield member
        elif isinstance(member, dict | list):
            yield from references(member)


def test_a_reading_becomes_the_resources_of_its_folder(whole: Whole) -> None:
    """All resources are those of the folder, in order, byte for byte."""
    assert [encode(made) for made in whole.made] == [encode(Resource.of(body)) for body in whole.expected()]


def test_each_resource_is_fhir_and_named_by_its_reading(whole: Whole) -> None:
    """Each fits FHIR's model; its id is reading, slug of the closed list, and number; none is made twice."""
    assert len({made.reference for made in whole.made}) == len(whole.made)
    for made in whole.made:
        assert validated(made) is made
        name = re.fullmatch(r"([0-9a-f]{32})-([a-z0-9-]+?)(-\d+)?", made.id)
        assert name is not None
        assert name[1] == whole.attributed.reading.key.reading
        assert name[2] in SLUGS
        assert (name[3] or "-1") == f"-{whole.attributed.attribution}"
        assert len(made.id) <= 64


def test_targets_come_before_referrers(whole: Whole) -> None:
    """A resource points to the patient, the device, the gateway and to what came before it: so there is no cycle."""
    there = {
        f"Patient/{whole.attributed.patient}",
        f"Device/{device_id(whole.attributed.device.device)}",
        f"Device/{gateway_id(DEPLOYMENT.gateway)}",
    }
    for made in whole.made:
        assert set(references(made.body)) <= there
        there.add(made.reference)


@pytest.mark.parametrize("simulated", [True, False])
def test_htest_follows_the_device_on_every_resource(whole: Whole, simulated: bool) -> None:  # noqa: FBT001 - a case
    """HTEST stands on everything of a simulated device, Binary and Provenance too, and on nothing of another."""
    device = replace(whole.attributed.device, simulated=simulated)
    for made in resources(replace(whole.attributed, device=device), DEPLOYMENT):
        assert (b'"HTEST"' in encode(made)) == simulated
    assert b'"HTEST"' not in encode(gateway_resource(DEPLOYMENT))


def attachments(whole: Whole) -> list[Body]:
    """Give what points to bytes."""
    found = [made.body["content"] for made in whole.made if made.type == "Media"]
    return found + [made.body["content"][0]["attachment"] for made in whole.made if made.type == "DocumentReference"]


def test_an_attachment_tells_the_bytes_it_points_to(whole: Whole) -> None:
    """Size and type are those of the blob, the hash is the base64 of its SHA-1, the Binary is made of this reading."""
    found = attachments(whole)
    assert bool(found) == (whole.content is not None)
    for attachment in found:
        assert whole.content is not None
        assert attachment["size"] == len(whole.content)
        assert attachment["hash"] == base64.b64encode(hashlib.sha1(whole.content).digest()).decode()  # noqa: S324 - R4's
        (binary,) = [made for made in whole.made if made.type == "Binary"]
        assert attachment["url"] == binary.reference
        assert attachment["contentType"] == binary.body["contentType"]
        assert binary.body["data"] == f"@sha256:{hashlib.sha256(whole.content).hexdigest()}"


def test_a_binary_is_seen_by_who_sees_what_it_belongs_to(whole: Whole) -> None:
    """The securityContext of a Binary is the resource that points to it."""
    for made in whole.made:
        if made.type == "Binary":
            (holder,) = [other for other in whole.made if f'"{made.reference}"'.encode() in encode(other)][:1]
            assert made.body["securityContext"] == {"reference": holder.reference}


def test_one_provenance_names_everything_and_the_message(whole: Whole) -> None:
    """The last resource is the only Provenance: all others are its targets, the message is named by its SHA-256."""
    *others, last = whole.made
    assert [made.type for made in whole.made].count("Provenance") == 1
    assert sorted(target["reference"] for target in last.body["target"]) == sorted(made.reference for made in others)
    named = [entity["what"]["identifier"] for entity in last.body["entity"]]
    assert named == [
        {"system": "urn:oid:2.999.1.5", "value": hashlib.sha256(whole.message).hexdigest()},
        {"system": "urn:oid:2.999.1.6", "value": f"mapping-{MAPPING_VERSION}"},
    ]


def test_nobody_is_named(whole: Whole) -> None:
    """No resource of a reading holds a name, a birth date or a number of a person, nor a conclusion."""
    person = whole.facts["patient"]
    secrets = [person["family"], person["birth_date"], person["identifiers"][0]["value"]]
    if whole.found is not None and whole.found.person is not None:
        secrets += [word for word in (whole.found.person.family, whole.found.person.given) if word]
    for made in whole.made:
        assert not [secret for secret in secrets if secret in encode(made).decode()]
        assert not {"conclusion", "conclusionCode", "interpretation", "referenceRange", "text"} & made.body.keys()


def test_a_corrected_time_is_disclosed_wherever_it_stands(whole: Whole) -> None:
    """What has a time of measurement that was corrected has the device's own beside it."""
    timing = whole.attributed.reading.timing
    for made in whole.made:
        if made.type == "Provenance" or made.id.split("-", 1)[1].startswith("clock"):
            continue
        for name in ("effectiveDateTime", "createdDateTime", "started"):
            if made.body.get(name, timing.taken_at) != timing.taken_at:
                assert made.body[f"_{name}"]["extension"][0]["valueString"] == timing.taken_at


def test_a_kept_resource_is_read_again_unchanged(whole: Whole) -> None:
    """What is kept in the feed decodes to what was built: a retraction changes nothing else."""
    for made in whole.made:
        assert encode(decode(encode(made))) == encode(made)


def test_the_folders_show_every_type() -> None:
    """Every type that can be made of a reading stands in some folder."""
    types = {made.type for folder in FOLDERS for made in Whole(folder).made}
    assert types == {
        "Observation", "DiagnosticReport", "DocumentReference", "Binary", "Media", "ImagingStudy", "Provenance",
    }  # fmt: skip
