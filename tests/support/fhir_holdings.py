"""What a FHIR server holds, asked of the server itself.

Comes in: its base, types. Goes out: every version of every resource of those types, digits kept. It shares no code with
what delivers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import httpx
import simplejson

Identity = tuple[str, str]
_PAGE = 500


def holdings(base: str, types: Sequence[str]) -> dict[Identity, list[bytes]]:
    """Bodies by type and id, the newest version first: what each type's history tells, page by page."""
    found: dict[Identity, list[bytes]] = {}
    with httpx.Client(timeout=120.0, trust_env=False) as client:
        for type_ in types:
            for resource in _history(client, f"{base}/{type_}/_history?_count={_PAGE}"):
                body = simplejson.dumps(resource, use_decimal=True).encode()
                found.setdefault((type_, resource["id"]), []).append(body)
    return found


def _history(client: httpx.Client, url: str) -> Iterator[dict[str, Any]]:
    while url:
        page = simplejson.loads(client.get(url).raise_for_status().text, use_decimal=True)
        yield from (entry["resource"] for entry in page.get("entry", ()) if "resource" in entry)  # else a deletion
        url = next((link["url"] for link in page["link"] if link["relation"] == "next"), "")
