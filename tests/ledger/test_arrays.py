"""Columns as PostgreSQL's array literals: the server reads what was written."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.ledger.arrays import array
from tests.support.servers import PostgresServer

KINDS: dict[str, st.SearchStrategy[Any]] = {
    "BIGINT": st.integers(-(2**63), 2**63 - 1),
    "TEXT": st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
    | st.sampled_from(["NULL", '"', "\\", "{,}", " "]),
    "BYTEA": st.binary(),
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_server_reads_what_was_written(postgres_server: PostgresServer, kind: str) -> None:
    """Numbers, texts, bytes and what is absent come back as they were, in order."""
    address = postgres_server.url.replace("+psycopg", "")
    with psycopg.connect(address, password=postgres_server.password, autocommit=True) as connection:

        @settings(suppress_health_check=[HealthCheck.too_slow])
        @given(st.lists(st.none() | KINDS[kind]))
        def come_back(values: list[Any]) -> None:
            wanted = f"SELECT coalesce(array_agg(v ORDER BY n), '{{}}') FROM unnest(CAST(%s AS {kind}[])) WITH ORDINALITY AS u (v, n)"  # noqa: E501, S608
            (found,) = connection.execute(wanted, (array(values, kind),)).fetchone()  # type: ignore[misc]
            assert found == values

        come_back()
