"""One ledger file, opened more than once by one process: nobody loses what holds the others off."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from ingest.ledger.files import open_ledger
from ingest.ledger.schema import META

ROOT = Path(__file__).parents[2]
_ANOTHER = (
    "import sys, pathlib; from ingest.ledger.files import open_ledger; open_ledger(pathlib.Path(sys.argv[1])).close()"
)


def test_another_process_does_not_take_itself_for_the_last(tmp_path: Path) -> None:
    """The log under an open ledger stays, whoever else opens and closes the file, and however often we opened it.

    A descriptor of the file that is not SQLite's own, closed in this process, would give back its locks.
    """
    path = tmp_path / "ledger.sqlite"
    with open_ledger(path) as first, first.readers.connect() as reading:
        first.writer.write(lambda connection: connection.execute(META.insert().values(name="one", value="1")))
        reading.execute(META.select()).all()
        with open_ledger(path):
            log = (tmp_path / "ledger.sqlite-wal").stat().st_ino
            subprocess.run([sys.executable, "-c", _ANOTHER, str(path)], check=True, cwd=ROOT)
            assert (tmp_path / "ledger.sqlite-wal").stat().st_ino == log
        first.writer.write(lambda connection: connection.execute(META.insert().values(name="two", value="2")))
    with open_ledger(path) as again, again.readers.connect() as reading:
        assert {"one", "two"} <= set(reading.execute(META.select()).columns("name").scalars())
