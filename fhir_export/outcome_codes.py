"""What each reason is called where HTTP and FHIR speak: a status, and an issue type of OperationOutcome. Pure.

Comes in: a reason, and where it applies. Goes out: the row, or one ``issue``. Refuses to know: what was sent; no byte
of a message is repeated, only the code, the pointer and our own words.

Status: RFC 9110, and RFC 6585 for 429. Types: http://hl7.org/fhir/R4/valueset-issue-type.html, the closest to what the
sender can do about it. ``structure``: not one JSON text, ``value``: one member is wrong, ``invariant``: members
contradict each other, ``business-rule``: well formed, and not taken here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ingest.reasons import REGISTRY, Reason


@dataclass(frozen=True, slots=True)
class Said:
    """``status`` of HTTP, ``issue`` of FHIR's issue-type codes."""

    status: int
    issue: str


_STRUCTURE, _VALUE, _INVARIANT = Said(400, "structure"), Said(422, "value"), Said(422, "invariant")
_REQUIRED, _RULE, _FORBIDDEN = Said(422, "required"), Said(422, "business-rule"), Said(403, "forbidden")
_TOO_LONG, _THROTTLED = Said(413, "too-long"), Said(429, "throttled")

SAID: dict[Reason, Said] = {
    Reason.MQTT_TOPIC: Said(404, "not-supported"),
    Reason.MQTT_RETAINED: _RULE,
    Reason.JSON_TOO_LARGE: _TOO_LONG,
    Reason.JSON_ENCODING: _STRUCTURE,
    Reason.JSON_TOO_DEEP: _STRUCTURE,
    Reason.JSON_DUPLICATE_KEY: _STRUCTURE,
    Reason.JSON_MALFORMED: _STRUCTURE,
    Reason.SCHEMA_VERSION: Said(422, "not-supported"),
    Reason.SCHEMA_MISSING: _REQUIRED,
    Reason.SCHEMA_TYPE: _VALUE,
    Reason.SCHEMA_NOT_ALLOWED: Said(422, "invalid"),
    Reason.SCHEMA_UNKNOWN_KIND: Said(422, "not-supported"),
    Reason.DEVICE_UNKNOWN: Said(403, "unknown"),
    Reason.DEVICE_REVOKED: _FORBIDDEN,
    Reason.DEVICE_NOT_SERVED: _FORBIDDEN,
    Reason.NUMBER_NOT_FINITE: _VALUE,
    Reason.NUMBER_OUT_OF_RANGE: _VALUE,
    Reason.UNIT_MISSING: _REQUIRED,
    Reason.UNIT_NOT_ALLOWED: Said(422, "code-invalid"),
    Reason.VALUE_IMPOSSIBLE: _VALUE,
    Reason.VALUE_INCONSISTENT: _INVARIANT,
    Reason.ECG_LEADS: _INVARIANT,
    Reason.ECG_LENGTH: _INVARIANT,
    Reason.ECG_SAMPLING: _VALUE,
    Reason.BLOB_PART: _VALUE,
    Reason.BLOB_CONTENT_TYPE: Said(415, "not-supported"),
    Reason.BLOB_TOO_LARGE: _TOO_LONG,
    Reason.BLOB_QUOTA: _THROTTLED,
    Reason.BLOB_HASH_MISMATCH: _INVARIANT,
    Reason.BLOB_UNDECODABLE: Said(422, "structure"),
    Reason.IMAGE_TOO_LARGE: _TOO_LONG,
    Reason.IMAGE_UNDECODABLE: Said(422, "structure"),
    Reason.IMAGE_LATERALITY_MISSING: _REQUIRED,
    Reason.IMAGE_LATERALITY_CONFLICT: _INVARIANT,
    Reason.TIME_FORMAT: _VALUE,
    Reason.TIME_FUTURE: _RULE,
    Reason.TIME_UNSET_CLOCK: _RULE,
    Reason.TIME_TOO_OLD: _RULE,
    Reason.KEY_CONFLICT: Said(409, "duplicate"),
    Reason.FLOW_SLOW_DOWN: _THROTTLED,
}


def issue(reason: Reason, pointer: str | None = None) -> dict[str, Any]:
    """One ``issue`` of an OperationOutcome; ``pointer`` (RFC 6901) stands in its diagnostics, for it is no FHIRPath."""
    entry = REGISTRY[reason]
    details = {"coding": [{"code": reason.value}], "text": entry.en}
    said = {"severity": entry.severity.value, "code": SAID[reason].issue, "details": details}
    return said if not pointer else said | {"diagnostics": pointer}
