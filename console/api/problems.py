"""Refusals as ``application/problem+json`` (RFC 9457): a stable code, a sentence for a person, never the input.

Comes in: exceptions of the layers below. Goes out: answers, registered on an application by ``install``. Refuses to
know: routes.

What the input was is never repeated: it may hold a person's name, and it may hold what breaks the answer (NaN).
"""

from __future__ import annotations

from http import HTTPStatus

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import TimeoutError as NoConnection
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from ingest.blobs import BlobMissing
from ingest.ledger.faults import LedgerFault, LedgerUnavailable
from ingest.series.faults import SeriesUnavailable
from registry.faults import Conflict, Refused, Unfit, Unknown

MEDIA = "application/problem+json"
_STATUS: dict[type[Refused], int] = {Unknown: 404, Conflict: 409, Unfit: 422}
_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


class Problem(Exception):  # noqa: N818 - it is the answer, named as the standard names it
    """An answer other than success: HTTP status, code, and a sentence that says what to do."""

    def __init__(self, status: int, code: str, detail: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.detail = detail
        self.headers = headers or {}


def answer(status: int, code: str, detail: str, headers: dict[str, str] | None = None) -> Response:
    """The answer for a problem."""
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "code": code, "detail": detail}
    return JSONResponse(body, status, {**_HEADERS, **(headers or {})}, MEDIA)


def install(app: FastAPI) -> None:
    """Let ``app`` answer every exception this way."""
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(SeriesUnavailable, _no_trends)
    app.add_exception_handler(LedgerFault, _unavailable)
    app.add_exception_handler(BlobMissing, _missing)
    app.add_exception_handler(NoConnection, _busy)
    app.add_exception_handler(RequestValidationError, _unfit)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _broken)


def _problem(_request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)  # noqa: S101 - Starlette calls by the class registered; for the type checker
    return answer(error.status, error.code, error.detail, error.headers)


def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)  # noqa: S101 - as above
    return answer(_STATUS.get(type(error), 422), error.code, str(error))


def _unavailable(request: Request, error: Exception) -> Response:
    """A commit whose answer was lost may stand: whoever writes is told so, and repeats nothing without looking."""
    may_stand = request.method not in _READING and isinstance(error, LedgerUnavailable)
    told = f"{error} {_MAY_STAND}" if may_stand else str(error)
    return answer(503, "ledger.unavailable", told, {"Retry-After": "5"})


_READING = frozenset({"GET", "HEAD"})
_MAY_STAND = (
    "What was asked for may have been kept all the same, if only the answer was lost: "
    "look at the list first (`constantes patient list`, `device list`...), and repeat it only if it is not there."
)


def _no_trends(_request: Request, error: Exception) -> Response:
    return answer(503, "series.unavailable", str(error), {"Retry-After": "5"})


def _missing(_request: Request, error: Exception) -> Response:
    return answer(500, "blob.missing", str(error))


def _busy(_request: Request, _error: Exception) -> Response:
    return answer(503, "ledger.busy", "Too much is being read at once. Try again.", {"Retry-After": "5"})


def _unfit(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - as above
    fault = error.errors()[0]
    named = "/".join(str(part) for part in fault["loc"][1:] if fault["type"] != "extra_forbidden")
    what = f"/{named}: {_WORDS.get(fault['type'], 'has a form that cannot be taken')}" if named else _WHOLE
    return answer(422, f"request.{fault['type']}", f"{what}. Nothing was changed. The forms are listed under /docs.")


_WHOLE = "The request holds a name that is not taken, or is not the JSON object that is expected"
_WORDS = {"missing": "is required and is absent"}


def _http(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - as above
    phrase = HTTPStatus(error.status_code).phrase
    code = f"http.{phrase.lower().replace(' ', '_').replace('-', '_')}"
    told = f"{phrase}. Nothing was changed. See /docs for what is here."
    return answer(error.status_code, code, told, dict(error.headers or {}))


def _broken(_request: Request, _error: Exception) -> Response:
    return answer(
        500, "internal", "The request met a defect of the program; the log has it. Readings are not affected."
    )
