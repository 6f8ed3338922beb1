"""``/api/v1``, put together.

Comes in: an ``Office``. Goes out: a router; ``console.api.problems.install`` makes the application answer its
refusals.
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends

from console.api import (
    alarm_routes,
    care_routes,
    content_routes,
    ledger_routes,
    problems,
    quarantine_routes,
    reading_routes,
    registry_routes,
    series_routes,
)
from console.api.access import guard
from console.office import Office

_RESPONSES: dict[int | str, dict[str, Any]] = {
    "default": {"description": "A refusal (RFC 9457) with a stable `code`", "content": {problems.MEDIA: {}}}
}


def operations_router(office: Office) -> APIRouter:
    """All routes below ``/api/v1``; each needs the scope ``operations``, or the operator's socket."""
    router = APIRouter(prefix="/api/v1", dependencies=[Depends(guard(office))], responses=_RESPONSES)
    registry_routes.add(router, office)
    reading_routes.add(router, office)
    content_routes.add(router, office)
    series_routes.add(router, office)
    ledger_routes.add(router, office)
    care_routes.add(router, office)
    quarantine_routes.add(router, office)
    alarm_routes.add(router, office)
    return router
