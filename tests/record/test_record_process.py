"""The record as a process: how it starts, ends, is killed, and whom it lets in."""

import asyncio
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from simulators.record import NotStarted, line
from simulators.record.answers import Answer, Refused, refusal
from simulators.record.line import Line
from simulators.record.process import Running, running

_JSON = {"Content-Type": "application/fhir+json"}


def patient(number: int) -> bytes:
    """A Patient whose id is a number."""
    return f'{{"resourceType":"Patient","id":"{number}"}}'.encode()


def put(client: httpx.Client, record: Running, number: int) -> httpx.Response:
    """PUT a Patient whose id is a number."""
    return client.put(f"{record.base}/Patient/{number}", content=patient(number), headers=_JSON)


def ids(record: Running) -> set[int]:
    """The ids of all Patients in the record."""
    lines = httpx.get(f"{record.inspect}/resources?type=Patient").text.splitlines()
    return {int(one.split('"')[-2]) for one in lines}


def put_until_the_end(record: Running) -> set[int]:
    """PUT Patients as long as the record answers; the numbers it answered to."""
    done = set[int]()
    with httpx.Client() as client:
        while True:
            try:
                put(client, record, len(done)).raise_for_status()
            except httpx.TransportError:
                return done
            done.add(len(done))


def _kill(process: subprocess.Popen[str]) -> None:
    process.kill()


def _terminate(process: subprocess.Popen[str]) -> None:
    process.terminate()


@pytest.mark.faults
@pytest.mark.parametrize("end", [_kill, _terminate])
def test_what_was_answered_outlives_the_process(tmp_path: Path, end: Callable[[subprocess.Popen[str]], None]) -> None:
    """After kill -9 and after SIGTERM in the middle of writes, a new process on the file has all that was answered."""
    file = tmp_path / "record.db"
    with running(file=file) as record, ThreadPoolExecutor(1) as pool:
        answered = pool.submit(put_until_the_end, record)
        deadline = time.monotonic() + 30
        while len(ids(record)) < 100 and time.monotonic() < deadline:
            time.sleep(0.01)
        end(record.process)
        done = answered.result()
    with running(file=file) as record:
        # One more may have been stored whose answer was lost with the process.
        assert len(done) >= 100
        assert done <= ids(record) <= {*done, len(done)}


@pytest.mark.parametrize("ends", [signal.SIGTERM, signal.SIGINT])
def test_a_record_ends_in_order(ends: signal.Signals) -> None:
    """A record ends with status 0 and without a word, with open lines and an answer still owed."""
    command = [sys.executable, "-m", "simulators.record", "--fault", "late:1:3600"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        base = process.stdout.readline().split()[-1]
        with httpx.Client() as client:
            client.get(base.replace("/fhir", "/_inspect/summary"))
            with pytest.raises(httpx.ReadTimeout):
                client.get(f"{base}/metadata", timeout=0.1)
            process.send_signal(ends)
            assert process.communicate(timeout=10) == ("", "")
        assert process.returncode == 0


def test_it_listens_on_loopback_alone(record: Running) -> None:
    """The record is reached on 127.0.0.1, not on another address of the machine."""
    port = httpx.URL(record.base).port
    assert port
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.2", port), timeout=1)


@pytest.mark.parametrize(
    ("options", "status", "says"),
    [
        (["--port", "{taken}"], 1, "cannot listen on 127.0.0.1:{taken}"),
        (["--port", "99999"], 1, "cannot listen"),
        (["--file", "{folder}"], 1, "file {folder} cannot be used"),
        (["--token-file", "{folder}/none"], 1, "cannot be read or holds no token"),
        (["--fault", "nothing"], 2, "This fault is not known. Possible are: late,"),
    ],
)
def test_a_record_that_cannot_start_says_why(tmp_path: Path, options: list[str], status: int, says: str) -> None:
    """A record that cannot start ends with a sentence that says why, and no traceback."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        facts = {"taken": taken.getsockname()[1], "folder": tmp_path}
        command = [sys.executable, "-m", "simulators.record", *(one.format(**facts) for one in options)]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    assert (ended.returncode, ended.stdout) == (status, "")
    assert says.format(**facts) in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_record_that_does_not_start_is_not_waited_for(tmp_path: Path) -> None:
    """Starting a record in a process raises when it cannot start."""
    with pytest.raises(NotStarted), running(file=tmp_path):
        pass


def test_a_token_is_asked_for(tmp_path: Path) -> None:
    """With a token file, FHIR answers 401 without the token of that moment; metadata and inspection are open."""
    file = tmp_path / "token"
    file.write_text("first\n")

    def status(path: str, token: str | None = None) -> int:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx.get(f"{record.base}/{path}", headers=headers).status_code

    with running(token_file=file) as record:
        assert (status("Patient"), status("Patient", "second"), status("Patient", "first")) == (401, 401, 200)
        assert status("metadata") == 200
        assert httpx.get(f"{record.inspect}/summary").status_code == 200
        assert httpx.get(f"{record.base}/Patient").headers["WWW-Authenticate"] == "Bearer"
        file.write_text("second\n")
        assert (status("Patient", "first"), status("Patient", "second")) == (401, 200)
        file.unlink()
        assert status("Patient", "second") == 401


def test_what_is_not_http_ends_the_line(record: Running) -> None:
    """Bytes that are not HTTP are answered 400 and end their line; the record goes on."""
    port = httpx.URL(record.base).port
    with socket.create_connection(("127.0.0.1", port or 0), timeout=5) as stranger:
        stranger.sendall(b"\x16\x03\x01 not http\r\n\r\n")
        with stranger.makefile("rb") as answer:
            assert answer.read().startswith(b"HTTP/1.1 400")
    assert httpx.get(f"{record.base}/metadata").status_code == 200


def test_a_client_may_wait_for_100_continue(record: Running) -> None:
    """A client that waits for `100 Continue` before its body gets it, and then its answer."""
    body = patient(7)
    head = f"PUT /fhir/Patient/7 HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\nExpect: 100-continue\r\n"
    port = httpx.URL(record.base).port
    with socket.create_connection(("127.0.0.1", port or 0), timeout=5) as one:
        one.sendall(f"{head}Content-Type: application/fhir+json\r\n\r\n".encode())
        assert one.recv(1000).startswith(b"HTTP/1.1 100")
        one.sendall(body)
        assert one.recv(1000).startswith(b"HTTP/1.1 201")


def test_a_body_too_large_is_read_and_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A body over the limit is answered 413, and the same line carries the next request."""
    monkeypatch.setattr(line, "LARGEST_BODY", 1_000)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        one = Line(reader, writer)
        for _ in range(2):
            try:
                request = await one.receive()
                await one.send(Answer(200, request.body if request else b""))
            except Refused as why:
                await one.send(refusal(why))
        one.close()

    async def meet() -> list[int]:
        server = await asyncio.start_server(talk, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with server, httpx.AsyncClient() as client:
            url = f"http://127.0.0.1:{port}/"
            return [(await client.post(url, content=b"x" * size)).status_code for size in (1_001, 1_000)]

    assert asyncio.run(meet()) == [413, 200]
