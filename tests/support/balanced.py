"""The balance of every ledger that a test leaves behind: each message that was taken is in exactly one state.

Whoever closes a ledger in this process counts it first, when that costs nothing worth mentioning; at the end of the
test, what the last closing of each ledger found must balance. A test that breaks a ledger on purpose says so:
``@pytest.mark.unbalanced("why")``.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
from sqlalchemy.exc import SQLAlchemyError

from ingest.ledger.balance import Balance, balance
from ingest.ledger.engine import named_faults
from ingest.ledger.faults import LedgerFault
from ingest.ledger.files import OpenLedger

MOST = 5_000
"""Journal rows of a ledger that is counted: more would be felt in the time of the suite."""
MARK = "unbalanced(reason): this test breaks a ledger on purpose, so its balance is not looked at"
_LAST = "SELECT coalesce(max(position), 0) FROM journal"


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line("markers", MARK)


@dataclass(slots=True)
class Watch:
    """What the last closing of each ledger found; ``looked`` counts the closings of a whole run."""

    found: dict[str, Balance] = field(default_factory=dict)
    looked: int = 0

    def look(self, file: OpenLedger) -> None:
        """Count a ledger that is about to be closed; one that cannot be read has faults that its test is about."""
        try:
            with named_faults(), file.readers.connect() as connection:
                if connection.exec_driver_sql(_LAST).scalar_one() <= MOST:
                    self.found[f"{file.path}:{file.name}"] = balance(connection)
                    self.looked += 1
        except (LedgerFault, SQLAlchemyError):
            return

    def unbalanced(self) -> list[Balance]:
        """What does not balance, of the ledgers closed since the last call."""
        found, self.found = self.found, {}
        return [each for each in found.values() if not each.balanced]


def hooked(watch: Watch, close: Callable[[OpenLedger], None]) -> Callable[[OpenLedger], None]:
    """``OpenLedger.close`` that looks first."""

    @functools.wraps(close)
    def closing(self: OpenLedger) -> None:
        watch.look(self)
        close(self)

    return closing


@pytest.fixture(scope="session")
def balances() -> Iterator[Watch]:
    """The watch over all ledgers of this process."""
    watch, close = Watch(), OpenLedger.close
    OpenLedger.close = hooked(watch, close)  # type: ignore[method-assign, assignment]
    yield watch
    OpenLedger.close = close  # type: ignore[method-assign]


@pytest.fixture(autouse=True)
def every_ledger_balances(request: pytest.FixtureRequest, balances: Watch) -> Iterator[None]:
    """Fail the test that leaves a message in no state, or in two."""
    balances.unbalanced()
    yield
    left = balances.unbalanced()
    mark = request.node.get_closest_marker("unbalanced")
    if mark is not None:
        assert mark.args, "say why: @pytest.mark.unbalanced(reason)"
        return
    assert not left, f"this test left a ledger that does not balance: {left}"
