"""From attributed readings, devices and patients to FHIR R4: no clock, store or randomness.

    Attributed ──┬─ clock, documents, ecg, vital_signs, fundus ─▶ reports ─▶ provenance ──▶ Resources
                 └─ made (what all have), observation (what all Observations have), datatypes
    Device ───────── devices ─────▶ Resource
    Deployment ───── gateway ─────▶ Resource
    Patient ──────── people ──────▶ Resource

Refuses to know: judging, attribution, delivery. The tables are in ``fhir_export.profiles`` and ``fhir_export.codes``.
"""

from __future__ import annotations

from fhir_export.mapping.clock import clock
from fhir_export.mapping.devices import device_id, device_resource
from fhir_export.mapping.documents import ecg_file
from fhir_export.mapping.ecg import intervals, tracing
from fhir_export.mapping.fundus import fundus
from fhir_export.mapping.gateway import gateway_id, gateway_resource
from fhir_export.mapping.people import patient_resource
from fhir_export.mapping.provenance import entered_in_error, provenance, retraction
from fhir_export.mapping.reports import reports
from fhir_export.mapping.vital_signs import vital_signs
from fhir_export.model import Deployment, Resource
from fhir_export.profiles import NEVER_EXPORTED
from registry.model import Attributed

__all__ = [
    "device_id", "device_resource", "entered_in_error", "gateway_id", "gateway_resource", "patient_resource",
    "resources", "retraction",
]  # fmt: skip

_PARTS = (ecg_file, tracing, vital_signs, intervals, fundus)
"""Each gives what it finds of itself in a reading, in an order in which nothing points to what comes later."""


def resources(attributed: Attributed, deployment: Deployment) -> tuple[Resource, ...]:
    """Every resource of one reading, targets before referrers, its Provenance last.

    None if it is flagged test or calibrating.
    """
    if NEVER_EXPORTED.intersection(attributed.reading.flags):
        return ()
    built = [resource for part in _PARTS for resource in part(attributed, deployment)]
    if not built:
        return ()
    built += reports(attributed, deployment, built)
    told = clock(attributed, deployment)
    return (*told, *built, provenance(attributed, deployment, (*built, *told)))
