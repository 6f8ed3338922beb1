"""Each test's ledger is looked at when it is closed: what does not balance, or cannot be accounted for, fails it."""

from __future__ import annotations

import pytest

from ingest.ledger.files import OpenLedger
from ingest.ledger.relational import RelationalLedger
from tests.support import balanced
from tests.support.balanced import Watch
from tests.support.engines import Place
from tests.support.ledgers import NOW, reading, register


def kept(place: Place) -> OpenLedger:
    """Two readings."""
    file = place.open()
    register(file, "bp-0001")
    RelationalLedger(file).commit([reading(0), reading(1)], NOW).result()
    return file


def test_a_ledger_that_balances_passes(place: Place, balances: Watch) -> None:
    """It was looked at all the same."""
    before = balances.looked
    kept(place).close()
    assert balances.looked == before + 1
    assert [each.received for each in balances.found.values()] == [2]
    assert balances.unbalanced() == []


@pytest.mark.unbalanced("a reading is taken away to see that the watch sees it")
def test_a_ledger_that_does_not_balance_is_seen(place: Place, balances: Watch) -> None:
    """By its last closing, however often it was closed before."""
    file = kept(place)
    file.writer.write(lambda connection: connection.exec_driver_sql("DELETE FROM reading WHERE position = 2"))
    file.close()
    (found,) = balances.unbalanced()
    assert (found.received, found.stored, found.unaccounted) == (2, 1, 1)


def test_a_large_ledger_is_left_alone(place: Place, balances: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counting it would be felt in every run."""
    monkeypatch.setattr(balanced, "MOST", 1)
    kept(place).close()
    assert balances.found == {}
