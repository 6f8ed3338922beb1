"""Stored bytes become an answer: by joining, never by decoding.

Comes in: versions, links. Goes out: the bytes of a resource with its version in ``meta``, of a searchset. Refuses to
know: what was searched.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import simplejson

from fhir_export.model import Body, Resource, encode
from fhir_export.pull.dates import instant_text
from fhir_export.pull.search import Version

Link = tuple[str, str]
"""Relation and address."""


def resource(version: Version) -> bytes:
    """The stored bytes with ``meta.versionId`` and ``meta.lastUpdated``; no other byte differs.

    ``fhir_export.model.encode`` keeps the order of the members, and every mapping begins with resourceType, id, meta:
    what begins otherwise is decoded, digits kept, and written again.
    """
    told = b'"versionId":"%d","lastUpdated":"%s"' % (version.version, instant_text(version.at).encode())
    start = b'{"resourceType":"%s","id":"%s",' % (version.type.encode(), version.id.encode())
    rest = version.body[len(start) :]
    if not version.body.startswith(start) or b'"versionId":' in rest or b'"lastUpdated":' in rest:
        return _written_again(version)
    if rest.startswith(b'"meta":{"'):
        return b'%s"meta":{%s,%s' % (start, told, rest[8:])
    if b'"meta":' not in rest:
        return b'%s"meta":{%s},%s' % (start, told, rest)
    return _written_again(version)


def _written_again(version: Version) -> bytes:
    body: Body = simplejson.loads(version.body, use_decimal=True)
    kept = {name: value for name, value in body.get("meta", {}).items() if name not in {"versionId", "lastUpdated"}}
    meta = {"versionId": str(version.version), "lastUpdated": instant_text(version.at), **kept}
    first = {"resourceType": version.type, "id": version.id, "meta": meta}
    return encode(Resource.of({**first, **{name: value for name, value in body.items() if name not in first}}))


def searchset(base: str, versions: Sequence[Version], links: Sequence[Link], total: int | None) -> bytes:
    """A Bundle of type searchset; ``total`` None leaves it out."""
    head: Body = {"resourceType": "Bundle", "type": "searchset"}
    if total is not None:
        head["total"] = total
    head["link"] = [{"relation": relation, "url": address} for relation, address in links]
    text = json.dumps(head, separators=(",", ":"), ensure_ascii=False).encode()
    if not versions:
        return text
    at = json.dumps(base).encode()[:-1]
    entries = b",".join(
        b'{"fullUrl":%s/%s/%s","resource":%s,"search":{"mode":"match"}}'
        % (at, version.type.encode(), version.id.encode(), resource(version))
        for version in versions
    )
    return b'%s,"entry":[%s]}' % (text[:-1], entries)
