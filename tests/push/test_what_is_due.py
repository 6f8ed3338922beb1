"""What becomes due at a destination when resources are published."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from fhir_export import feed
from fhir_export.destinations import Destination, Dispatch
from fhir_export.model import Resource
from ingest.ledger.schema import DELIVERY
from tests.push.shelf import Shelf


def published(shelf: Shelf, dispatch: Dispatch, *versions: feed.Version) -> None:
    """Append to the feed and make due what follows."""
    shelf.file.writer.write(lambda c: dispatch.add(c, feed.append(c, versions, 1), 1))


def waiting(shelf: Shelf) -> list[str]:
    """What is due or parked, by position."""
    with shelf.file.readers.connect() as connection:
        rows = connection.execute(select(DELIVERY.c.type, DELIVERY.c.id).order_by(DELIVERY.c.position))
        return [f"{type_}/{id_}" for type_, id_ in rows]


def resource(reference: str, *named: str) -> Resource:
    """A resource that names others."""
    type_, _, id_ = reference.partition("/")
    return Resource.of({"resourceType": type_, "id": id_, "agent": [{"who": {"reference": one}} for one in named]})


@pytest.fixture
def dispatch() -> Dispatch:
    """One record that takes our patients."""
    return Dispatch([Destination("record", "write")])


def test_the_gateway_goes_with_what_names_it(shelf: Shelf, dispatch: Dispatch) -> None:
    """A Device that only a Provenance names is due with it, once; one that nobody names stays here."""
    published(
        shelf, dispatch,
        *(feed.Version(resource(f"Device/{one}")) for one in ("d-1", "g-1", "other")),
        feed.Version(resource("Observation/o-1"), None, "d-1", None, 1),
        feed.Version(resource("Provenance/v-1", "Device/g-1", "Device/d-1"), None, "d-1", None, 1),
        feed.Version(resource("Provenance/v-2", "Device/g-1", "Device/nowhere"), None, "d-1", None, 2),
    )  # fmt: skip
    assert waiting(shelf) == ["Device/d-1", "Device/g-1", "Observation/o-1", "Provenance/v-1", "Provenance/v-2"]


def test_what_was_named_goes_on_in_every_version(shelf: Shelf, dispatch: Dispatch) -> None:
    """A gateway that is updated is due again where it went before."""
    published(shelf, dispatch, feed.Version(resource("Device/g-1")))
    published(shelf, dispatch, feed.Version(resource("Provenance/v-1", "Device/g-1"), None, None, None, 1))
    published(shelf, dispatch, feed.Version(resource("Device/g-1", "Device/g-1")))
    assert waiting(shelf) == ["Device/g-1", "Provenance/v-1", "Device/g-1"]


def test_a_report_of_no_single_reading_is_due(shelf: Shelf, dispatch: Dispatch) -> None:
    """What is made of a whole exam goes to the record like the rest."""
    published(shelf, dispatch, feed.Version(resource("DiagnosticReport/r-1")))
    assert waiting(shelf) == ["DiagnosticReport/r-1"]
