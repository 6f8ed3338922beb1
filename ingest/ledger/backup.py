"""A ledger file and its large contents, copied while everything runs; and brought back.

Comes in: an open ledger, a new folder; or a backup and the place where a ledger lay. Goes out: the folder with its
manifest; the ledger, as it was. Refuses to know: what runs, which settings there are. A database has its own way
(``pg_dump``): see docs/how-to/back-up-and-restore.md.

    {folder}/ledger.sqlite   one snapshot, packed: what was pruned is not in it
    {folder}/blobs/whole/    every content that a row of it names, under its hash
    {folder}/blobs/id        which folder the ledger's contents lie in
    {folder}/manifest.json   counts, sizes, hashes, the newest seal; written last, so that a cut backup has none

Writers go on: SQLite reads one snapshot and the log grows meanwhile. Contents are copied after the rows, because a
content is on the disk before its row is.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ingest.blobs import digest
from ingest.clock import utc_text
from ingest.ledger import belonging, whereabouts
from ingest.ledger.engine import named_faults
from ingest.ledger.faults import LedgerRefused, LedgerUnavailable
from ingest.ledger.files import HEAD, OpenLedger
from ingest.ledger.schema import METADATA
from ingest.ledger.sealing import head
from ingest.ledger.verify import named_blobs
from ingest.model import Instant

MANIFEST, LEDGER, BLOBS = "manifest.json", "ledger.sqlite", "blobs"
_FORM = 1
_UNTOUCHED = "The backup and the ledger are untouched."


@dataclass(frozen=True, slots=True)
class Backup:
    """What a manifest says. ``head``: the newest seal; ``tables``: rows of each."""

    made_at: str
    ledger: str
    schema: str
    head: str | None
    tables: dict[str, int]
    blobs: int
    bytes: int


def backup(file: OpenLedger, folder: Path, now: Instant) -> Backup:
    """Copy an open ledger into ``folder``, which must not exist yet; returns when all of it is on stable storage.

    Raises LedgerRefused for a folder that is there and for a ledger in a database, LedgerUnavailable when reading or
    the disk fails: then nothing is left behind.
    """
    if file.store is not None:
        raise LedgerRefused(
            "This ledger is a PostgreSQL database.",
            "Nothing was copied.",
            "Use pg_dump and copy the folder of large contents after it: docs/how-to/back-up-and-restore.md.",
        )
    if folder.exists():
        raise LedgerRefused(f"{folder} is there already.", "Nothing was copied.", "Name a folder that does not exist.")
    if not folder.parent.is_dir():
        raise LedgerRefused(
            f"{folder.parent} is not there.",
            "Nothing was copied.",
            "Make it, or mount the disk that should be there.",
        )
    under_way = folder.with_name(f".{folder.name}.{os.getpid()}")
    try:
        with named_faults():
            made = _filled(file, under_way, now)
        under_way.rename(folder)
        sync(folder.parent)
    except OSError as error:
        raise LedgerUnavailable(
            f"The backup could not be written: {error.strerror}.",
            "The ledger is untouched; nothing of the backup was kept.",
            "See that the disk has room and is writable.",
        ) from None
    finally:
        shutil.rmtree(under_way, ignore_errors=True)
    return made


def checked(folder: Path) -> Backup:
    """The manifest of a backup whose every file is what it says; raises LedgerRefused."""
    try:
        told = json.loads((folder / MANIFEST).read_text("utf-8"))
        files, own = told["files"], told.pop("manifest")
        if told["form"] != _FORM or _hash(told) != own:
            raise _not_whole(folder, MANIFEST)
        for name, (size, sha256) in files.items():
            each = folder / name
            if not each.is_file() or each.stat().st_size != size or digest(each) != sha256:
                raise _not_whole(folder, name)
        return Backup(
            told["made_at"], told["ledger"], told["schema"], told["head"], told["tables"],
            len(files) - 2, sum(size for size, _ in files.values()),
        )  # fmt: skip
    except FileNotFoundError:
        raise LedgerRefused(
            f"{folder} is no backup: it has no {MANIFEST}.", _UNTOUCHED, "Name the folder that `ledger backup` made."
        ) from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise _not_whole(folder, MANIFEST) from None


def restore(folder: Path, ledger: Path, aside: Path) -> Backup:
    """Put a backup where ``ledger`` lies; what lay there goes to ``aside``, which must not exist yet.

    Only while nothing runs. The ledger gets its new name, and loses its notes of parts whose bytes are not in a backup,
    when it is opened next (``settled``). Raises LedgerRefused, OSError.
    """
    found = checked(folder)
    blobs, new = ledger.with_name(BLOBS), ledger.with_name(".restoring")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True, mode=0o700)
    for name in _files(folder):
        _copied(folder / name, new / name)
    _sync_all(new)
    whereabouts.expect_another(ledger)
    sync(ledger.parent)
    aside.mkdir(mode=0o700)
    for old in (*(ledger.with_name(ledger.name + end) for end in ("", "-wal", "-shm")), blobs):
        with suppress(FileNotFoundError):
            old.rename(aside / old.name)
    sync(ledger.parent)
    (new / BLOBS).rename(blobs)
    (new / LEDGER).rename(ledger)
    sync(ledger.parent)
    shutil.rmtree(new)
    return found


def settled(file: OpenLedger) -> str:
    """After a restore: parts of unfinished contents are asked for anew, and the ledger has another name, returned."""

    def job(connection: Any) -> str:  # noqa: ANN401 - a connection
        connection.exec_driver_sql("DELETE FROM piece")
        return belonging.rename(connection)

    return file.writer.write(job)


def sync(folder: Path) -> None:
    """Have a folder's names on stable storage."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


