"""What practice software sees of a whole installation: resources and contents from ``/fhir``, by a token of its own.

Comes in: an installation that runs. Goes out: resources with exact decimals, contents as bytes. Refuses to know: the
ledger.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any, Self

import httpx
import simplejson

from tests.faults.installation import Installation

_TIMEOUT_S = 60.0


class Pulling:
    """One client of an installation; a context manager."""

    def __init__(self, site: Installation, name: str = "practice") -> None:
        self._base = f"http://127.0.0.1:{site.http}"
        with site.api() as api:
            token = api.post("/clients", {"client": name, "scopes": ["system/*.rs"]})["token"]
        self._web = httpx.Client(headers={"Authorization": f"Bearer {token}"}, timeout=_TIMEOUT_S, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._web.close()

    def found(self, resource_type: str, patient: str) -> list[dict[str, Any]]:
        """Every resource of a type about a patient, over all pages."""
        return list(self._pages(f"{self._base}/fhir/{resource_type}?patient={patient}"))

    def content(self, reference: str, accept: str = "*/*") -> bytes:
        """The bytes behind a reference such as `Binary/9b1d...`."""
        answer = self._web.get(f"{self._base}/fhir/{reference}", headers={"Accept": accept}).raise_for_status()
        return answer.content

    def sha256(self, reference: str) -> str:
        """Hex SHA-256 of the bytes behind a reference."""
        return hashlib.sha256(self.content(reference)).hexdigest()

    def _pages(self, url: str) -> Iterator[dict[str, Any]]:
        following: str | None = url
        while following is not None:
            answer = self._web.get(following).raise_for_status()
            bundle = simplejson.loads(answer.content, use_decimal=True)
            yield from (entry["resource"] for entry in bundle.get("entry", ()))
            following = next((link["url"] for link in bundle["link"] if link["relation"] == "next"), None)
