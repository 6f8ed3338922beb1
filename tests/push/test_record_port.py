"""What every destination does: one suite for the memory record, for a FHIR server in another process, and for HAPI."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from fhir_export.push.answers import Action, judge_answer
from fhir_export.push.content import same_content
from fhir_export.push.memory import MemoryRecord
from fhir_export.push.port import Outgoing, Record
from fhir_export.push.server import FhirServer
from simulators.record.process import running

Make = Callable[..., Outgoing]
_MOST = 100_000


_HAPI = [pytest.param(name, marks=pytest.mark.services) for name in ("HAPI", "HAPI, one by one")]


@pytest.fixture(scope="module", params=["memory", "server", "server without batches", *_HAPI])
def record(request: pytest.FixtureRequest) -> Iterator[Record]:
    """Each implementation in turn; every test uses ids of its own."""
    if request.param == "memory":
        yield MemoryRecord()
        return
    if request.param in ("HAPI", "HAPI, one by one"):
        with FhirServer(request.getfixturevalue("hapi_server").url) as hapi:
            if request.param == "HAPI":
                hapi.capability()
            yield hapi
        return
    with running(reference_checks=False) as one, FhirServer(one.base) as server:
        if request.param == "server":
            server.capability()  # it is this that makes it send batches
        yield server


@pytest.fixture
def resource(request: pytest.FixtureRequest) -> Callable[..., Outgoing]:
    """Make a small Observation; ids are this implementation's own, for one HAPI may serve two of them."""
    own = "".join(filter(str.isalnum, request.node.callspec.params["record"]))

    def made(id_: str, value: str = "36.60") -> Outgoing:
        id_ = f"{own}-{id_}"
        body = f'{{"resourceType":"Observation","id":"{id_}","status":"final","valueQuantity":{{"value":{value}}}}}'
        return Outgoing("Observation", id_, body.encode())

    return made


def sent(record: Record, *outgoing: Outgoing) -> list[tuple[Action, str | None]]:
    """What became of each; what was refused together goes in halves, as deliveries do."""
    answers = record.send(outgoing)
    actions = [judge_answer(one, answer).action for one, answer in zip(outgoing, answers, strict=True)]
    if actions[0] is Action.HALVE:
        middle = len(outgoing) // 2
        return sent(record, *outgoing[:middle]) + sent(record, *outgoing[middle:])
    return [(action, answer.version) for action, answer in zip(actions, answers, strict=True)]


def test_each_resource_gets_its_own_answer(record: Record, resource: Make) -> None:
    """Answers come in the order of what was sent; the first version is 1."""
    assert sent(record, resource("1a"), resource("1b"), resource("1c")) == [(Action.DELIVERED, "1")] * 3


def test_the_same_bytes_again_make_no_version(record: Record, resource: Make) -> None:
    """Sending again after an unknown outcome changes nothing."""
    sent(record, resource("2a"))
    assert sent(record, resource("2a")) == [(Action.DELIVERED, "1")]


def test_other_content_is_the_next_version(record: Record, resource: Make) -> None:
    """A correction, be it of one digit, is version 2."""
    sent(record, resource("3a", "36.60"))
    assert sent(record, resource("3a", "36.6")) == [(Action.DELIVERED, "2")]


def test_what_was_sent_is_read_back_digit_by_digit(record: Record, resource: Make) -> None:
    """A read gives the newest content; it is equal to what was sent."""
    sent(record, resource("4a"), resource("4b"))
    found = record.read(resource("4a").identity, _MOST)
    assert found is not None
    assert b"36.60" in found
    assert same_content(resource("4a").body, found)


def test_what_is_not_there_reads_as_none(record: Record) -> None:
    """A read of an unknown id is no fault."""
    assert record.read(("Observation", "nowhere"), _MOST) is None


def test_one_refused_resource_does_not_take_others_with_it(record: Record, resource: Make) -> None:
    """Of three, the middle one is refused and the others are stored."""
    wrong = replace(resource("6b"), body=b'{"resourceType":"Observation","status":}')
    actions = [action for action, _ in sent(record, resource("6a"), wrong, resource("6c"))]
    assert actions == [Action.DELIVERED, Action.PARK, Action.DELIVERED]


def test_what_it_does_is_told(record: Record) -> None:
    """All take Observations under ids chosen by their client, and many in a request."""
    told = record.capability()
    assert (told.together, told.unfit, told.takes("Observation")) == (True, None, True)
