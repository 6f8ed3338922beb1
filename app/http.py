"""The web application: ``/api/v1``, ``/fhir``, health and metrics, put together.

Comes in: an ``Office``, settings. Goes out: a FastAPI application for one server. Refuses to know: which server
serves it.

The one for the Unix socket is made with ``operator=True``: whoever can open that socket is the installation's own
user, and needs no token. The one for the network never is.
"""

from __future__ import annotations

from hashlib import sha256
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI, Response
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import health
from app.documents import page
from app.metrics import exposition
from app.settings import Settings
from console.api import problems
from console.api.access import admitted
from console.api.routes import operations_router
from console.office import Office
from fhir_export.pull.routes import fhir_router
from gateway.broker.private_files import create_private
from ingest.ledger.faults import LedgerFault

MOST_BYTES = 1_000_000
"""Longest request body that is taken: requests hold a registration or a search, never a reading."""
_KEY_BYTES = 32
_TEXT = "text/plain; version=0.0.4; charset=utf-8"


def application(office: Office, settings: Settings, *, operator: bool = False) -> FastAPI:
    """The whole application; with ``operator``, every request to ``/api/v1`` is the operator's."""
    app = FastAPI(
        title="Constantes", version=version("constantes"), docs_url=None, redoc_url=None, redirect_slashes=False
    )
    problems.install(app)
    _health(app, office, settings)
    _documents(app)
    app.include_router(operations_router(office))
    app.include_router(fhir_router(office.file, cursor_key(settings), base=f"{settings.http_url}/fhir"))
    app.add_middleware(BodyLimit, most=MOST_BYTES)
    app.add_middleware(AsOperator, operator=operator)
    return app


def cursor_key(settings: Settings) -> bytes:
    """The secret that pull cursors are signed with: made at the first start, kept in the data folder."""
    import secrets

    return bytes.fromhex(create_private(settings.data / "cursor.key", secrets.token_hex(_KEY_BYTES)))


def _health(app: FastAPI, office: Office, settings: Settings) -> None:
    @app.get("/healthz", tags=["health"])
    def healthz() -> dict[str, Any]:
        """Alive: this process answers. With a series in a store of its own, also how far behind trends are."""
        return {"alive": True} | ({} if settings.series.is_embedded else {"series": health.series(office, settings)})

    @app.get("/readyz", tags=["health"])
    def readyz() -> Response:
        """Able to accept readings: ledger, disk, gateway with a broker session; 503 and what is wrong when not."""
        checks = health.checks(office, settings)
        ready = all(checks.values())
        return JSONResponse({"ready": ready, "checks": checks}, 200 if ready else 503)

    scrapers = Scrapers(office)

    @app.get("/metrics", tags=["health"])
    def metrics(request: Request) -> Response:
        """Counts for Prometheus, without identities; needs a token unless CONSTANTES_HTTP__OPEN_METRICS is set."""
        if not settings.http.open_metrics:
            scrapers.admit(request)
        return Response(exposition(office, settings), media_type=_TEXT)


def _documents(app: FastAPI) -> None:
    described = ""

    @app.get("/docs", include_in_schema=False)
    def docs() -> Response:
        nonlocal described
        described = described or page(app.openapi())
        return HTMLResponse(
            described, headers={"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}
        )


class Scrapers:
    """Who may have metrics: whoever may use ``/api/v1``, and while the ledger cannot tell, whoever could last.

    Metrics carry no identity, and are wanted most when the ledger is away. Of a token only its hash is remembered.
    """

    _MOST = 16

    def __init__(self, office: Office) -> None:
        self._office = office
        self._known: dict[bytes, None] = {}

    def admit(self, request: Request) -> None:
        """Raise Problem for who may not, and LedgerFault for who is not known while the ledger is away."""
        token = sha256(request.headers.get("authorization", "").encode()).digest()
        try:
            admitted(self._office, request)
        except LedgerFault:
            if token not in self._known:
                raise
        except problems.Problem:
            self._known.pop(token, None)
            raise
        else:
            self._known[token] = None
            for oldest in list(self._known)[: -self._MOST]:
                self._known.pop(oldest, None)


class AsOperator:
    """Says in the ASGI scope's ``state`` whether this server's requests are the operator's (``console.api.access``)."""

    def __init__(self, app: ASGIApp, *, operator: bool) -> None:
        self._app, self._operator = app, operator

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Set it for each request, whatever came before."""
        scope.setdefault("state", {})["operator"] = self._operator
        await self._app(scope, receive, send)


class BodyLimit:
    """Answers 413 to a body that is too long, before anything behind it reads a byte more."""

    def __init__(self, app: ASGIApp, *, most: int) -> None:
        self._app, self._most = app, most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read a body to its end or to the limit, then pass it on whole."""
        names = {name for name, _ in scope.get("headers", ())}
        if scope["type"] != "http" or not names & {b"content-length", b"transfer-encoding"}:
            await self._app(scope, receive, send)
            return
        body, more = b"", True
        while more and len(body) <= self._most:
            message = await receive()
            if message["type"] != "http.request":
                return  # gone before it was sent whole
            body += message.get("body", b"")
            more = message.get("more_body", False)
        if len(body) > self._most:
            told = f"The request is longer than {self._most} bytes. Nothing was changed. Send less at once."
            await problems.answer(413, "request.too_large", told, {"Connection": "close"})(scope, receive, send)
            return
        await self._app(scope, _first({"type": "http.request", "body": body, "more_body": False}, receive), send)


def _first(message: Message, receive: Receive) -> Receive:
    """A receiver that gives ``message`` and then whatever comes."""
    waiting = [message]

    async def following() -> Message:
        return waiting.pop() if waiting else await receive()

    return following
