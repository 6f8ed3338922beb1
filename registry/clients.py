"""Practice software that may pull: its token, its scopes, its sites.

Comes in: a name and SMART v2 scopes at the command line, a bearer token at a route. Goes out: a token, once, and
afterwards the ``Client`` it belongs to. Refuses to know: HTTP, what the types of a scope mean.

Of a token only its SHA-256 is kept: it has 256 random bits, so nothing slower is needed and nothing can be read back.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, Engine, Row, select

from ingest.ledger.engine import named_faults
from ingest.ledger.schema import CLIENT
from ingest.model import Instant
from registry.faults import Conflict, Unfit, Unknown

OPERATIONS = "operations"
"""The scope of ``/api/v1``."""
SERVED = (
    *("Binary", "Device", "DiagnosticReport", "DocumentReference", "ImagingStudy", "Media", "Observation", "Patient"),
    "Provenance",
)
"""The types that ``/fhir`` serves; a scope about another would open nothing."""
_TOKEN_BYTES = 32
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_SITE = re.compile(r"\S(?:[^\x00-\x1f]{0,126}\S)?")
_TOKEN = re.compile(r"[A-Za-z0-9_-]{16,128}", re.ASCII)
# hl7.org/fhir/smart-app-launch, "Scopes for requesting FHIR Resources": the letters come in this order.
_V2 = re.compile(r"system/(\*|[A-Z][A-Za-z]{1,63})\.(?=[cruds])(c?r?u?d?s?)", re.ASCII)
_V1 = re.compile(r"\w+/(\*|\w+)\.(read|write|\*)", re.ASCII)
_LETTER = {"read": "r", "search": "s"}

Verb = Literal["read", "search"]


@dataclass(frozen=True, slots=True)
class Client:
    """Software that may pull. No ``sites``: all of them, and devices without one."""

    client: str
    scopes: tuple[str, ...]
    sites: tuple[str, ...]
    added_at: Instant
    revoked_at: Instant | None = None


def may(scopes: Collection[str], verb: Verb, type_: str) -> bool:
    """Whether SMART v2 system scopes allow to read or search resources of a type; ``r`` never allows a search."""
    return any(
        (found := _V2.fullmatch(scope)) is not None and found[1] in {"*", type_} and _LETTER[verb] in found[2]
        for scope in scopes
    )


def add(connection: Connection, name: str, scopes: Iterable[str], sites: Iterable[str], now: Instant) -> str:
    """Register a client and return its token, which is kept nowhere; raises Unfit or Conflict.

    A name is never given twice, also after a revocation: the audit trail knows clients by it.
    """
    scopes, sites = tuple(dict.fromkeys(scopes)), tuple(dict.fromkeys(sites))
    _check(name, scopes, sites)
    if connection.execute(select(CLIENT.c.client).where(CLIENT.c.client == name)).first() is not None:
        raise Conflict("client.exists", "A client of this name exists or existed.", "Choose another name.")
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    connection.execute(
        CLIENT.insert().values(
            client=name,
            token_hash=_hash(token),
            scopes=" ".join(scopes),
            sites=json.dumps(sites, ensure_ascii=False),
            added_at=now,
        )
    )
    return token


def revoke(connection: Connection, name: str, now: Instant) -> None:
    """End a client's access with its next request; harmless when repeated; raises Unknown."""
    if connection.execute(select(CLIENT.c.client).where(CLIENT.c.client == name)).first() is None:
        raise Unknown("client.unknown", "No client has this name.", "See `client list`.")
    connection.execute(
        CLIENT.update().where(CLIENT.c.client == name, CLIENT.c.revoked_at.is_(None)).values(revoked_at=now)
    )


def find(readers: Engine, token: str) -> Client | None:
    """Return the client whose token this is, None for one that is unknown, revoked or no token at all."""
    if not _TOKEN.fullmatch(token):
        return None
    asked = select(CLIENT).where(CLIENT.c.token_hash == _hash(token), CLIENT.c.revoked_at.is_(None))
    with named_faults(), readers.connect() as connection:
        row = connection.execute(asked).first()
    return None if row is None else _client(row)


def listed(connection: Connection) -> list[Client]:
    """All clients, the revoked ones included, by name."""
    return [_client(row) for row in connection.execute(select(CLIENT).order_by(CLIENT.c.client))]


def _check(name: str, scopes: tuple[str, ...], sites: tuple[str, ...]) -> None:
    if not _NAME.fullmatch(name):
        raise Unfit("client.name", "This cannot be a client's name.", "Use 1 to 64 letters, digits and . _ -")
    if not scopes:
        raise Unfit("client.scope", "A client needs a scope.", "Give one, for example `system/*.rs`.")
    for scope in scopes:
        if scope != OPERATIONS and not _V2.fullmatch(scope):
            raise Unfit("client.scope", *_fault(scope))
        if (named := _V2.fullmatch(scope)) is not None and named[1] not in {"*", *SERVED}:
            raise Unfit("client.scope", "This type is not served.", f"Use `*` or one of: {', '.join(SERVED)}.")
    if not all(_SITE.fullmatch(site) for site in sites):
        raise Unfit("client.site", "This cannot be a site's name.", "Use 1 to 128 characters, no space at either end.")


def _fault(scope: str) -> tuple[str, str]:
    """Why a scope is not taken, and what to write instead."""
    if _V1.fullmatch(scope):
        return "This is a scope of SMART version 1.", "Version 2 writes `system/*.rs` for reading and searching."
    if scope.startswith(("patient/", "user/")):
        return "Only system scopes are given: a client acts for a practice, not for a person.", "Use `system/*.rs`."
    if "?" in scope:
        return "Scopes with search parameters are not supported.", "Use `--site` to narrow what a client sees."
    return "This is no scope.", "Use `operations`, or `system/*.rs` and the like, the letters in the order cruds."


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _client(row: Row[Any]) -> Client:
    return Client(row.client, tuple(row.scopes.split()), tuple(json.loads(row.sites)), row.added_at, row.revoked_at)
