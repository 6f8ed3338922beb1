"""What every destination does: one suite for the memory record and for a FHIR server in another process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fhir_export.push.answers import Action, judge_answer
from fhir_export.push.content import same_content
from fhir_export.push.memory import MemoryRecord
from fhir_export.push.port import Outgoing, Record
from fhir_export.push.server import FhirServer
from simulators.record.process import running

_MOST = 100_000


@pytest.fixture(scope="module", params=["memory", "server", "server without batches"])
def record(request: pytest.FixtureRequest) -> Iterator[Record]:
    """Each implementation in turn; every test uses ids of its own."""
    if request.param == "memory":
        yield MemoryRecord()
        return
    with running(reference_checks=False) as one, FhirServer(one.base) as server:
        if request.param == "server":
            server.capability()  # it is this that makes it send batches
        yield server


def resource(id_: str, value: str = "36.60") -> Outgoing:
    """A small Observation."""
    body = f'{{"resourceType":"Observation","id":"{id_}","status":"final","valueQuantity":{{"value":{value}}}}}'
    return Outgoing("Observation", id_, body.encode())


def sent(record: Record, *outgoing: Outgoing) -> list[tuple[Action, str | None]]:
    """What became of each."""
    answers = record.send(outgoing)
    return [(judge_answer(one, answer).action, answer.version) for one, answer in zip(outgoing, answers, strict=True)]


def test_each_resource_gets_its_own_answer(record: Record) -> None:
    """Answers come in the order of what was sent; the first version is 1."""
    assert sent(record, resource("1a"), resource("1b"), resource("1c")) == [(Action.DELIVERED, "1")] * 3


def test_the_same_bytes_again_make_no_version(record: Record) -> None:
    """Sending again after an unknown outcome changes nothing."""
    sent(record, resource("2a"))
    assert sent(record, resource("2a")) == [(Action.DELIVERED, "1")]


def test_other_content_is_the_next_version(record: Record) -> None:
    """A correction, be it of one digit, is version 2."""
    sent(record, resource("3a", "36.60"))
    assert sent(record, resource("3a", "36.6")) == [(Action.DELIVERED, "2")]


def test_what_was_sent_is_read_back_digit_by_digit(record: Record) -> None:
    """A read gives the newest content; it is equal to what was sent."""
    sent(record, resource("4a"), resource("4b"))
    found = record.read(("Observation", "4a"), _MOST)
    assert found is not None
    assert b"36.60" in found
    assert same_content(resource("4a").body, found)


def test_what_is_not_there_reads_as_none(record: Record) -> None:
    """A read of an unknown id is no fault."""
    assert record.read(("Observation", "nowhere"), _MOST) is None


def test_one_refused_resource_does_not_take_others_with_it(record: Record) -> None:
    """Of three, the middle one is refused and the others are stored."""
    wrong = Outgoing("Observation", "6b", b'{"resourceType":"Observation","id":"other"}')
    actions = [action for action, _ in sent(record, resource("6a"), wrong, resource("6c"))]
    assert actions == [Action.DELIVERED, Action.PARK, Action.DELIVERED]


def test_what_it_does_is_told(record: Record) -> None:
    """All take ids chosen by their client, and batches."""
    told = record.capability()
    assert (told.batch, told.client_ids) == (True, True)
