"""A FHIR server at the end of bad lines: what is read is bounded, and nothing is followed or given away."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx
import pytest

from fhir_export.push import server
from fhir_export.push.bundle import bundle
from fhir_export.push.port import GONE, Ending, Outgoing, RecordUnavailable
from fhir_export.push.server import FhirServer
from simulators.record.process import Running, running

A = Outgoing("Observation", "a", b'{"resourceType":"Observation","id":"a","valueQuantity":{"value":36.60}}')
B = Outgoing("Observation", "b", b'{"resourceType":"Observation","id":"b","meta":{"security":[{"code":"HTEST"}]}}')


class Canned:
    """A server that answers every request with the same bytes, and keeps what it was sent."""

    def __init__(self, answer: bytes, *, endless: bytes = b"") -> None:
        """``endless`` follows the answer until the client hangs up."""
        self._answer, self._endless = answer, endless
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.base = f"http://127.0.0.1:{self._listening.getsockname()[1]}/fhir"
        self.heard = b""
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                line, _ = self._listening.accept()
                with line, suppress(OSError):
                    self.heard += _request(line)
                    line.sendall(self._answer)
                    while self._endless:
                        line.sendall(self._endless)


def _request(line: socket.socket) -> bytes:
    """Head and body; less when the client says no more."""
    heard = piece = line.recv(65_536)
    while piece:
        head, _, body = heard.partition(b"\r\n\r\n")
        length = re.search(rb"content-length: ([0-9]+)", head.lower())
        if b"\r\n\r\n" in heard and len(body) >= int(length[1] if length else 0):
            break
        piece = line.recv(65_536)
        heard += piece
    return heard


def http(status: str, *headers: str, body: bytes = b"") -> bytes:
    """An HTTP answer that closes the line."""
    lines = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}", "Connection: close", "", ""]
    return "\r\n".join(lines).encode() + body


@pytest.fixture
def token(tmp_path: Path) -> Path:
    """A token file."""
    file = tmp_path / "token"
    file.write_text("first\n")
    return file


@pytest.fixture
def guarded(token: Path) -> Iterator[Running]:
    """A record that asks for the token in the file."""
    with running(token_file=token, reference_checks=False) as one:
        yield one


def test_a_redirect_is_not_followed(token: Path) -> None:
    """The other host never hears of us, let alone of the token."""
    with Canned(http("200 OK")) as elsewhere:
        redirect = http("307 Temporary Redirect", f"Location: {elsewhere.base}/Observation/a")
        with Canned(redirect) as here, FhirServer(here.base, token) as record:
            assert [answer.status for answer in record.send([A])] == [307]
        assert elsewhere.heard == b""


def test_an_endless_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A body that does not end is read to the bound and counts as no answer."""
    monkeypatch.setattr(server, "LARGEST_ANSWER", 1_000_000)
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/fhir+json\r\nContent-Length: 1000000000\r\n\r\n"
    with Canned(head, endless=b" " * 65_536) as here, FhirServer(here.base) as record:
        assert [answer.ending for answer in record.send([A])] == [Ending.LOST]


def test_an_answer_that_drips_is_given_up() -> None:
    """A byte now and then does not hold a delivery beyond its time."""
    with running(faults=["slow:1:0.05"], reference_checks=False) as one, FhirServer(one.base, whole_s=0.2) as record:
        began = time.monotonic()
        assert [answer.ending for answer in record.send([A])] == [Ending.LOST]
        assert time.monotonic() - began < 10


def test_silence_is_given_up() -> None:
    """No byte at all within the limit is no answer."""
    with running(faults=["late:1:5"], reference_checks=False) as one, FhirServer(one.base, silence_s=0.2) as record:
        assert [answer.ending for answer in record.send([A, B])] == [Ending.LOST, Ending.UNSENT]


def test_a_closed_port_is_told_from_a_lost_answer() -> None:
    """When nobody listens, nothing has left."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with FhirServer(f"http://127.0.0.1:{port}/fhir") as record:
        assert [answer.ending for answer in record.send([A, B])] == [Ending.UNSENT] * 2
        with pytest.raises(RecordUnavailable) as fault:
            record.capability()
    assert fault.value.code == "record.unreachable"


@pytest.mark.parametrize("fault", ["cut", "truncated", "cut_before"])
def test_a_cut_line_is_no_answer(fault: str) -> None:
    """Whether before, in or instead of the answer: what became of the resource is unknown."""
    with running(faults=[fault], reference_checks=False) as one, FhirServer(one.base) as record:
        assert [answer.ending for answer in record.send([A])] == [Ending.LOST]


def test_a_portal_is_not_a_capability_statement() -> None:
    """HTML with status 200 tells nothing of what the record does."""
    with (
        running(faults=["wrong"]) as one,
        FhirServer(one.base) as record,
        pytest.raises(RecordUnavailable) as fault,
    ):
        record.capability()
    assert fault.value.code == "record.portal"


@pytest.mark.parametrize(
    "answer",
    [
        http("200 OK", "Content-Type: application/fhir+xml", body=b"<CapabilityStatement/>"),
        http("406 Not Acceptable", "Content-Type: text/plain", body=b"no"),
    ],
    ids=["XML", "406"],
)
def test_a_server_without_json_is_named(answer: bytes) -> None:
    """What it does is not known, and why is."""
    with Canned(answer) as here, FhirServer(here.base) as record, pytest.raises(RecordUnavailable) as fault:
        record.capability()
    assert fault.value.code == "record.not_json"


def test_what_was_deleted_is_told_from_what_is_not_there() -> None:
    """410 is somebody's decision, 404 is not."""
    outcome = b'{"resourceType":"OperationOutcome"}'
    gone = http("410 Gone", "Content-Type: application/fhir+json", body=outcome)
    with Canned(gone) as here, FhirServer(here.base) as record, pytest.raises(RecordUnavailable) as fault:
        record.read(A.identity, 1000)
    assert fault.value.code == GONE
    missing = http("404 Not Found", "Content-Type: application/fhir+json", body=outcome)
    with Canned(missing) as here, FhirServer(here.base) as record:
        assert record.read(A.identity, 1000) is None


