"""Messages that were set aside, and what a ledger says of them: for the tests of judging again."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from ingest.judge import judge
from ingest.ledger.balance import Balance, balance
from ingest.ledger.files import OpenLedger
from ingest.ledger.port import Kept
from ingest.ledger.relational import RelationalLedger
from ingest.ledger.schema import META, METADATA
from ingest.ledger.verify import verify
from ingest.model import Channel, DeviceStatus, Facts, Judged, RawMessage
from tests.support.ledgers import FACTS, NOW, body

UNKNOWN = replace(FACTS, status=DeviceStatus.UNKNOWN)
NOT_SERVED = replace(FACTS, served=False)


def message(
    seq: int = 0,
    device: str = "bp-0001",
    facts: Facts = FACTS,
    hub: str | None = None,
    *,
    space: str = "",
    **more: Any,  # noqa: ANN401 - members of a message
) -> Judged:
    """The verdict on a blood pressure by these facts; ``space`` makes other bytes that say the same."""
    payload = space.encode() + json.dumps(body(seq, **more)).encode()
    return judge(RawMessage(device, Channel.READING, payload, NOW, hub), facts)


def keep(file: OpenLedger, *items: Judged) -> list[Kept]:
    """What the gateway does with them."""
    answers = RelationalLedger(file).commit(items, NOW).result()
    assert all(isinstance(answer, Kept) for answer in answers)
    return [answer for answer in answers if isinstance(answer, Kept)]


def rows(file: OpenLedger, statement: str) -> list[tuple[Any, ...]]:
    """Rows of a ledger."""
    with file.readers.connect() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(statement)]


def everything(file: OpenLedger) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table, in the order of its key; the ledger's own name and its folder's id left out."""
    with file.readers.connect() as connection:
        return {
            name: [tuple(row) for row in connection.execute(table.select().order_by(*table.primary_key))]
            for name, table in METADATA.tables.items()
            if table is not META
        }


def counted(file: OpenLedger) -> Balance:
    """The balance, which holds, of a ledger without a fault."""
    with file.readers.connect() as connection:
        assert verify(connection, blobs=file.blobs).faults == ()
        found = balance(connection)
    assert found.balanced
    return found


def in_short(found: Balance) -> dict[str, int]:
    """The states that hold any message."""
    names = ("stored", "duplicate", "quarantined", "dismissed", "pending")
    return {name: count for name in names if (count := getattr(found, name))}


def outcomes(lines: Iterable[Any]) -> list[tuple[int, str, str | None]]:
    """Id, outcome and reason."""
    return [(line.id, line.outcome, line.reason) for line in lines]
