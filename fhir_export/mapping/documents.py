"""Files as devices sent them: the ECG file as DocumentReference, the bytes of any content as Binary.

Comes in: an ``Attributed`` reading with a blob. Goes out: the document, and a Binary whose ``data`` is a placeholder:
the bytes lie in the blob store, once, and take its place when they leave. Refuses to know: the bytes.

A Binary's id is made of its reading, never of its content: two patients may send equal bytes, and access to a Binary
follows its ``securityContext``.
"""

from __future__ import annotations

import base64
from decimal import Decimal

from fhir_export.codes import ECG_REPORT_CODINGS, URI, WAVEFORMS
from fhir_export.mapping import made
from fhir_export.mapping.datatypes import concept
from fhir_export.model import Body, Deployment, Resource, placeholder
from ingest.clock import SECOND, shifted_text
from ingest.content.found import Found
from ingest.model import Blob, Reading
from registry.model import Attributed

FILE_SLUG = "ecg-file"
_DESCRIPTION = "Fichier d'origine de l'ECG, tel que l'appareil l'a envoyé"


def is_file(reading: Reading) -> bool:
    """True for an ECG that came as a file."""
    return reading.blob is not None and reading.image is None


def ecg_file(attributed: Attributed, deployment: Deployment) -> tuple[Resource, ...]:
    """The document and its Binary; nothing for a reading that came without a file."""
    reading, blob = attributed.reading, attributed.reading.blob
    if blob is None or not is_file(reading):
        return ()
    head = made.head("DocumentReference", attributed, deployment, FILE_SLUG)
    body: Body = {
        **head,
        **_master(attributed.found),
        "identifier": [made.identifier(head["id"], deployment)],
        "status": "current",
        "type": concept(ECG_REPORT_CODINGS),
        "subject": made.subject(attributed),
        "date": made.issued_text(attributed),
        "author": [made.device(attributed)],
        "description": ". ".join(filter(None, (_DESCRIPTION, made.correction(reading.timing)))),
        "content": [
            {
                "attachment": {
                    **attachment(attributed, blob, FILE_SLUG),
                    **made.measured_at(reading.timing, "creation"),
                },
                **_format(attributed.found),
            }
        ],
        "context": {"period": _period(attributed)},
    }
    return Resource.of(body), binary(attributed, deployment, blob, FILE_SLUG, "DocumentReference")


def attachment(attributed: Attributed, blob: Blob, slug: str) -> Body:
    """Type, address, size and SHA-1 of the bytes (R4, Attachment.hash: base64 of the SHA-1, not of its hex text)."""
    body: Body = {
        "contentType": blob.content_type,
        "url": f"Binary/{made.resource_id(attributed, f'{slug}-data')}",
        "size": blob.size,
    }
    if attributed.found is not None and attributed.found.sha1 is not None:
        body["hash"] = base64.b64encode(bytes.fromhex(attributed.found.sha1)).decode()
    return body


def binary(attributed: Attributed, deployment: Deployment, blob: Blob, slug: str, held_by: str) -> Resource:
    """The bytes, seen by whoever may see the resource of type ``held_by`` that has this slug."""
    body: Body = {
        **made.head("Binary", attributed, deployment, f"{slug}-data"),
        "contentType": blob.content_type,
        "securityContext": made.reference(held_by, attributed, slug),
        "data": placeholder(blob.sha256),
    }
    return Resource.of(body)


def _master(found: Found | None) -> Body:
    """A DICOM file has a name of its own in all the world."""
    if found is None or found.instance is None:
        return {}
    return {"masterIdentifier": {"system": URI, "value": f"urn:oid:{found.instance.instance}"}}


def _format(found: Found | None) -> Body:
    if found is None or found.instance is None:
        return {}
    coding: Body = {"system": URI, "code": f"urn:oid:{found.instance.sop_class}"}
    if (name := WAVEFORMS.get(found.instance.sop_class)) is not None:
        coding["display"] = name
    return {"format": coding}


def _period(attributed: Attributed) -> Body:
    """From the time of measurement for as long as the recording lasts, in the device's own zone and precision."""
    timing, wave = attributed.reading.timing, attributed.found.wave if attributed.found else None
    body: Body = made.measured_at(timing, "start")
    if wave is not None:
        lasts = int(wave.length * SECOND / Decimal(wave.sampling_hz))
        body["end"] = shifted_text(timing.taken_at, timing.used + lasts)
    return body
