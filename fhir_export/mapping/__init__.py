"""From attributed readings, devices and patients to FHIR R4: no clock, store or randomness.

    Attributed ──┬─ vital_signs ─┐
                 └─ ecg ─────────┴─ observation (what all have) ─ datatypes ──▶ Resource
    Device ───────── devices ────────────────────────────────────────────────▶ Resource
    Patient ──────── people ─────────────────────────────────────────────────▶ Resource

Refuses to know: judging, attribution, delivery. The tables are in ``fhir_export.profiles``.
"""

from __future__ import annotations

from fhir_export.mapping.devices import device_id, device_resource
from fhir_export.mapping.ecg import tracing
from fhir_export.mapping.observation import entered_in_error
from fhir_export.mapping.people import patient_resource
from fhir_export.mapping.vital_signs import vital_signs
from fhir_export.model import Deployment, Resource
from fhir_export.profiles import NEVER_EXPORTED
from registry.model import Attributed

__all__ = ["device_id", "device_resource", "entered_in_error", "observations", "patient_resource"]


def observations(attributed: Attributed, deployment: Deployment) -> tuple[Resource, ...]:
    """Every Observation of one reading, the tracing first; none if it is flagged test or calibrating."""
    if NEVER_EXPORTED.intersection(attributed.reading.flags):
        return ()
    return (*tracing(attributed, deployment), *vital_signs(attributed, deployment))
