"""What HAPI really answers, and what becomes of a delivery then."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from fhir_export.push import outcomes, rows
from fhir_export.push.answers import judge_answer
from fhir_export.push.delivery import Delivery
from fhir_export.push.port import Answer, Outgoing
from fhir_export.push.server import FhirServer
from ingest.ledger.files import open_ledger
from tests.push.shelf import HERE, Clock, Shelf
from tests.support.servers import Server

pytestmark = [pytest.mark.services, pytest.mark.timeout(300)]
_FHIR = {"Content-Type": "application/fhir+json"}
Settle = Callable[[Delivery], None]


@pytest.fixture
def own() -> str:
    """What the ids of a test begin with: the server is that of all tests."""
    return uuid4().hex[:12]


@pytest.fixture
def record(hapi_server: Server) -> Iterator[FhirServer]:
    """HAPI as a destination that has not said yet what it does."""
    with FhirServer(hapi_server.url) as server:
        yield server


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Shelf]:
    """An empty ledger: what is asked here does not hang on its engine."""
    with open_ledger(tmp_path / "hapi.sqlite") as file:
        yield Shelf(file)


@pytest.fixture
def delivery(ledger: Shelf, clock: Clock, record: FhirServer) -> Delivery:
    """A delivery of that ledger to HAPI."""
    return Delivery(ledger.file, HERE, record, clock, random.Random(1).random)


def observation(id_: str, patient: str | None = None, value: int = 60) -> dict[str, object]:
    """An Observation, of somebody or of nobody."""
    made: dict[str, object] = {"resourceType": "Observation", "id": id_, "status": "final", "code": {"text": "x"}}
    return made | {"valueInteger": value} | ({"subject": {"reference": f"Patient/{patient}"}} if patient else {})


def put(body: str) -> Outgoing:
    """A PUT of these bytes to the id ``x``."""
    return Outgoing("Observation", "x", body.encode())


def answered(record: FhirServer, one: Outgoing) -> tuple[int, str | None, str]:
    """Status, HAPI's number, and the code it is given."""
    (answer,) = record.send([one])
    return answer.status, answer.number, judge_answer(one, answer).code


def test_its_statement_names_transactions_and_every_type(record: FhirServer) -> None:
    """R4, JSON, all types under our ids; it does not say that it takes batches, so transactions are sent."""
    said = record.capability()
    assert (said.batch, said.transaction, said.lacks) == (False, True, ())


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("{", (400, "HAPI-1861", "record.refused:processing")),
        ('{"resourceType":"Observation","id":"y"}', (400, "HAPI-0420", "record.refused:processing")),
        ('{"resourceType":"Patient","id":"x"}', (400, "HAPI-1814", "record.refused:processing")),
        (
            '{"resourceType":"Observation","id":"x","status":"nonsense"}',
            (400, "HAPI-1821", "record.refused:processing"),
        ),
    ],
)
def test_what_it_refuses_has_a_number(record: FhirServer, body: str, expected: tuple[int, str, str]) -> None:
    """The cause is the last number before the words, which stay outside."""
    status, number, code = expected
    found = answered(record, put(body))
    assert (found[0], found[2]) == (status, code)
    assert found[1] in (number, "HAPI-0450")


def test_a_reference_to_nobody_is_told_alone_and_together(record: FhirServer, own: str) -> None:
    """HAPI-1094 in a single PUT and for a whole transaction: parked for a person, as the target was never ours."""
    record.capability()
    outgoing = [put(f'{{"resourceType":"Observation","id":"x","subject":{{"reference":"Patient/{own}"}}}}')] * 2
    alone, together = record.send(outgoing[:1])[0], record.send([outgoing[0], Outgoing("Observation", "y", b"{}")])[0]
    assert (alone.status, alone.number, judge_answer(outgoing[0], alone).code) == (
        400, "HAPI-1094", "record.reference_missing",
    )  # fmt: skip
    assert (together.status, together.shared) == (400, True)


def test_a_reference_that_leads_nowhere_waits_for_a_person(ledger: Shelf, delivery: Delivery, own: str) -> None:
    """Its target was never delivered from here: the row is parked under its own code, the rest arrives."""
    ledger.add(observation(f"{own}-1", f"{own}-nobody"))
    ledger.add(observation(f"{own}-2"))
    delivery.step()
    assert ledger.waiting() == {f"{own}-1": ("parked", "record.reference_missing")}


