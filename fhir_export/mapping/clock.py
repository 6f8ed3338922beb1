"""What a device's clock showed: an Observation beside every reading whose time was corrected.

Comes in: an ``Attributed`` reading. Goes out: the gateway's time (effective) against the device's (value) at one and
the same moment, that of the measurement: R4 has no element for a device's time. Refuses to know: how the offset was
measured. Its shape is that of PHD's coincident timestamp, whose profile is not claimed.

The moment of the echo itself is not repeated: an offset belongs to its whole clock epoch (device contract, section 10),
and a pair of times made of the reading's own is the same at every retry, whatever echoes came later.
"""

from __future__ import annotations

from fhir_export.codes import CLOCK_CODINGS, CLOCK_SLUG
from fhir_export.mapping import made
from fhir_export.mapping.datatypes import concept
from fhir_export.mapping.gateway import gateway_reference
from fhir_export.model import Body, Deployment, Resource
from fhir_export.profiles import Coding
from registry.model import Attributed

_GATEWAY = "http://hl7.org/fhir/StructureDefinition/observation-gatewayDevice"
_PROCEDURE = Coding("http://terminology.hl7.org/CodeSystem/observation-category", "procedure")


def clock(attributed: Attributed, deployment: Deployment) -> tuple[Resource, ...]:
    """The Observation of the clock; nothing for a time that was not corrected."""
    timing = attributed.reading.timing
    if not made.corrected(timing):
        return ()
    head = made.head("Observation", attributed, deployment, CLOCK_SLUG)
    body: Body = {
        **head,
        "extension": [{"url": _GATEWAY, "valueReference": gateway_reference(deployment)}],
        "identifier": [made.identifier(head["id"], deployment)],
        "status": "final",
        "category": [concept((_PROCEDURE,))],
        "code": concept(CLOCK_CODINGS, "Horloge de l'appareil comparée à celle de la passerelle"),
        "subject": made.subject(attributed),
        "effectiveDateTime": made.taken(timing),
        "issued": made.issued_text(attributed),
        "device": made.device(attributed),
        "valueDateTime": timing.taken_at,
    }
    return (Resource.of(body),)
