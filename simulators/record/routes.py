"""The FHIR routes below `/fhir`, as a table: which request is answered by what.

In: a `Request`. Out: an `Answer`, or `Refused`. It knows the store, and nothing of sockets, faults or tokens.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, urlencode

from simulators.record import bundles, exact, resources
from simulators.record.answers import Answer, Refused
from simulators.record.exact import Json
from simulators.record.resources import Resource, Version
from simulators.record.store import Store

PREFIX: Final = "/fhir"
_MEDIA_TYPES: Final = frozenset({"application/fhir+json", "application/json", "application/json+fhir"})
_PAGE, _LARGEST_PAGE = 20, 1_000
# The last three ask for less than the whole; a server may answer the whole (FHIR R4, search.html#elements).
_POSSIBLE: Final = frozenset({"identifier", "_count", "_offset", "_elements", "_format", "_total"})
_NOT_THIS_WAY: Final = "Not taken: PUT a resource to {type}/{id}, or POST a Bundle of such PUTs to the base."


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request; header names are lower case, `query` is undecoded."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes


class Routes:
    """The FHIR side of the record."""

    def __init__(
        self, store: Store, base: str, refused_entry: Callable[[], Refused | None], *, reference_checks: bool
    ) -> None:
        """`base` is our address, with no slash at its end; `refused_entry` may refuse an entry of a batch."""
        self._store, self._base = store, base
        self._refused_entry, self._reference_checks = refused_entry, reference_checks

    def answer(self, request: Request) -> Answer:
        """The answer to a request; raises `Refused`."""
        path = request.path.removeprefix(PREFIX)
        there = [(method, match, handler) for method, way, handler in _TABLE if (match := way.fullmatch(path))]
        for method, match, handler in there:
            if method == request.method:
                return handler(self, request, *match.groups())
        if there:
            allow = ", ".join(sorted({method for method, _, _ in there}))
            raise Refused(405, "not-supported", _NOT_THIS_WAY, (("Allow", allow),))
        raise Refused(404, "not-found", "There is nothing at this address.")

    def metadata(self, _request: Request) -> Answer:
        """What this server does, and nothing it does not."""
        does: list[Json] = [{"code": code} for code in ("read", "vread", "update", "history-instance", "search-type")]
        search: list[Json] = [{"name": "identifier", "type": "token"}]
        of_each: dict[str, Json] = {
            "interaction": does, "versioning": "versioned", "readHistory": True, "updateCreate": True,
            "searchParam": search,
        }  # fmt: skip
        rest: dict[str, Json] = {
            "mode": "server",
            "resource": [{"type": type_, **of_each} for type_ in resources.TYPES],
            "interaction": [{"code": "transaction"}, {"code": "batch"}],
        }
        statement: dict[str, Json] = {
            "resourceType": "CapabilityStatement", "status": "active", "kind": "instance",
            "date": "2026-01-01",
            "implementation": {"description": "Simulated record", "url": self._base},
            "fhirVersion": "4.0.1", "format": ["json"], "rest": [rest],
        }  # fmt: skip
        return Answer(200, exact.write(statement))

    def search(self, request: Request, type_: str) -> Answer:
        """One page of the resources of a type, by id."""
        return self._page(type_, request.query)

    def search_post(self, request: Request, type_: str) -> Answer:
        """The same, with the parameters in the body, where no log of addresses shows them."""
        if request.headers.get("content-type", "").partition(";")[0] != "application/x-www-form-urlencoded":
            raise Refused(415, "not-supported", "The body must be application/x-www-form-urlencoded.")
        return self._page(type_, request.body.decode("ascii", "replace"))

    def _page(self, type_: str, query: str) -> Answer:
        resources.checked_key(type_, "x")
        given = _parameters(query)
        count = min(_whole(given.get("_count", str(_PAGE))), _LARGEST_PAGE)
        offset = _whole(given.get("_offset", "0"))
        total, page = self._store.search(type_, given.get("identifier"), count=count, offset=offset)
        links = {"self": f"{self._base}/{type_}?{urlencode(given)}"}
        if page and offset + count < total:
            links["next"] = f"{self._base}/{type_}?{urlencode(given | {'_count': count, '_offset': offset + count})}"
        return Answer(200, bundles.searchset(page, total, links, self._base))

    def read(self, request: Request, type_: str, id_: str) -> Answer:
        """The newest version of a resource; of a Binary the bytes alone, unless FHIR is asked for."""
        version = self._store.newest(resources.checked_key(type_, id_))
        if version is not None and type_ == "Binary" and not _wants_fhir(request.headers):
            return _bytes(version)
        return _shown(200, version)

    def read_version(self, _request: Request, type_: str, id_: str, number: str) -> Answer:
        """One version of a resource."""
        versions = self._store.versions(resources.checked_key(type_, id_))
        return _shown(200, next((version for version in versions if str(version.number) == number), None))

    def history(self, _request: Request, type_: str, id_: str) -> Answer:
        """Every version of a resource."""
        versions = self._store.versions(resources.checked_key(type_, id_))
        if not versions:
            raise Refused(404, "not-found", "There is no such resource.")
        return Answer(200, bundles.history(versions, self._base))

    def update(self, request: Request, type_: str, id_: str) -> Answer:
        """Store a resource under the id its client chose."""
        key = resources.checked_key(type_, id_)
        _check_media_type(request.headers)
        resource = resources.checked(key, resources.checked_tree(request.body), self._base)
        with self._store.transaction():
            version, created = self._put(resource)
        answer = _shown(201 if created else 200, version)
        body = b"" if "return=minimal" in request.headers.get("prefer", "") else answer.body
        return Answer(answer.status, body, (*answer.headers, ("Location", f"{self._base}/{version.location}")))

    def bundle(self, request: Request) -> Answer:
        """Store a transaction (all or nothing) or a batch (each for itself)."""
        _check_media_type(request.headers)
        posted = bundles.posted(resources.checked_tree(request.body))
        store_all = self._transaction if posted.atomic else self._batch
        return Answer(200, bundles.response(store_all(posted.entries), atomic=posted.atomic))

    def _transaction(self, entries: list[Json]) -> list[Json]:
        found = [bundles.resource_of(entry, self._base) for entry in entries]
        bundles.each_once(found)
        with self._store.transaction():
            done = [self._store.put(resource) for resource in found]
            for resource in found:
                self._check_references(resource)
        return [bundles.stored_entry(version, created=created) for version, created in done]

    def _batch(self, entries: list[Json]) -> list[Json]:
        with self._store.transaction():
            return [self._entry(entry) for entry in entries]

    def _entry(self, entry: Json) -> Json:
        try:
            if refused := self._refused_entry():
                return bundles.refused_entry(refused)
            resource = bundles.resource_of(entry, self._base)
            with self._store.part():
                version, created = self._put(resource)
            return bundles.stored_entry(version, created=created)
        except Refused as why:
            return bundles.refused_entry(why)

    def _put(self, resource: Resource) -> tuple[Version, bool]:
        done = self._store.put(resource)
        self._check_references(resource)
        return done

    def _check_references(self, resource: Resource) -> None:
        """Inside the transaction that stores it, so that it may refer to itself and its neighbours."""
        if not self._reference_checks:
            return
        for key in resource.references:
            if not self._store.has(key):
                # HAPI FHIR refuses with the same status and code.
                raise Refused(400, "processing", f"A reference names a {key[0]} that is not here.")


def _shown(status: int, version: Version | None) -> Answer:
    if version is None:
        raise Refused(404, "not-found", "There is no such resource.")
    return Answer(status, exact.write(resources.shown(version)), (("ETag", version.etag),))


def _wants_fhir(headers: dict[str, str]) -> bool:
    """FHIR R4, binary.html#rest."""
    accepted = headers.get("accept", "").lower()
    return any(item.partition(";")[0].strip() in _MEDIA_TYPES for item in accepted.split(","))


