"""This installation as FHIR ``Device``: what put the resources together.

Comes in: a ``Deployment``. Goes out: its resource, and how others point to it. Refuses to know: readings. It is never
test data: readings of simulated devices pass through the same gateway as all others.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache

from fhir_export.codes import SOFTWARE_VERSION
from fhir_export.mapping.datatypes import concept, meta
from fhir_export.model import Body, Deployment, Resource


@lru_cache(16)
def gateway_id(name: str) -> str:
    """FHIR id of a gateway: its name may hold what a FHIR id may not, so it is hashed."""
    return hashlib.sha256(f"constantes/v1|gateway|{name}".encode()).hexdigest()[:32] + "-gateway"


def gateway_reference(deployment: Deployment) -> Body:
    """How other resources point to it."""
    return {"reference": f"Device/{gateway_id(deployment.gateway)}"}


def gateway_resource(deployment: Deployment) -> Resource:
    """The gateway, with the version of its software if the deployment tells it."""
    body: Body = {
        "resourceType": "Device",
        "id": gateway_id(deployment.gateway),
        "meta": meta(deployment, None, test=False),
        "identifier": [{"system": deployment.system(2), "value": deployment.gateway}],
        "status": "active",
        "deviceName": [{"name": "Constantes", "type": "user-friendly-name"}],
        "type": concept((), "Passerelle d'appareils connectés"),
    }
    if deployment.version is not None:
        body["version"] = [{"type": concept((SOFTWARE_VERSION,)), "value": deployment.version}]
    return Resource.of(body)
