"""The ledger: whether it is one, of which schema, whether somebody keeps others from writing, how its server is set.

Comes in: settings. Goes out: findings. Refuses to know: rows; ``constantes ledger verify`` looks at those. It is opened
for reading only, and nothing of it is made that is not there.
"""

from __future__ import annotations

import fcntl
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import Connection, Engine, select

from app import status
from app.doctor import ledger_server
from app.doctor.finding import Finding, found
from app.parts import GATEWAY
from app.settings import PREFIX, Settings, WrongSetting, secret_of
from app.sockets import LOCK, socket_path
from ingest.ledger import belonging
from ingest.ledger.engine import is_postgres, named_faults
from ingest.ledger.faults import LedgerFault
from ingest.ledger.files import HEAD, revision
from ingest.ledger.schema import META
from ingest.ledger.sqlite import reading_engine

_PATIENCE_S = 3.0
_PAUSE_S = 0.02


def look(settings: Settings) -> Iterator[Finding]:
    """See the module."""
    yield from _instance(settings.data)
    if settings.has_ledger_server:
        yield from _server(settings)
    elif not settings.ledger_path.exists():
        yield found("ledger.none", file=settings.ledger_path)
    else:
        yield from _readable(reading_engine(settings.ledger_path), settings)
        yield from _lock(settings.ledger_path)


def _instance(data: Path) -> Iterator[Finding]:
    """The running instance, if one holds the folder: whether it answers, what its gateway says of itself."""
    if not _answers(data):
        if _is_held(data / LOCK):
            yield found("ledger.instance_silent", folder=data)
    elif (problem := status.unwell(data, GATEWAY)) is not None:
        yield found("ledger.gateway_unwell", problem=problem)


def _answers(data: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(_PATIENCE_S)
        try:
            probe.connect(str(socket_path(data)))
        except OSError:
            return False
    return True


def _is_held(path: Path) -> bool:
    """Whether another process holds a lock now; looking does not take it from anybody."""
    try:
        opened = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(opened, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(opened)
    return False


def _lock(ledger: Path) -> Iterator[Finding]:
    """A commit holds the lock for milliseconds; who holds it for seconds keeps every reading out."""
    end = time.monotonic() + _PATIENCE_S
    while _is_held(ledger.with_name(ledger.name + ".lock")):
        if time.monotonic() > end:
            yield found("ledger.locked", file=ledger, seconds=f"{_PATIENCE_S:g}")
            return
        time.sleep(_PAUSE_S)


def _server(settings: Settings) -> Iterator[Finding]:
    from ingest.ledger import reaching  # loads its driver

    named = settings.ledger
    try:
        password = secret_of(named.password_file, f"{PREFIX}LEDGER__PASSWORD_FILE") if named.password_file else None
    except WrongSetting:
        return  # the look at settings tells of it
    engine = reaching.reading_engine(reaching.Address(named.url or "", password))
    yield from _readable(engine, settings)


def _readable(engine: Engine, settings: Settings) -> Iterator[Finding]:
    findings: list[Finding] = []
    try:
        with named_faults(), engine.connect() as connection:
            findings += _schema(connection, settings)
            if is_postgres(connection):
                findings += ledger_server.look(connection, needs_standby=settings.ledger.standby == "required")
    except LedgerFault as fault:
        findings.append(found("ledger.unreadable", problem=fault.happened))
    finally:
        engine.dispose()
    yield from findings


def _schema(connection: Connection, settings: Settings) -> Iterator[Finding]:
    schema = revision(connection)
    if schema is None:
        yield found("ledger.empty")
    elif schema > HEAD:
        yield found("ledger.newer", schema=schema, head=HEAD)
    elif schema < HEAD:
        yield found("ledger.older", schema=schema, head=HEAD)
    else:
        yield from _belongs(connection, blobs_of(settings))


def blobs_of(settings: Settings) -> Path:
    """The folder of the ledger's large contents, as ``app.wiring`` names it."""
    return settings.data / "blobs" if settings.has_ledger_server else settings.ledger_path.with_name("blobs")


def _belongs(connection: Connection, blobs: Path) -> Iterator[Finding]:
    """Whether the ledger has its name, and the folder beside it is its own."""
    kept = {name: value for name, value in connection.execute(select(META.c.name, META.c.value))}  # noqa: C416 - of rows
    if belonging.NAME not in kept:
        yield found("ledger.no_name")
    try:
        own = (blobs / belonging.FILE).read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        own = ""
    if kept.get(belonging.FOLDER, own) != own:
        yield found("ledger.other_folder", folder=blobs)
