"""A photograph of the fundus: a Media with its Binary; of a DICOM file its ImagingStudy as well.

Comes in: an ``Attributed`` reading with an image. Goes out: the study, the Media that is part of it, the bytes.
Refuses to know: what a photograph shows. Eye and field are what the message said, else what the file's own tags say,
and the Media tells which: they are never guessed (device contract, C-RET-3).
"""

from __future__ import annotations

from collections.abc import Iterator

from fhir_export.codes import DICOM_UID, EYES, FIELDS, IMAGE, PHOTOGRAPH, PUPILS, RETINA, URI, Eye, Field
from fhir_export.mapping import made
from fhir_export.mapping.datatypes import concept
from fhir_export.mapping.documents import attachment, binary
from fhir_export.model import Body, Deployment, Resource
from fhir_export.profiles import Coding
from ingest.content.found import Instance
from ingest.model import Image
from registry.model import Attributed

FUNDUS_SLUG = "fundus"
STUDY_SLUG = "imaging-study"

_ORDER = (
    "resourceType", "id", "meta", "identifier", "partOf", "status", "type", "modality", "view", "subject",
    "createdDateTime", "_createdDateTime", "issued", "bodySite", "device", "height", "width", "content", "note",
)  # fmt: skip


def fundus(attributed: Attributed, deployment: Deployment) -> tuple[Resource, ...]:
    """Study (of a DICOM file), Media, Binary; nothing for a reading without an image."""
    reading = attributed.reading
    if reading.image is None or reading.blob is None:
        return ()
    return (
        *_study(attributed, deployment),
        _media(attributed, deployment),
        binary(attributed, deployment, reading.blob, FUNDUS_SLUG, "Media"),
    )


def is_dicom(attributed: Attributed) -> bool:
    """True when the file has names of its own, so that there is a study to point to."""
    return attributed.found is not None and attributed.found.instance is not None


def _media(attributed: Attributed, deployment: Deployment) -> Resource:
    reading = attributed.reading
    head = made.head("Media", attributed, deployment, FUNDUS_SLUG)
    body: Body = {
        **head,
        "identifier": [made.identifier(head["id"], deployment)],
        "status": "completed",
        "type": concept((IMAGE,)),
        "modality": concept((PHOTOGRAPH,)),
        **_shown(attributed),
        "subject": made.subject(attributed),
        **made.measured_at(reading.timing, "createdDateTime"),
        "issued": made.issued_text(attributed),
        "device": made.device(attributed),
    }
    if reading.blob is not None:
        body["content"] = attachment(attributed, reading.blob, FUNDUS_SLUG)
    if is_dicom(attributed):
        body["partOf"] = [made.reference("ImagingStudy", attributed, STUDY_SLUG)]
    if attributed.found is not None and (picture := attributed.found.picture) is not None:
        body |= {"height": picture.height, "width": picture.width}
    if sentences := [{"text": text} for text in _notes(attributed)]:
        body["note"] = sentences
    return Resource.of({name: body[name] for name in _ORDER if name in body})


def _eye(attributed: Attributed) -> Eye | None:
    word = _image(attributed).eye or (attributed.found.eye if attributed.found else None)
    return EYES[word] if word else None


def _field(attributed: Attributed) -> Field | None:
    word = _image(attributed).field or (attributed.found.field if attributed.found else None)
    return FIELDS[word] if word else None


def _image(attributed: Attributed) -> Image:
    return attributed.reading.image or Image()


def _shown(attributed: Attributed) -> Body:
    """Side and place in one code, and the field: a text or a file name may be lost on the way, a code is not."""
    body: Body = {}
    if (field := _field(attributed)) is not None:
        body["view"] = concept((field.coding,) if field.coding else (), field.text)
    if (eye := _eye(attributed)) is not None:
        body["bodySite"] = concept((eye.fundus,), f"Fond de l'œil {eye.word}")
    return body


def _notes(attributed: Attributed) -> Iterator[str]:
    yield from made.notes(attributed.reading.timing, attributed.reading.flags)
    image = _image(attributed)
    said = [f"angle de champ {image.angle_deg} degrés"] if image.angle_deg else []
    said += [PUPILS[image.pupil]] if image.pupil else []
    if said:
        words = [f"{name}={word}" for name in ("angle_deg", "pupil") if (word := getattr(image, name))]
        text = " ; ".join(said)
        yield f"{text[0].upper()}{text[1:]} [{' '.join(words)}]"
    yield from _from_tags(attributed)


def _from_tags(attributed: Attributed) -> Iterator[str]:
    """What the message left to the file's tags, and which tags."""
    image, eye, field = _image(attributed), _eye(attributed), _field(attributed)
    what, tags = [], []
    if image.eye is None and eye is not None:
        what.append("Œil")
        tags.append(f"Image Laterality {eye.letter}")
    if image.field is None and field is not None:
        what.append("champ" if what else "Champ")
        tags.append("View Code Sequence" + (f" {field.coding.code}" if field.coding else ""))
    if what:
        read = "lus" if len(what) > 1 else "lu"
        yield f"{' et '.join(what)} {read} dans les attributs DICOM ({', '.join(tags)})"


def _study(attributed: Attributed, deployment: Deployment) -> Iterator[Resource]:
    if attributed.found is None or (instance := attributed.found.instance) is None:
        return
    head = made.head("ImagingStudy", attributed, deployment, STUDY_SLUG)
    timing = attributed.reading.timing
    body: Body = {
        **head,
        "identifier": [
            {"system": DICOM_UID, "value": f"urn:oid:{instance.study}"},
            made.identifier(head["id"], deployment),
        ],
        "status": "available",
        "modality": [_coding(_modality(instance))],
        "subject": made.subject(attributed),
        **made.measured_at(timing, "started"),
        "numberOfSeries": 1,
        "numberOfInstances": 1,
        "description": "Photographie du fond d'œil, DICOM",
        "series": [_series(attributed, instance)],
    }
    if (sentence := made.correction(timing)) is not None:
        body["note"] = [{"text": sentence}]
    yield Resource.of(body)


def _series(attributed: Attributed, instance: Instance) -> Body:
    eye = _eye(attributed)
    return {
        "uid": instance.series,
        "number": 1,
        "modality": _coding(_modality(instance)),
        "numberOfInstances": 1,
        "bodySite": _coding(RETINA),
        **({"laterality": _coding(eye.side)} if eye else {}),
        "started": made.taken(attributed.reading.timing),
        "performer": [{"actor": made.device(attributed)}],
        "instance": [
            {
                "uid": instance.instance,
                "sopClass": {"system": URI, "code": f"urn:oid:{instance.sop_class}"},
                "number": 1,
            }
        ],
    }


def _modality(instance: Instance) -> Coding:
    return Coding(PHOTOGRAPH.system, instance.modality or PHOTOGRAPH.code)


def _coding(coding: Coding) -> Body:
    return {"system": coding.system, "code": coding.code}
