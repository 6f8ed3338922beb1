"""Thousands of readings into HAPI, and then HAPI is asked what it holds.

HAPI_READINGS says how many (500 when absent; the full run has 10,000).
"""

from __future__ import annotations

import os
import random
import time
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import simplejson
from sqlalchemy import select

from app.settings import Settings
from bench.outbox import DESTINATION, fill
from fhir_export.push.content import same_content
from fhir_export.push.delivery import Delivery
from fhir_export.push.server import FhirServer
from ingest.ledger.files import OpenLedger, open_ledger
from ingest.ledger.schema import CONFIRMED, FEED
from tests.support.fhir_holdings import Identity, holdings
from tests.support.servers import Server

READINGS = int(os.environ.get("HAPI_READINGS", "500"))
_REFERRED, _REFERRING = ("Patient", "Device"), ("Observation", "Provenance")
_PATIENCE_S = 120 + READINGS / 10

pytestmark = [pytest.mark.services, pytest.mark.timeout(_PATIENCE_S + READINGS / 20)]


@pytest.mark.unbalanced("its outbox is filled without readings in the ledger")
def test_each_reading_is_in_hapi_once_in_one_version(hapi_server: Server, tmp_path: Path) -> None:
    """Counts, versions and contents are what the feed has; Patient and Devices were there before who names them."""
    settings = Settings(data=tmp_path)
    with open_ledger(settings.ledger_path) as file, FhirServer(hapi_server.url) as record:
        fill(file, settings, READINGS, seed=uuid4().hex)
        ours = _feed(file)
        delivery = Delivery(file, DESTINATION, record, lambda: time.time_ns() // 1000, random.random)
        began, end = time.monotonic(), time.monotonic() + _PATIENCE_S
        while delivery.health().backlog.due and time.monotonic() < end:
            delivery.step()
        seconds = time.monotonic() - began
        health, counts = delivery.health(), delivery.counts
        assert (health.code, health.backlog.due, health.backlog.parked) == (None, 0, 0)
        assert not counts.codes, "something was refused, or sent twice"
        assert _confirmed(file) == READINGS
    theirs = {key: held for key, held in holdings(hapi_server.url, _REFERRED + _REFERRING).items() if key in ours}
    assert len(ours) == 3 * READINGS + 3
    assert theirs.keys() == ours.keys()
    # The gateway itself is the same Device in every test.
    assert {len(held) for (_, id_), held in theirs.items() if not id_.endswith("-gateway")} == {1}
    assert [key for key, held in theirs.items() if not same_content(ours[key], held[0])] == []
    assert _last(theirs, _REFERRED) < _first(theirs, _REFERRING)
    print(f"\n{READINGS} readings, {len(ours)} resources in {seconds:.1f} s, {counts.requests} requests")  # noqa: T201 - the figure is wanted


def _feed(file: OpenLedger) -> dict[Identity, bytes]:
    with file.readers.connect() as connection:
        return {(t, i): body for t, i, body in connection.execute(select(FEED.c.type, FEED.c.id, FEED.c.body))}


def _confirmed(file: OpenLedger) -> int:
    with file.readers.connect() as connection:
        return len(set(connection.execute(select(CONFIRMED.c.reading)).scalars()))


def _times(held: dict[Identity, list[bytes]], types: tuple[str, ...]) -> list[datetime]:
    bodies: list[Any] = [simplejson.loads(versions[-1]) for (type_, _), versions in held.items() if type_ in types]
    return [datetime.fromisoformat(body["meta"]["lastUpdated"]) for body in bodies]


def _first(held: dict[Identity, list[bytes]], types: tuple[str, ...]) -> datetime:
    return min(_times(held, types))


def _last(held: dict[Identity, list[bytes]], types: tuple[str, ...]) -> datetime:
    return max(_times(held, types))
