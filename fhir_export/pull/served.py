"""What is served, and what it can be searched by: one table, for routes, requests and the CapabilityStatement.

Comes in: nothing. Goes out: ``TYPES``. Refuses to know: requests, tables and SQL.

A parameter stands here only where the index (``fhir_export.feed``) holds all that R4 means by it: one that found a part
would hide the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Where(Enum):
    """What of a resource is compared."""

    ID = "id"
    UPDATED = "at"
    IDENTIFIER = "identifier"
    PATIENT = "patient"
    DEVICE = "device"
    TARGET = "target"
    CODES = "codes"
    TIME = "time"


@dataclass(frozen=True, slots=True)
class Parameter:
    """A search parameter: R4's ``type``, what it compares, where R4 defines it, what a reference points to."""

    name: str
    type: str
    where: Where
    definition: str
    target: str | None = None


_R4 = "http://hl7.org/fhir/SearchParameter/"
_ID = Parameter("_id", "token", Where.ID, _R4 + "Resource-id")
_UPDATED = Parameter("_lastUpdated", "date", Where.UPDATED, _R4 + "Resource-lastUpdated")


def _identifier(definition: str) -> Parameter:
    return Parameter("identifier", "token", Where.IDENTIFIER, _R4 + definition)


def _person(patient: str, subject: str) -> tuple[Parameter, Parameter]:
    return (
        Parameter("patient", "reference", Where.PATIENT, _R4 + patient, "Patient"),
        Parameter("subject", "reference", Where.PATIENT, _R4 + subject, "Patient"),
    )


def _device(definition: str) -> Parameter:
    return Parameter("device", "reference", Where.DEVICE, _R4 + definition, "Device")


def _time(name: str, definition: str) -> Parameter:
    return Parameter(name, "date", Where.TIME, _R4 + definition)


_CODE = Parameter("code", "token", Where.CODES, _R4 + "clinical-code")

TYPES: dict[str, tuple[Parameter, ...]] = {
    "Binary": (),
    "Device": (_ID, _UPDATED, _identifier("Device-identifier")),
    "DiagnosticReport": (
        _ID,
        _UPDATED,
        _identifier("clinical-identifier"),
        *_person("clinical-patient", "DiagnosticReport-subject"),
        _CODE,
        _time("date", "clinical-date"),
    ),
    "DocumentReference": (
        _ID,
        _UPDATED,
        _identifier("clinical-identifier"),
        *_person("clinical-patient", "DocumentReference-subject"),
        Parameter("type", "token", Where.CODES, _R4 + "clinical-type"),
        _time("date", "DocumentReference-date"),
    ),
    "ImagingStudy": (
        _ID,
        _UPDATED,
        _identifier("clinical-identifier"),
        *_person("clinical-patient", "ImagingStudy-subject"),
        Parameter("modality", "token", Where.CODES, _R4 + "ImagingStudy-modality"),
        _time("started", "ImagingStudy-started"),
    ),
    "Media": (
        _ID,
        _UPDATED,
        _identifier("Media-identifier"),
        *_person("Media-patient", "Media-subject"),
        _device("Media-device"),
        Parameter("view", "token", Where.CODES, _R4 + "Media-view"),
        _time("created", "Media-created"),
    ),
    "Observation": (
        _ID,
        _UPDATED,
        _identifier("clinical-identifier"),
        *_person("clinical-patient", "Observation-subject"),
        _device("Observation-device"),
        _CODE,
        _time("date", "clinical-date"),
    ),
    "Patient": (_ID, _UPDATED, _identifier("Patient-identifier")),
    # R4's `patient` is a target that is a Patient: ours has none, so the parameter would find nothing.
    "Provenance": (
        _ID,
        _UPDATED,
        Parameter("target", "reference", Where.TARGET, _R4 + "Provenance-target"),
        _time("recorded", "Provenance-recorded"),
    ),
}
"""Every type that is served, with what it can be searched by; one without parameters can only be read."""
