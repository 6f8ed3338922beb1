"""The routes of ``/fhir``: who asks, what for, one audit row, then the answer.

Comes in: requests. Goes out: FHIR R4 JSON; every refusal is an OperationOutcome. Refuses to know: SQL, how resources
are made.

The answer is complete before its audit row is written, and leaves only after that row is on stable storage.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from datetime import UTC, tzinfo
from importlib.metadata import version as installed
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends
from fastapi.routing import APIRoute
from sqlalchemy.exc import TimeoutError as NoConnection
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from fhir_export.binary import TYPE as BINARY
from fhir_export.pull import bundle, contents
from fhir_export.pull.capability import statement
from fhir_export.pull.cursor import CursorKey, NotOurs
from fhir_export.pull.dates import http_date
from fhir_export.pull.negotiation import Pairs, form, native, pairs, spoken, strict, token, unchanged
from fhir_export.pull.outcome import Problem, Refused, outcome
from fhir_export.pull.parameters import Asked, Query, read
from fhir_export.pull.search import Page, Version, erased, newest, page
from fhir_export.pull.served import TYPES
from fhir_export.pull.values import FHIR_ID
from ingest.ledger.engine import named_faults
from ingest.ledger.faults import LedgerFault
from ingest.ledger.files import OpenLedger
from ingest.model import Instant
from registry.audit import Access, Action, note
from registry.clients import Client, Verb, find, may

DEFAULT_BASE = "http://127.0.0.1:8000/fhir"
_MEDIA = "application/fhir+json"
_ALWAYS = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
_OK = 200
Handler = Callable[[Request], Coroutine[Any, Any, Response]]


def fhir_router(
    file: OpenLedger,
    cursor_key: bytes,
    *,
    base: str = DEFAULT_BASE,
    zone: tzinfo = UTC,
    clock: Callable[[], Instant] = lambda: time.time_ns() // 1000,
) -> APIRouter:
    """All routes below ``/fhir``.

    ``cursor_key``: at least 32 secret bytes that outlive a restart. ``base``: the address by which clients reach
    ``/fhir``, for links; the Host header is never believed. ``zone``: what a search date without a zone is meant in.
    """
    pull = _Pull(file, CursorKey(cursor_key, file.name), base.rstrip("/"), zone, clock)
    described = statement(pull.base, installed("constantes"), clock())
    router = APIRouter(route_class=_Answered, default_response_class=Response, include_in_schema=False)

    @router.get("/fhir/metadata")
    def metadata(request: Request) -> Response:
        spoken(request.headers, pairs(request.scope["query_string"]))
        return _answer(described)

    @router.get("/fhir/{type_}")
    def search_by_url(request: Request, type_: str) -> Response:
        return pull.search(request, type_, pairs(request.scope["query_string"]))

    @router.post("/fhir/{type_}/_search")
    def search_by_form(request: Request, type_: str, body: Annotated[bytes, Depends(form)]) -> Response:
        return pull.search(request, type_, pairs(request.scope["query_string"], body))

    @router.get("/fhir/{type_}/{id_}")
    def read_one(request: Request, type_: str, id_: str) -> Response:
        if id_ == "_search":
            raise Refused(Problem.METHOD, headers={"Allow": "POST"})
        return pull.read(request, type_, id_)

    # After the others, and for every method: nothing below /fhir is left to the application's own answers, which would
    # redirect by the Host header.
    router.routes += [Route(path, _Elsewhere(), include_in_schema=False) for path in ("/fhir", "/fhir/{rest:path}")]
    return router


@dataclass(frozen=True, slots=True)
class _Pull:
    """What every request needs."""

    file: OpenLedger
    key: CursorKey
    base: str
    zone: tzinfo
    clock: Callable[[], Instant]

    def search(self, request: Request, type_: str, given: Pairs) -> Response:
        """One page."""
        spoken(request.headers, given)
        now, client = self._admitted(request, type_, "search")
        query = read(type_, given, Asked(strict(request.headers), self.zone, self.base))
        after = self._position(query, client)
        with named_faults(), self.file.readers.connect() as connection:
            found = page(connection, query, after, client.sites, now)
        body = bundle.searchset(self.base, found.versions, self._links(query, found, client), found.total)
        self._note(Access(now, client.client, Action.SEARCH, type_, found.patient, len(found.versions)))
        return _answer(body)

    def read(self, request: Request, type_: str, id_: str) -> Response:
        """One resource."""
        given = pairs(request.scope["query_string"])
        if type_ != BINARY:
            spoken(request.headers, given)
        now, client = self._admitted(request, type_, "read")
        version, gone = self._newest(type_, id_, client)
        patient = None if version is None else version.patient
        try:
            answer = self._shown(request, version, given, missing=Problem.GONE if gone else Problem.NOT_FOUND)
        except Refused as refused:
            answer = _refusal(refused)
        shown = int(answer.status_code == _OK)
        self._note(Access(now, client.client, Action.READ, type_, patient, shown))
        return answer

    def _shown(self, request: Request, version: Version | None, given: Pairs, *, missing: Problem) -> Response:
        """The answer to a read; raises Refused."""
        if version is None:
            raise Refused(missing)
        tag = f'W/"{version.version}"'
        told = {**_ALWAYS, "ETag": tag, "Last-Modified": http_date(version.at)}
        own = False
        if version.type == BINARY:
            told["Vary"] = "Accept"
            media = contents.media(version)
            own = media is not None and native(request.headers, given, media)
        if unchanged(request.headers, tag):
            return Response(status_code=304, headers=told)
        if version.type == BINARY:
            return contents.answer(version, self.file.blobs, told, native=own)
        return _answer(bundle.resource(version), headers=told)

    def _admitted(self, request: Request, type_: str, verb: Verb) -> tuple[Instant, Client]:
        """Who asks, if he may; a refusal for want of scope leaves an audit row too."""
        if type_ not in TYPES or (verb == "search" and not TYPES[type_]):
            raise Refused(Problem.UNKNOWN_ROUTE)
        client = find(self.file.readers, token(request.headers))
        if client is None:
            raise Refused(Problem.TOKEN, headers={"WWW-Authenticate": 'Bearer error="invalid_token"'})
        now = self.clock()
        if not may(client.scopes, verb, type_):
            self._note(Access(now, client.client, Action(verb), type_, None, 0))
            raise Refused(Problem.SCOPE, headers={"WWW-Authenticate": 'Bearer error="insufficient_scope"'})
        return now, client

    def _newest(self, type_: str, id_: str, client: Client) -> tuple[Version | None, bool]:
        """The version asked for; if there is none, whether it was erased, which only a client of all sites is told."""
        if not FHIR_ID.fullmatch(id_):
            return None, False
        with named_faults(), self.file.readers.connect() as connection:
            version = newest(connection, type_, id_, client.sites)
            return version, version is None and not client.sites and erased(connection, type_, id_)

    def _position(self, query: Query, client: Client) -> int:
        if query.cursor is None:
            return 0
        try:
            return self.key.position(query.cursor, (client.client, *query.purpose))
        except NotOurs:
            raise Refused(Problem.CURSOR, "_cursor") from None

    def _links(self, query: Query, found: Page, client: Client) -> list[bundle.Link]:
        """``self``; ``next`` while there is more; at the end ``monitor``, where what comes later will be."""
        came = () if query.cursor is None else (("_cursor", query.cursor),)
        links = [("self", self._address(query, came))]
        if not query.bare:
            cursor = self.key.issue(found.reached, (client.client, *query.purpose))
            relation = "monitor" if found.following is None else "next"
            links.append((relation, self._address(query, (("_cursor", cursor),))))
        return links

    def _address(self, query: Query, further: tuple[tuple[str, str], ...]) -> str:
        told = urlencode((*query.used, *further))
        return f"{self.base}/{query.type}?{told}" if told else f"{self.base}/{query.type}"

    def _note(self, access: Access) -> None:
        note(self.file.writer, access)


class _Answered(APIRoute):
    """A route whose refusals and ledger faults become OperationOutcomes, whatever application it is put into."""

    def get_route_handler(self) -> Handler:
        inner = super().get_route_handler()

        async def handle(request: Request) -> Response:
            try:
                return await inner(request)
            except Refused as refused:
                return _refusal(refused)
            except (LedgerFault, NoConnection):
                return _refusal(Refused(Problem.UNAVAILABLE, headers={"Retry-After": "5"}))
            except ClientDisconnect:
                return _refusal(Refused(Problem.NOT_READABLE))

        return handle


class _Elsewhere:
    """Every address and method below ``/fhir`` that is not served."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        allowed = _methods(scope.get("path_params", {}).get("rest", ""))
        refused = Refused(Problem.METHOD, headers={"Allow": allowed}) if allowed else Refused(Problem.UNKNOWN_ROUTE)
        await _refusal(refused)(scope, receive, send)


def _methods(rest: str) -> str:
    """The methods of an address below ``/fhir``, empty for one that is none."""
    match rest.split("/"):
        case [type_, "_search"] if TYPES.get(type_):
            return "POST"
        case ["metadata"]:
            return "GET"
        case [type_] if TYPES.get(type_):
            return "GET"
        case [type_, id_] if type_ in TYPES and id_ not in {"", "_search"}:
            return "GET"
        case _:
            return ""


def _answer(body: bytes, headers: Mapping[str, str] | None = None, status: int = 200) -> Response:
    return Response(body, status, {**_ALWAYS, **(headers or {})}, _MEDIA)


def _refusal(refused: Refused) -> Response:
    return _answer(outcome(refused.problem, refused.parameter), refused.headers, refused.problem.value.status)