def test_a_server_that_announces_transactions_alone_gets_transactions() -> None:
    """As HAPI does; the Bundle says so, and what meets another writer is to be tried again there."""
    rest = b'"rest":[{"mode":"server","interaction":[{"code":"transaction"}]}]'
    said = b'{"resourceType":"CapabilityStatement","fhirVersion":"4.0.1","format":["json"],' + rest + b"}"
    with Canned(http("200 OK", "Content-Type: application/fhir+json", body=said)) as here, FhirServer(here.base) as one:
        assert one.capability().transaction
        one.send([A, B])
        heard = here.heard
    assert b'"type":"transaction"' in heard
    assert b"x-retry-on-version-conflict: retry" in heard.lower()


def test_the_token_is_read_again_once(guarded: Running, token: Path) -> None:
    """A token that was renewed in its file is used at the first 401, in the same call."""
    with FhirServer(guarded.base, token) as record:
        assert record.send([A])[0].status == 201
        token.write_text("second\n")
        assert [answer.status for answer in record.send([A, B])] == [200, 201]


def test_a_refused_token_is_tried_twice_and_no_more() -> None:
    """After the second 401 the answer is 401."""
    refusal = http("401 Unauthorized", "Content-Type: application/fhir+json", body=b"{}")
    with Canned(refusal) as here, FhirServer(here.base) as record:
        assert [answer.status for answer in record.send([A])] == [401]
    assert here.heard.count(b"PUT /fhir/Observation/a ") == 2


@pytest.mark.parametrize("content", ["", "zwei\nzeilen\n", "é"])
def test_an_unusable_token_is_not_sent(guarded: Running, token: Path, content: str) -> None:
    """An empty file, two lines, or a letter that no header carries: the server's 401 tells."""
    with FhirServer(guarded.base, token) as record:
        token.write_text(content)
        record.send([A])
        assert record.send([A])[0].status == 401


def test_the_machines_proxy_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy named by the environment gets nothing."""
    with Canned(http("200 OK")) as proxy, running(reference_checks=False) as one:
        monkeypatch.setenv("HTTP_PROXY", proxy.base)
        monkeypatch.setenv("ALL_PROXY", proxy.base)
        with FhirServer(one.base) as record:
            assert record.send([A])[0].status == 201
    assert proxy.heard == b""


def test_a_batch_holds_the_very_bytes() -> None:
    """Resources stand in the Bundle as they are kept; only a Bundle of test data through and through says HTEST."""
    mixed = bundle([A, B], "https://record.example.org/fhir")
    assert A.body in mixed
    assert B.body in mixed
    tree = json.loads(mixed)
    assert [entry["request"] for entry in tree["entry"]] == [
        {"method": "PUT", "url": "Observation/a"},
        {"method": "PUT", "url": "Observation/b"},
    ]
    assert tree["entry"][0]["fullUrl"] == "https://record.example.org/fhir/Observation/a"
    assert "meta" not in tree
    assert json.loads(bundle([B], "x"))["meta"]["security"][0]["code"] == "HTEST"


def test_a_batch_is_one_request(record_counts: Callable[[Running], int]) -> None:
    """A hundred resources go in one POST when the server takes batches."""
    many = [
        Outgoing("Observation", f"o{n}", f'{{"resourceType":"Observation","id":"o{n}"}}'.encode()) for n in range(100)
    ]
    with running(faults=["late:1:0"], reference_checks=False) as one, FhirServer(one.base) as record:
        record.capability()
        before = record_counts(one)
        assert all(answer.status == 201 for answer in record.send(many))
        assert record_counts(one) - before == 1


@pytest.fixture
def record_counts() -> Callable[[Running], int]:
    """How many requests met the fault that harms nothing."""
    return lambda one: int(httpx.get(f"{one.inspect}/faults").json()["fired"].get("late", 0))