def test_what_the_record_has_lost_goes_again_before_what_refers_to_it(
    ledger: Shelf, delivery: Delivery, record: FhirServer, own: str, settle: Settle
) -> None:
    """A patient whom the record confirmed and lost (a restored backup) is sent again, and then the Observation."""
    ledger.add(observation(f"{own}-0"))
    settle(delivery)
    ledger.add({"resourceType": "Patient", "id": own})
    _confirmed_without_sending(delivery, ledger)
    ledger.add(observation(f"{own}-1", own), patient=own)
    settle(delivery)
    assert ledger.waiting() == {}
    assert delivery.counts.codes["record.reference_missing"] == 1
    assert record.read(("Patient", own), 10_000) is not None


def test_a_patient_who_was_deleted_there_is_not_brought_back(
    hapi_server: Server, ledger: Shelf, delivery: Delivery, own: str, settle: Settle
) -> None:
    """HAPI-1096: somebody decided; the Observation is parked for identity review, the patient stays deleted."""
    ledger.add({"resourceType": "Patient", "id": own})
    settle(delivery)
    httpx.delete(f"{hapi_server.url}/Patient/{own}", timeout=60).raise_for_status()
    ledger.add(observation(f"{own}-1", own), patient=own)
    settle(delivery)
    assert ledger.waiting() == {f"{own}-1": ("parked", "record.gone")}
    assert httpx.get(f"{hapi_server.url}/Patient/{own}", timeout=60).status_code == 410


def test_one_refused_of_a_hundred_is_found_in_halves(
    hapi_server: Server, ledger: Shelf, delivery: Delivery, own: str, settle: Settle
) -> None:
    """A transaction is refused whole for one resource; 99 arrive once, in one version, and that one is parked."""
    with ledger.together():
        for n in range(100):
            one = observation(f"{own}-{n}")
            ledger.add(one if n != 37 else one | {"status": "nonsense"})
    settle(delivery)
    assert ledger.waiting() == {f"{own}-37": ("parked", "record.refused:processing")}
    assert delivery.counts.requests < 20
    history = httpx.get(f"{hapi_server.url}/Observation/{own}-36/_history", timeout=60).json()
    assert len(history["entry"]) == 1


def test_racing_transactions_are_no_conflict(hapi_server: Server, own: str) -> None:
    """Two that send the same at once: HAPI's retry header makes both a success, with one version each."""
    with FhirServer(hapi_server.url) as one, FhirServer(hapi_server.url) as other:
        for server in (one, other):
            server.capability()
        gate = threading.Barrier(2)

        def send(server: FhirServer, outgoing: list[Outgoing]) -> list[Answer]:
            gate.wait()
            return list(server.send(outgoing))

        versions: set[str | None] = set()
        with ThreadPoolExecutor(2) as pool:
            for turn in range(10):
                ids = [f"{own}-{turn}-{n}" for n in range(5)]
                many = [
                    Outgoing("Observation", i, f'{{"resourceType":"Observation","id":"{i}"}}'.encode()) for i in ids
                ]
                for answers in pool.map(send, (one, other), (many, many)):
                    assert {answer.status for answer in answers} <= {200, 201}
                    versions |= {answer.version for answer in answers}
        assert versions == {"1"}


def test_a_type_that_is_not_set_up_is_no_lost_patient(hapi_server: Server) -> None:
    """HAPI answers 404 for a type it does not have; that is not taken for a patient who is gone."""
    answer = httpx.put(f"{hapi_server.url}/Nonsense/x", content="{}", headers=_FHIR, timeout=60)
    assert answer.status_code == 404
    with FhirServer(hapi_server.url) as record:
        one = Outgoing("Nonsense", "x", b'{"resourceType":"Nonsense","id":"x"}')
        assert answered(record, one) == (404, "HAPI-0302", "record.not_supported")


def _confirmed_without_sending(delivery: Delivery, ledger: Shelf) -> None:
    """As after a backup was restored over there: our ledger says delivered, the record knows nothing of it."""
    with ledger.file.readers.connect() as connection:
        due = rows.due(connection, delivery.destination, 1 << 62)
    done: list[outcomes.Outcome] = [outcomes.Delivered(one, "1") for one in due]
    long_ago = 1
    ledger.file.writer.write(lambda c: outcomes.settle(c, delivery.destination, done, long_ago, confirms=True))
