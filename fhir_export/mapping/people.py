"""A patient as FR Core ``Patient``, under local numbers only.

Comes in: a ``registry.model.Patient``. Goes out: its resource. Refuses to know: readings, and how an identity
is qualified: without a qualified one no national number (INS) goes out, whatever the registry holds.
"""

from __future__ import annotations

from fhir_export.mapping.datatypes import meta
from fhir_export.model import Body, Deployment, Resource
from fhir_export.profiles import FR_PATIENT, NATIONAL_IDENTIFIERS
from registry.model import Identifier, Patient

# With the display: without it FR Core's slice is not entered, and its rules are silently skipped.
_LOCAL_NUMBER = {
    "system": "http://terminology.hl7.org/CodeSystem/v2-0203",
    "code": "PI",
    "display": "Patient internal identifier",
}


def patient_resource(patient: Patient, deployment: Deployment) -> Resource:
    """The patient with name, gender, birth date and local numbers (our own id if the registry holds none)."""
    body: Body = {
        "resourceType": "Patient",
        "id": patient.patient,
        "meta": meta(deployment, FR_PATIENT, test=patient.test),
        "identifier": [_identifier(number) for number in _local_numbers(patient, deployment)],
        "active": True,
        "name": [{"use": "official", "family": patient.family, "given": list(patient.given)}],
        "gender": patient.gender,
        "birthDate": patient.birth_date,
    }
    if not patient.given:
        del body["name"][0]["given"]
    return Resource.of(body)


def _local_numbers(patient: Patient, deployment: Deployment) -> tuple[Identifier, ...]:
    """URNs are compared without case: RFC 8141 makes ``URN:OID:`` the same as ``urn:oid:``."""
    local = tuple(
        number for number in patient.identifiers if not number.system.strip().lower().startswith(NATIONAL_IDENTIFIERS)
    )
    return local or (Identifier(deployment.system(4), patient.patient),)


def _identifier(number: Identifier) -> Body:
    return {
        "use": "usual",
        "type": {"coding": [dict(_LOCAL_NUMBER)]},
        "system": number.system,
        "value": number.value,
    }
