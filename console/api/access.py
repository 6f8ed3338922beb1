"""Who asks: the operator at the Unix socket, or software with a token; and the audit of what it was shown.

Comes in: a request. Goes out: the name that the audit trail keeps, or Problem 401 or 403. Refuses to know: what was
asked for.

The server that listens on the Unix socket in the data folder puts ``{"operator": True}`` into the ASGI scope's
``state``, by ``app.http``: whoever may open that socket is the user that the installation runs as. Nothing a client
sends can set it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, TypeAlias

from fastapi import Depends
from starlette.requests import Request

from console.api.problems import Problem
from console.office import Office
from registry import audit, clients

_NUL = "\x00"
OPERATOR = "@operator"
"""Stands in the audit trail for the command line; no client can be named so."""


def admitted(office: Office, request: Request) -> str:
    """The name of who asks; raises Problem for one who may not use ``/api/v1``."""
    if getattr(request.state, "operator", False) is True:
        return OPERATOR
    word, _, token = request.headers.get("authorization", "").partition(" ")
    client = clients.find(office.file.readers, token.strip()) if word.lower() == "bearer" else None
    if client is None:
        raise Problem(401, "token.invalid", "A valid bearer token is needed.", {"WWW-Authenticate": "Bearer"})
    if clients.OPERATIONS not in client.scopes:
        raise Problem(403, "token.scope", f"The token's scopes do not hold `{clients.OPERATIONS}`.")
    if client.sites:
        raise Problem(403, "token.sites", "The token is bound to sites, and these routes are about all of them.")
    return client.client


def guard(office: Office) -> Callable[[Request], None]:
    """A dependency for a whole router: nobody passes who is not admitted, and routes learn the name by ``Who``."""

    def check(request: Request) -> None:
        request.state.who = admitted(office, request)
        # No table of PostgreSQL's holds it, and the engine would not even look.
        if any(_NUL in part for part in (*request.path_params.values(), *request.query_params.values())):
            raise Problem(422, "request.nul", "The address holds the character NUL. Nothing was changed.")

    return check


def _who(request: Request) -> str:
    return str(request.state.who)


Who: TypeAlias = Annotated[str, Depends(_who)]
"""Parameter of a route behind ``guard``: the name of who asks."""


def audited(office: Office, who: str, type_: str, resources: int, patient: str | None = None) -> None:
    """Note what ``who`` is about to be shown of patients; raises LedgerUnavailable: then nothing may be shown."""
    access = audit.Access(office.now(), who, audit.Action.SEARCH, type_, patient, resources)
    audit.note(office.file.writer, access)
