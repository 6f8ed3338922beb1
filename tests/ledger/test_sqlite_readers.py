"""Readers of a ledger file: a connection that could not read is not lent to anybody again."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from sqlalchemy.exc import DBAPIError

from ingest.ledger.files import open_ledger
from ingest.ledger.schema import META

_BIG = "x" * 400_000


def test_a_reader_that_could_not_read_is_replaced(tmp_path: Path) -> None:
    """The log of the file is cut short under a reader, then whole again: the next one is another connection."""
    with open_ledger(tmp_path / "ledger.sqlite") as file:
        file.writer.write(lambda connection: connection.execute(META.insert().values(name="big", value=_BIG)))
        log = tmp_path / "ledger.sqlite-wal"
        whole = log.read_bytes()
        with file.readers.connect() as connection:
            first = connection.connection.dbapi_connection
            os.truncate(log, 4096)
            with pytest.raises(DBAPIError, match="disk I/O error"):
                connection.execute(META.select()).all()
        log.write_bytes(whole)
        with file.readers.connect() as connection:
            assert connection.connection.dbapi_connection is not first
            assert _BIG in connection.execute(META.select()).columns("value").scalars().all()
