"""How a PostgreSQL database is reached: addresses, engines, what becomes of statements and errors on the way.

Comes in: an address. Goes out: SQLAlchemy engines, for the one that writes and for readers. Refuses to know: what a row
means, who waits for whom.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote

import psycopg
from psycopg.errors import UniqueViolation
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.pool import NullPool, QueuePool

from ingest.ledger.schema import METADATA

SCHEME = "postgresql+psycopg://"
_READERS = 8
_CONNECT_S = 3  # to each of the hosts: with two of them a new line stands well within 30 s of a failover
_ALL = {
    "connect_timeout": _CONNECT_S,
    "application_name": "constantes",
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,  # ms: a host that is gone says nothing
}
ISOLATION, PATIENCE = "read committed", "10s"
"""Of what writes, as the server writes them; it waits for a lock as long as SQLite's writers do."""
_WRITES = {
    "default_transaction_isolation": ISOLATION,
    "lock_timeout": PATIENCE,
    "idle_in_transaction_session_timeout": "15s",  # a process that stands still does not keep the locks for ever
}
_READS = {
    "default_transaction_isolation": "repeatable read",
    "default_transaction_read_only": "on",
    "jit": "off",
    "lock_timeout": PATIENCE,
    "statement_timeout": "30s",  # ``unhurried`` lifts it
}
_ONE_STATEMENT = ("21", "22", "23")
"""Classes of errors that say something of the values of one statement
(postgresql.org/docs/current/errcodes-appendix.html). A right, a table, a function that is not there (42, 0A) is missing
for every message alike."""
_NUMBERED = frozenset(
    f"pk_{table.name}"
    for table in METADATA.tables.values()
    if len(table.primary_key) == 1 and table.primary_key.columns[0].name in ("position", "gap")
)
"""Keys whose values the ledger gives: where one is taken already, the giver is wrong, not the row."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a ledger's database is, and how it is reached."""

    url: str
    password: str | None = None
    standby_required: bool = False

    def __repr__(self) -> str:
        return f"Address({self.url!r})"

    def parameters(self, session: dict[str, str], who: str) -> dict[str, Any]:
        """Parameters of libpq; ``who`` of several hosts is taken, ``session``: what holds for the whole session."""
        where, _, options = self.url.removeprefix(SCHEME).partition("?")
        user, _, place = where.rpartition("@")
        hosts, _, database = place.partition("/")
        split = [
            host.rpartition(":") if not host.endswith("]") and ":" in host else (host, "", "5432")
            for host in hosts.split(",")
        ]
        words = " ".join(f"-c {name}={value.replace(' ', chr(92) + ' ')}" for name, value in session.items())
        found = {
            "host": ",".join(host.strip("[]") for host, _, _ in split),
            "port": ",".join(port for _, _, port in split),
            "user": unquote(user) or None,
            "dbname": unquote(database),
            "password": self.password,
            "target_session_attrs": who,
            "options": words,
            "client_encoding": "utf8",  # whatever PGCLIENTENCODING says
        }
        return _ALL | dict(parse_qsl(options)) | {name: value for name, value in found.items() if value is not None}


def writing_engine(address: Address) -> Engine:
    """An engine for the one connection that writes; of several hosts it finds the one that takes writes."""
    return _engine(address.parameters(_WRITES, "read-write"), poolclass=NullPool)


def reading_engine(address: Address) -> Engine:
    """An engine of read-only connections; each ``connect`` sees one snapshot until it is closed."""
    # A session that reads only would be no "read-write" one for libpq: a primary is asked for instead.
    parameters = address.parameters(_READS, "primary")
    return _engine(parameters, poolclass=QueuePool, pool_size=_READERS, max_overflow=_READERS, pool_pre_ping=True)


def leaves_transaction(cause: object) -> bool:
    """Whether a driver's error is the fault of one statement."""
    if isinstance(cause, psycopg.Error) and cause.sqlstate is not None:
        is_number = cause.sqlstate == UniqueViolation.sqlstate and cause.diag.constraint_name in _NUMBERED
        return cause.sqlstate[:2] in _ONE_STATEMENT and not is_number
    # Without a code it comes from the driver itself: a value that it cannot send, or a line that is gone.
    return isinstance(cause, psycopg.DataError | psycopg.ProgrammingError | psycopg.NotSupportedError)


def _engine(parameters: dict[str, Any], **more: Any) -> Engine:  # noqa: ANN401 - SQLAlchemy's words
    engine = create_engine(SCHEME, connect_args=parameters, hide_parameters=True, **more)
    event.listen(engine, "before_cursor_execute", _with_marks, retval=True)
    event.listen(engine, "handle_error", _without_rows)
    return engine


def _with_marks(
    _connection: Connection,
    _cursor: object,
    statement: str,
    parameters: Any,  # noqa: ANN401
    context: Any,  # noqa: ANN401
    _many: bool,  # noqa: FBT001
) -> tuple[str, Any]:
    """Driver SQL is written once, with ``?`` for values, which psycopg calls ``%s``; compiled statements are ready.

    No such statement has a question mark in a literal or as an operator.
    """
    return (_percent(statement) if context.compiled is None else statement), parameters


@functools.lru_cache(512)
def _percent(statement: str) -> str:
    return statement.replace("%", "%%").replace("?", "%s")


_WHY = {
    "password authentication failed": "the password is not accepted",
    "no password supplied": "a password is asked for",
    "does not exist": "the server has no such database or user",
    "Connection refused": "nobody listens there",
    "could not translate host name": "the host's name is not known",
    "failed to resolve host": "the host's name is not known",
    "is starting up": "the server is starting",
    "is shutting down": "the server is going down",
    "not read-write": "no server there takes writes",
    "is in hot standby mode": "no server there takes writes",
    "session is read-only": "no server there takes writes",
    "too many connections": "it has too many connections",
    "too many clients": "it has too many connections",
    "timeout": "it does not answer in time",
}
"""Of what libpq says when there is no line: words of its own for what a person can mend."""


def _without_rows(context: ExceptionContext) -> None:
    """The server's words quote what was to be written: of them only names stay."""
    cause = context.original_exception
    if isinstance(cause, psycopg.Error):
        where = [cause.diag.table_name, cause.diag.column_name, cause.diag.constraint_name]
        why = [words for part, words in _WHY.items() if part in str(cause)][:1] if cause.sqlstate is None else []
        told = " ".join([type(cause).__name__, *filter(None, [cause.sqlstate, *where]), *why])
        cause.args = (told,)
        if context.sqlalchemy_exception is not None:
            context.sqlalchemy_exception.args = (told,)
