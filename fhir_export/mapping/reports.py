"""Reports without a conclusion: what there is of an ECG or of a photograph, for an expert to sign.

Comes in: an ``Attributed`` reading and the resources made of it. Goes out: a DiagnosticReport that points to them.
Refuses to know: findings. ``partial``, because R4's ``preliminary`` means *verified* early results.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fhir_export.codes import ECG_REPORT_CODINGS, ECG_SECTION, EYES, FIELDS, FUNDUS_REPORT_CODINGS, IMAGING_SECTION
from fhir_export.mapping import made
from fhir_export.mapping.datatypes import concept
from fhir_export.model import Body, Deployment, Resource
from fhir_export.profiles import Coding
from registry.model import Attributed

ECG_REPORT_SLUG = "ecg-report"
FUNDUS_REPORT_SLUG = "fundus-report"


def ecg_report(attributed: Attributed, deployment: Deployment, built: Sequence[Resource]) -> Resource:
    """The report of an ECG: tracing, intervals and rate, as far as they are there, in this order.

    Of a recording too long for a tracing it points to the document instead.
    """
    found = {one.id: one for one in built}
    tracing, *rest = (made.resource_id(attributed, slug) for slug in ("ecg", "ecg-intervals", "heart-rate"))
    results = [{"reference": found[id_].reference} for id_ in (tracing, *rest) if id_ in found]
    documents = [one for one in built if one.type == "DocumentReference" and tracing not in found]
    links = made.clock_link(attributed) + [made.supporting({"reference": one.reference}) for one in documents]
    body = _report(attributed, deployment, ECG_REPORT_SLUG, ECG_SECTION, concept(ECG_REPORT_CODINGS), links)
    if results:
        body["result"] = results
    return Resource.of(body)


def fundus_report(attributed: Attributed, deployment: Deployment, built: Sequence[Resource]) -> Resource:
    """The report of a photograph: its study, if it is DICOM, and its Media."""
    code = concept(FUNDUS_REPORT_CODINGS, "Photographies du fond d'œil, non interprétées")
    links = made.clock_link(attributed)
    body = _report(attributed, deployment, FUNDUS_REPORT_SLUG, IMAGING_SECTION, code, links)
    if studies := [{"reference": one.reference} for one in built if one.type == "ImagingStudy"]:
        body["imagingStudy"] = studies
    body["media"] = [
        {**_comment(attributed), "link": {"reference": one.reference}} for one in built if one.type == "Media"
    ]
    return Resource.of(body)


def reports(attributed: Attributed, deployment: Deployment, built: Sequence[Resource]) -> Iterator[Resource]:
    """The report of a reading that has a recording, a file or an image; nothing for any other."""
    reading = attributed.reading
    if reading.image is not None:
        yield fundus_report(attributed, deployment, built)
    elif reading.recording is not None or reading.blob is not None:
        yield ecg_report(attributed, deployment, built)


def _report(
    attributed: Attributed, deployment: Deployment, slug: str, section: Coding, code: Body, links: list[Body]
) -> Body:
    head = made.head("DiagnosticReport", attributed, deployment, slug)
    return {
        **head,
        **({"extension": links} if links else {}),
        "identifier": [made.identifier(head["id"], deployment)],
        "status": "partial",
        "category": [concept((section,))],
        "code": code,
        "subject": made.subject(attributed),
        **made.measured_at(attributed.reading.timing, "effectiveDateTime"),
        "issued": made.issued_text(attributed),
    }


def _comment(attributed: Attributed) -> Body:
    """Eye and field as the message told them: what a list of photographs is read by."""
    image = attributed.reading.image
    if image is None or image.eye is None or image.field is None:
        return {}
    return {"comment": f"Œil {EYES[image.eye].word}, {FIELDS[image.field].word}"}
