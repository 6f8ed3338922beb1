"""A real FHIR server as the demonstration's record: what it holds is found by searching, as anybody would.

Comes in: its base address. Goes out: what ``app.demo.asked.Record`` says. Refuses to know: which server it is; it
misbehaves by itself or not at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httpx
import simplejson

from app.demo.asked import Json, attachments, entries, get, read

_TYPES = (
    "Patient", "Device", "Practitioner", "Organization", "Encounter", "Observation", "DiagnosticReport",
    "DocumentReference", "Media", "Provenance",
)  # fmt: skip
"""What is searched; a Binary is read by the address that another resource has of it, as FHIR R4 means it."""
_PAGE = 200
_FHIR = {"Accept": "application/fhir+json", "Cache-Control": "no-cache"}


@dataclass(slots=True)
class FhirRecord:
    """``base`` is its FHIR address."""

    base: str
    _versions: list[Json] = field(default_factory=list)

    def held(self, line: httpx.Client) -> bytes:
        """See the port."""
        found = list(self._found(line))
        files = {str(one["url"]) for _, resource in found for one in attachments(resource)}
        bodies = [get(line, f"{self.base}/{file}", _FHIR) for file in sorted(files)]
        found += [(body.decode(), read(body)) for body in bodies]
        self._versions = [
            {"id": resource["id"], "puts": int(version), "versions": int(version)}
            for _, resource in found
            for version in [resource["meta"]["versionId"]]
        ]
        return b"".join(f"{text}\n".encode() for text, _ in found)

    def sent(self, line: httpx.Client) -> Sequence[Json]:  # noqa: ARG002 - the port's: counted in ``held``
        """A server does not count what it was told twice: so many versions, so often at least."""
        return self._versions

    def faults(self, line: httpx.Client) -> Json:  # noqa: ARG002 - the port's
        """It has no list of its own faults."""
        return {}

    def misbehave(self, faults: Sequence[str]) -> None:
        """See the port."""
        raise NotImplementedError(f"a real server does not do {', '.join(faults)} when asked to")

    def _found(self, line: httpx.Client) -> Iterator[tuple[str, Json]]:
        """Every resource that a search finds, as text with the digits that came, and as a value."""
        for type_ in _TYPES:
            address: str | None = f"{self.base}/{type_}?_count={_PAGE}"
            while address:
                bundle = get(line, address, _FHIR)
                yield from ((_text(resource), resource) for resource in entries(bundle))
                address = _next(read(bundle), self.base)


def _text(resource: Json) -> str:
    """The resource on one line, its numbers with the digits that came."""
    return simplejson.dumps(resource, use_decimal=True, ensure_ascii=False, separators=(",", ":"))


def _next(bundle: Json, base: str) -> str | None:
    """The next page, at the address that we reach the server by, whatever it calls itself."""
    link = next((one["url"] for one in bundle.get("link", ()) if one["relation"] == "next"), None)
    if link is None:
        return None
    parts, ours = urlsplit(str(link)), urlsplit(base)
    return parts._replace(scheme=ours.scheme, netloc=ours.netloc).geturl()
