"""Contents that came apart from their reading: what is told of them, and what is not."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest

from fhir_export.codes import EYES, FIELDS, INTERVALS, PUPILS
from fhir_export.mapping import resources
from fhir_export.model import Body
from fhir_export.structure import validated
from ingest.content.found import Found
from ingest.kinds import retinography
from ingest.metrics import METRICS
from ingest.model import Image, Recording
from registry.model import Attributed
from tests.mapping.whole import CASES, DEPLOYMENT, Whole

PHOTOGRAPH = Whole(CASES / "retinography/photograph").attributed
DICOM = Whole(CASES / "retinography/dicom").attributed
TRACING = Whole(CASES / "ecg/twelve_leads").attributed
FILE = Whole(CASES / "ecg/file").attributed


def made(attributed: Attributed, type_: str, slug: str = "") -> Body:
    """Map, and give the one of this type whose id holds the slug."""
    (found,) = [one for one in resources(attributed, DEPLOYMENT) if one.type == type_ and one.id.endswith(slug)]
    return validated(found).body


def shown(image: Image, found: Found | None = None, of: Attributed = PHOTOGRAPH) -> Body:
    """Give the Media of a photograph of which this was said."""
    return made(replace(of, reading=replace(of.reading, image=image), found=found or of.found), "Media")


def test_the_tables_have_every_word_of_the_contract() -> None:
    """Eyes, fields and pupils of the contract all have their words, and each has others than the rest."""
    assert set(EYES) == set(get_args(retinography.Eye))
    assert set(FIELDS) == set(get_args(retinography.Field))
    assert set(PUPILS) == {"natural", "dilated"}
    assert len({field.text for field in FIELDS.values()}) == len(FIELDS)
    assert {metric for metric in METRICS if metric.startswith("ecg_")} == {*INTERVALS, "ecg_heart_rate"}


@pytest.mark.parametrize(("eye", "code"), [("left", "723299002"), ("right", "723298005")])
def test_an_eye_is_one_code(eye: str, code: str) -> None:
    """Side and place stand in one SNOMED CT code."""
    assert shown(Image(eye, "disc"))["bodySite"]["coding"] == [{"system": "http://snomed.info/sct", "code": code}]


@pytest.mark.parametrize(("field", "code"), [("macula", "111900"), ("disc", "111901"), ("disc_macula", "111903")])
def test_a_field_that_dicom_has_is_coded(field: str, code: str) -> None:
    """The three centred fields have their DICOM code."""
    assert shown(Image("left", field))["view"]["coding"][0]["code"] == code


@pytest.mark.parametrize("field", ["nasal", "temporal", "superior", "inferior", "other"])
def test_a_field_that_dicom_splits_is_text(field: str) -> None:
    """DICOM splits the others into mid and far, which nobody told: they are not coded."""
    assert shown(Image("left", field))["view"].keys() == {"text"}


@pytest.mark.parametrize(
    ("image", "note"),
    [
        (
            Image("left", "disc", "45", "natural"),
            "Angle de champ 45 degrés ; pupille non dilatée [angle_deg=45 pupil=natural]",
        ),
        (Image("left", "disc", "45.50"), "Angle de champ 45.50 degrés [angle_deg=45.50]"),
        (Image("left", "disc", None, "dilated"), "Pupille dilatée [pupil=dilated]"),
    ],
)
def test_angle_and_pupil_are_noted_as_sent(image: Image, note: str) -> None:
    """What was said of angle and pupil stands in a sentence with the contract's words; digits stay."""
    assert shown(image)["note"] == [{"text": note}]


def test_what_was_not_said_is_not_noted() -> None:
    """Without angle, pupil and flags there is no note."""
    assert "note" not in shown(Image("left", "disc"))


@pytest.mark.parametrize(
    ("image", "note"),
    [
        (Image(), "Œil et champ lus dans les attributs DICOM (Image Laterality R, View Code Sequence 111901)"),
        (Image(field="disc"), "Œil lu dans les attributs DICOM (Image Laterality R)"),
        (Image(eye="right"), "Champ lu dans les attributs DICOM (View Code Sequence 111901)"),
    ],
)
def test_what_the_file_told_is_said_to_be_the_files(image: Image, note: str) -> None:
    """Eye and field that the message left to the tags are there, and the note says where they were read."""
    assert DICOM.found is not None
    media = shown(image, replace(DICOM.found, eye="right", field="disc"), DICOM)
    assert media["bodySite"]["text"] == "Fond de l'œil droit"
    assert media["view"]["text"] == "Champ centré sur la papille"
    assert media["note"] == [{"text": note}]


