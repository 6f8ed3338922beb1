"""A Bundle around bytes that are not touched: what the feed holds goes in as it is. Pure.

Comes in: resources, the record's address. Goes out: bytes. Refuses to know: what is in them, but for HTEST.
"""

from __future__ import annotations

from collections.abc import Sequence

from fhir_export.push.port import Outgoing

_HTEST = b'"code":"HTEST"'
_SIMULATED = b'"meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActReason","code":"HTEST"}]},'
_ENTRY = b'{"fullUrl":"%s/%s","resource":%s,"request":{"method":"PUT","url":"%s"}}'


def bundle(outgoing: Sequence[Outgoing], base: str, kind: str = "batch") -> bytes:
    """A Bundle of type batch or transaction, one PUT for each; test data throughout is marked HTEST as a whole, too."""
    address = base.encode()
    entries = []
    for one in outgoing:
        path = f"{one.type}/{one.id}".encode()
        entries.append(_ENTRY % (address, path, one.body, path))
    marked = _SIMULATED if all(_HTEST in one.body for one in outgoing) else b""
    head = b'{"resourceType":"Bundle",' + marked + b'"type":"' + kind.encode() + b'","entry":['
    return head + b",".join(entries) + b"]}"
