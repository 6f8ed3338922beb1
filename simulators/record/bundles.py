"""Bundles: a transaction or batch of PUTs on its way in, search and history sets on their way out.

In: the tree of a posted Bundle, or versions. Out: entries to store, or a Bundle. Pure.
It takes PUT entries with known ids only: no conditional create, no `urn:uuid` to be resolved.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from simulators.record import exact, resources
from simulators.record.answers import Refused, outcome, status_line
from simulators.record.exact import Json
from simulators.record.resources import Resource, Version


@dataclass(frozen=True, slots=True)
class Posted:
    """A posted Bundle: whether all of it or nothing is to be stored, and its entries."""

    atomic: bool
    entries: list[Json]


def posted(tree: dict[str, Json]) -> Posted:
    """The Bundle in `tree`; raises `Refused`."""
    kind, entries = tree.get("type"), tree.get("entry", [])
    if tree.get("resourceType") != "Bundle" or kind not in ("transaction", "batch"):
        raise Refused(400, "invalid", "Only a Bundle of type transaction or batch is taken here.")
    if not isinstance(entries, list):
        raise Refused(400, "structure", "Bundle.entry is not a list.")
    return Posted(kind == "transaction", entries)


def resource_of(entry: Json, base: str) -> Resource:
    """The resource an entry PUTs; raises `Refused`."""
    request = entry.get("request") if isinstance(entry, dict) else None
    if not isinstance(entry, dict) or not isinstance(request, dict):
        raise Refused(400, "required", "An entry has no request.")
    url = request.get("url")
    if request.get("method") != "PUT" or not isinstance(url, str) or url.count("/") != 1:
        raise Refused(400, "not-supported", "An entry is not a PUT to {type}/{id}.")
    type_, id_ = url.split("/")
    return resources.checked(resources.checked_key(type_, id_), entry.get("resource"), base)


def each_once(found: list[Resource]) -> None:
    """Refuse a transaction that holds one identity twice (FHIR R4, http.html#trules)."""
    if len({resource.key for resource in found}) != len(found):
        raise Refused(400, "invalid", "The transaction holds one resource twice.")


def stored_entry(version: Version, *, created: bool) -> Json:
    """The entry that says what became of one PUT."""
    response: dict[str, Json] = {
        "status": status_line(201 if created else 200),
        "location": version.location,
        "etag": version.etag,
        "lastModified": version.updated,
    }
    return {"response": response}


def refused_entry(refused: Refused) -> Json:
    """The entry of a batch that was refused."""
    return {"response": {"status": status_line(refused.status), "outcome": outcome(refused.code, refused.why)}}


def response(entries: list[Json], *, atomic: bool) -> bytes:
    """The Bundle that answers a transaction or a batch."""
    kind = "transaction-response" if atomic else "batch-response"
    return exact.write({"resourceType": "Bundle", "type": kind, "entry": entries})


def searchset(versions: Iterable[Version], total: int, links: dict[str, str], base: str) -> bytes:
    """One page of a search; `links` by relation (`self`, `next`)."""
    entries: list[Json] = [
        {
            "fullUrl": f"{base}/{'/'.join(version.key)}",
            "resource": resources.shown(version),
            "search": {"mode": "match"},
        }
        for version in versions
    ]
    link: list[Json] = [{"relation": relation, "url": url} for relation, url in links.items()]
    bundle: dict[str, Json] = {"resourceType": "Bundle", "type": "searchset", "total": exact.Number(total)}
    return exact.write(bundle | {"link": link, "entry": entries})


def history(versions: list[Version], base: str) -> bytes:
    """Every version of one resource, newest first."""
    entries: list[Json] = [
        {
            "fullUrl": f"{base}/{'/'.join(version.key)}",
            "resource": resources.shown(version),
            "request": {"method": "PUT", "url": "/".join(version.key)},
            "response": {
                "status": status_line(201 if version.number == 1 else 200),
                "etag": version.etag,
                "lastModified": version.updated,
            },
        }
        for version in versions
    ]
    total = exact.Number(len(versions))
    return exact.write({"resourceType": "Bundle", "type": "history", "total": total, "entry": entries})