# ---------------------------------------------------------------- making one


def _filled(file: OpenLedger, folder: Path, now: Instant) -> Backup:
    for each in (folder, folder / BLOBS):
        each.mkdir(parents=True, mode=0o700)
    copy = folder / LEDGER
    with closing(_reader(file.path)) as source:
        source.execute("VACUUM INTO ?", (str(copy),))
    copy.chmod(0o600)
    _copied(file.path.with_name(BLOBS) / belonging.FILE, folder / BLOBS / belonging.FILE)
    tables, sealed, names = _told(copy)
    for name in names:
        target = folder / BLOBS / "whole" / name[:2] / name
        _linked(file.blobs.path(name), target)
    files = {name: (each.stat().st_size, digest(each)) for name in _files(folder) for each in (folder / name,)}
    _sync_all(folder)
    told: dict[str, Any] = {
        "form": _FORM, "made_at": utc_text(now), "ledger": file.name, "schema": HEAD, "head": sealed,
        "tables": tables, "files": files,
    }  # fmt: skip
    _written(folder / MANIFEST, json.dumps({**told, "manifest": _hash(told)}, indent=1).encode())
    sync(folder)
    size = sum(length for length, _ in files.values())
    return Backup(told["made_at"], file.name, HEAD, sealed, tables, len(names), size)


def _reader(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=10.0, isolation_level=None)


def _told(copy: Path) -> tuple[dict[str, int], str | None, list[str]]:
    """Rows by table, the newest seal, and the contents that rows name: asked of the copy, which nobody writes to."""
    from ingest.ledger.sqlite import reading_engine

    engine = reading_engine(copy)
    try:
        with engine.connect() as connection:
            counts = {
                name: int(connection.exec_driver_sql(f'SELECT count(*) FROM "{name}"').scalar_one())  # noqa: S608 - ours
                for name in METADATA.tables
            }
            return counts, head(connection), sorted(named_blobs(connection))
    finally:
        engine.dispose()


def _linked(source: Path, target: Path) -> None:
    """A second name for a content, which never changes; its bytes where the backup is on another disk."""
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        os.link(source, target)
    except FileNotFoundError:
        return  # a row names it and it is not there: `verify` says so, and a backup is needed all the more
    except OSError:
        _copied(source, target)


def _copied(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    shutil.copyfile(source, target)
    target.chmod(0o600)


def _written(path: Path, content: bytes) -> None:
    with path.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def _sync_all(folder: Path) -> None:
    for each in (folder, *folder.rglob("*")):
        handle = os.open(each, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _files(folder: Path) -> Iterator[str]:
    for each in sorted(folder.rglob("*")):
        if each.is_file() and each.name != MANIFEST:
            yield str(each.relative_to(folder))


def _hash(told: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _not_whole(folder: Path, name: str) -> LedgerRefused:
    return LedgerRefused(
        f"The backup in {folder} is not what was written: {name}.", _UNTOUCHED, "Take another backup of the ledger."
    )