def _bytes(version: Version) -> Answer:
    tree = exact.read(version.body)
    media_type, data = (tree.get("contentType"), tree.get("data")) if isinstance(tree, dict) else (None, None)
    if not isinstance(media_type, str) or not isinstance(data, str):
        raise Refused(404, "not-found", "This Binary has no content.")
    return Answer(200, resources.content(data), (("ETag", version.etag),), media_type)


def _check_media_type(headers: dict[str, str]) -> None:
    media_type, _, parameters = headers.get("content-type", "").lower().partition(";")
    charset = parameters.replace(" ", "").replace('"', "").removeprefix("charset=")
    if media_type.strip() not in _MEDIA_TYPES or charset not in ("", "utf-8"):
        raise Refused(415, "not-supported", "The body must be application/fhir+json in UTF-8.")
    if headers.get("content-encoding", "identity") != "identity":
        raise Refused(415, "not-supported", "The body must not be compressed.")


def _parameters(query: str) -> dict[str, str]:
    pairs = parse_qsl(query, keep_blank_values=True)
    given = dict(pairs)
    if len(given) != len(pairs) or not given.keys() <= _POSSIBLE:
        raise Refused(400, "not-supported", f"Possible, once each, are {', '.join(sorted(_POSSIBLE))}.")
    return given


def _whole(text: str) -> int:
    if not re.fullmatch("[0-9]{1,9}", text):
        raise Refused(400, "value", "_count and _offset are whole numbers.")
    return int(text)


Handler = Callable[..., Answer]
_RESOURCE: Final = "/([^/]+)/([^/]+)"
_TABLE: Final[tuple[tuple[str, re.Pattern[str], Handler], ...]] = (
    ("GET", re.compile("/metadata"), Routes.metadata),
    ("POST", re.compile("/?"), Routes.bundle),
    ("GET", re.compile("/([^/]+)"), Routes.search),
    ("POST", re.compile("/([^/]+)/_search"), Routes.search_post),
    ("GET", re.compile(_RESOURCE), Routes.read),
    ("PUT", re.compile(_RESOURCE), Routes.update),
    ("GET", re.compile(f"{_RESOURCE}/_history"), Routes.history),
    ("GET", re.compile(f"{_RESOURCE}/_history/([0-9]+)"), Routes.read_version),
)
