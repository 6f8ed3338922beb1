"""Reports, documents, pictures, studies, and what tells of their origin: read, searched, kept apart by site."""

from collections.abc import Callable

import pytest

from fhir_export import feed
from fhir_export.model import Resource
from fhir_export.pull.served import TYPES
from tests.pull.clinic import Clinic, TestClient, ids, observation, refused, valid

Found = Callable[[str], list[str]]
SUBJECT = {"subject": {"reference": "Patient/p1"}}
LOINC, DCM = "http://loinc.org", "http://dicom.nema.org/resources/ontology/DCM"
TAKEN = "2026-11-21T10:30:00+04:00"


def made(type_: str, id_: str, **more: object) -> Resource:
    """A resource of a type, with its own identifier where the type has one."""
    own = {} if type_ == "Provenance" else {"identifier": [{"system": "urn:oid:2.999.1.1", "value": id_}]}
    return Resource.of({"resourceType": type_, "id": id_, "meta": {"source": "urn:oid:2.999.1"}, **own, **more})


def coded(system: str, code: str) -> dict[str, object]:
    """A CodeableConcept."""
    return {"coding": [{"system": system, "code": code}]}


def report(id_: str) -> Resource:
    """An ECG's report."""
    more = {"status": "partial", "code": coded(LOINC, "11524-6"), **SUBJECT, "effectiveDateTime": TAKEN}
    return made("DiagnosticReport", id_, **more)


def document(id_: str) -> Resource:
    """An ECG's file."""
    attached = [{"attachment": {"contentType": "application/edf", "url": "Binary/b1"}}]
    told = {"type": coded(LOINC, "11524-6"), "date": "2026-11-21T06:30:03.333Z", **SUBJECT}
    return made("DocumentReference", id_, status="current", **told, content=attached)


def media(id_: str) -> Resource:
    """A photograph."""
    told = {"view": coded(DCM, "111900"), "createdDateTime": TAKEN, "device": {"reference": "Device/d1"}, **SUBJECT}
    return made("Media", id_, status="completed", **told, content={"contentType": "image/jpeg", "url": "Binary/b1"})


def study(id_: str) -> Resource:
    """A DICOM file's study."""
    modality = [{"system": DCM, "code": "OP"}]
    return made("ImagingStudy", id_, status="available", modality=modality, **SUBJECT, started=TAKEN)


def provenance(id_: str, *targets: str) -> Resource:
    """What tells of a reading's resources."""
    who = [{"who": {"reference": "Device/d1"}}]
    named = [{"reference": one} for one in targets]
    return made("Provenance", id_, target=named, recorded="2026-11-21T06:30:04.020Z", agent=who)


MAKERS: dict[str, Callable[[str], Resource]] = {
    "DiagnosticReport": report, "DocumentReference": document, "ImagingStudy": study, "Media": media,
}  # fmt: skip


@pytest.fixture
def filled(clinic: Clinic) -> Clinic:
    """One of each for p1 in the north, from reading 1."""
    bodies = [*(make(f"{type_}-1") for type_, make in MAKERS.items())]
    bodies.append(provenance("v-1", *(one.reference for one in bodies)))
    clinic.append(*(feed.Version(one, "p1", "d1", "nord", 1) for one in bodies))
    return clinic


@pytest.mark.parametrize("type_", sorted({*MAKERS, "Provenance"}))
def test_each_type_is_read_with_its_version(filled: Clinic, web: TestClient, type_: str) -> None:
    """A read is valid R4 with ETag and Last-Modified, 304 for whoever has it, and leaves its audit row."""
    id_ = "v-1" if type_ == "Provenance" else f"{type_}-1"
    answer = web.get(f"/fhir/{type_}/{id_}")
    assert valid(answer)["meta"]["versionId"] == "1"
    assert (answer.headers["etag"], "last-modified" in answer.headers) == ('W/"1"', True)
    assert web.get(f"/fhir/{type_}/{id_}", headers={"If-None-Match": 'W/"1"'}).status_code == 304
    assert filled.audit()[-2][1:] == ("read", type_, "p1", 1)


@pytest.mark.parametrize(
    ("query", "fits"),
    [
        ("code=11524-6", {"DiagnosticReport"}), ("code=18748-4", set()),
        (f"type={LOINC}|11524-6", {"DocumentReference"}), ("type=other", set()),
        ("view=111900", {"Media"}), ("modality=OP", {"ImagingStudy"}),
        ("date=2026-11-21", {"DiagnosticReport", "DocumentReference"}), ("date=lt2026-11-21", set()),
        ("created=2026-11-21T10:30:00%2B04:00", {"Media"}), ("created=gt2026-11-22", set()),
        ("started=ge2026-11", {"ImagingStudy"}), ("recorded=2026-11-21", {"Provenance"}),
        ("device=d1", {"Media"}), ("device=d2", set()),
        ("patient=p1", set(MAKERS)), ("patient=p2", set()), ("subject=Patient/p1", set(MAKERS)),
        ("_lastUpdated=ge2026", {*MAKERS, "Provenance"}), ("identifier=Media-1", {"Media"}),
    ],
)  # fmt: skip
def test_each_type_is_found_by_what_it_has(filled: Clinic, found: Found, query: str, fits: set[str]) -> None:
    """A parameter that a type has finds exactly what fits it."""
    name = query.partition("=")[0]
    for type_, parameters in TYPES.items():
        if type_ in {*MAKERS, "Provenance"} and name in {parameter.name for parameter in parameters}:
            assert bool(found(f"{type_}?{query}")) == (type_ in fits), type_


def test_provenance_is_found_by_its_target(filled: Clinic, web: TestClient, found: Found) -> None:
    """Whatever version of the target it came with; its references to others do not count; an id alone is refused."""
    again = observation("o-9", TAKEN)
    filled.append(
        feed.Version(again, "p1", "d1", "nord", 2), feed.Version(again, "p1", "d1", "nord", 3),
        feed.Version(provenance("v-2", "Observation/o-9"), "p1", "d1", "nord", 2),
        feed.Version(provenance("v-4", "Observation/beside"), "p1", "d1", "nord", 2),
        feed.Version(provenance("v-3", "Observation/o-9"), "p1", "d1", "nord", 3),
    )  # fmt: skip
    assert found("Provenance?target=Media/Media-1") == ["v-1"]
    assert found("Provenance?target=Observation/o-9") == ["v-2", "v-3"]
    assert found("Provenance?target=Observation/o-9,ImagingStudy/ImagingStudy-1") == ["v-1", "v-2", "v-3"]
    assert found("Provenance?target=https://constantes.example/fhir/Observation/o-9") == ["v-2", "v-3"]
    assert found("Provenance?target=Device/d1") == []
    assert found("Provenance?target=Observation/none") == []
    assert valid(web.get("/fhir/Provenance?target=Observation/o-9&_count=0"))["total"] == 2
    refused(web.get("/fhir/Provenance?target=o-9"), 400, "value")


def test_another_site_sees_none_of_them(filled: Clinic) -> None:
    """A client of the south finds and reads nothing that was taken in the north."""
    headers = {"Authorization": f"Bearer {filled.client(sites=['sud'])}"}
    with TestClient(filled.app, headers=headers) as web:
        for type_ in (*MAKERS, "Provenance"):
            assert ids(valid(web.get(f"/fhir/{type_}"))) == []
            refused(web.get(f"/fhir/{type_}/{'v-1' if type_ == 'Provenance' else f'{type_}-1'}"), 404, "not-found")
        assert ids(valid(web.get("/fhir/Provenance?target=Media/Media-1"))) == []