@pytest.mark.parametrize(("eye", "side"), [("left", "7771000"), ("right", "24028007")])
def test_the_study_tells_the_same_side(eye: str, side: str) -> None:
    """The laterality of the study's series is that of the Media."""
    attributed = replace(DICOM, reading=replace(DICOM.reading, image=Image(eye, "disc")))
    assert made(attributed, "ImagingStudy")["series"][0]["laterality"]["code"] == side


def test_no_hash_is_made_up() -> None:
    """Where nobody has told the SHA-1 of a content, its attachment has no hash."""
    assert PHOTOGRAPH.found is not None
    assert "hash" not in made(replace(PHOTOGRAPH, found=replace(PHOTOGRAPH.found, sha1=None)), "Media")["content"]


def incomplete(recording: Recording | None) -> Recording:
    """Give the recording with a part that never came."""
    assert recording is not None
    first, *rest = recording.leads
    lead = replace(first, samples=b"\0\x80" * 5 + first.samples[10:])
    return replace(recording, leads=(lead, *rest), complete=False)


def test_an_incomplete_recording_says_so() -> None:
    """What did not come is E, and a note says it; a complete one has no such note."""
    reading = replace(TRACING.reading, recording=incomplete(TRACING.reading.recording))
    body = made(replace(TRACING, reading=reading), "Observation", "-ecg")
    assert body["note"][-1]["text"].endswith("[incomplete]")
    assert body["component"][0]["valueSampledData"]["data"].startswith("E E E E E ")
    assert "note" not in made(TRACING, "Observation", "-ecg")


def test_only_intervals_that_were_sent_are_told() -> None:
    """A component stands for each interval sent, without rate there is no member, and without any no Observation."""
    sent = TRACING.reading.measurements
    two = replace(
        TRACING,
        reading=replace(TRACING.reading, measurements=tuple(m for m in sent if m.metric in ("ecg_qt", "ecg_pr"))),
    )
    body = made(two, "Observation", "-ecg-intervals")
    assert [component["code"]["coding"][0]["code"] for component in body["component"]] == ["8625-6", "8634-8"]
    assert "hasMember" not in body
    none = replace(TRACING, reading=replace(TRACING.reading, measurements=()))
    assert [one.id.split("-", 1)[1] for one in resources(none, DEPLOYMENT)] == ["ecg", "ecg-report", "provenance"]


def test_a_recording_without_tracing_is_reported_by_its_file() -> None:
    """A recording that is not at hand makes no tracing: the report points to the document."""
    long = replace(FILE, reading=replace(FILE.reading, recording=None))
    types = [one.type for one in resources(long, DEPLOYMENT)]
    assert types == ["DocumentReference", "Binary", "DiagnosticReport", "Provenance"]
    report = made(long, "DiagnosticReport")
    assert "result" not in report
    assert [one["valueReference"]["reference"] for one in report["extension"]] == [
        f"DocumentReference/{long.reading.key.reading}-ecg-file"
    ]


def test_a_file_lasts_as_long_as_its_samples() -> None:
    """The document's period ends after the recording's length, in the zone and precision of the device."""
    period = made(FILE, "DocumentReference")["context"]["period"]
    assert period == {"start": "2026-11-21T10:10:00.000+04:00", "end": "2026-11-21T10:10:01.000+04:00"}
    assert made(replace(FILE, found=None), "DocumentReference")["context"]["period"].keys() == {"start"}


@pytest.mark.parametrize(
    "attributed", [PHOTOGRAPH, DICOM, FILE, TRACING], ids=["photograph", "dicom", "file", "inline"]
)
@pytest.mark.parametrize("flag", ["test", "calibrating"])
def test_a_test_reaches_nobody(attributed: Attributed, flag: str) -> None:
    """A reading flagged test or calibrating makes nothing, its content neither."""
    assert resources(replace(attributed, reading=replace(attributed.reading, flags=(flag,))), DEPLOYMENT) == ()
