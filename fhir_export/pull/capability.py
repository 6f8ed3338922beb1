"""The CapabilityStatement, written from the tables that the requests are read with.

Comes in: who we are, where, since when. Goes out: its bytes. Refuses to know: anything the tables do not say.
"""

from __future__ import annotations

import json

from fhir_export.model import Body
from fhir_export.pull.dates import instant_text
from fhir_export.pull.served import TYPES, Parameter
from ingest.model import Instant

_SECURITY = "Bearer token with SMART v2 system scopes, like system/Observation.rs; none is needed for metadata."


def statement(base: str, software: str, since: Instant) -> bytes:
    """R4 CapabilityStatement: ``software`` is our version, ``since`` when this process began to serve."""
    body: Body = {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": instant_text(since),
        "kind": "instance",
        "software": {"name": "Constantes", "version": software},
        "implementation": {"description": "Readings of connected medical devices, for practice software", "url": base},
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json", "json"],
        "rest": [
            {
                "mode": "server",
                "security": {
                    "cors": False,
                    "description": _SECURITY,
                },
                "resource": [_served(type_, parameters) for type_, parameters in TYPES.items()],
            }
        ],
    }
    return json.dumps(body, separators=(",", ":")).encode()


def _served(type_: str, parameters: tuple[Parameter, ...]) -> Body:
    interactions = ("read", "search-type") if parameters else ("read",)
    return {
        "type": type_,
        "interaction": [{"code": code} for code in interactions],
        "versioning": "versioned",
        "readHistory": False,
        "conditionalRead": "not-match",
        **({"searchParam": [_searched(parameter) for parameter in parameters]} if parameters else {}),
    }


def _searched(parameter: Parameter) -> Body:
    return {"name": parameter.name, "definition": parameter.definition, "type": parameter.type}
