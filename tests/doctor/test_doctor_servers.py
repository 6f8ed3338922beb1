"""The doctor at records, an InfluxDB and their clocks: real ones, and stubs for what real ones do not do."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.doctor.clock import by_discipline
from simulators.record.process import running
from tests.support.servers import InfluxServer

Ask = Callable[..., Any]
UPDATES = [{"code": "update"}]


@dataclass
class Stub:
    """A server that says what it is told to; `hours` is how far its clock is ahead."""

    statement: dict[str, Any] = field(default_factory=dict)
    status: int = 200
    hours: float = 0.0
    body: bytes | None = None
    base: str = ""
    asked: list[str] = field(default_factory=list)


@contextmanager
def stub(said: Stub) -> Iterator[Stub]:
    """Serve it on a free port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            said.asked.append(self.path)
            is_statement = self.path.endswith("/metadata")
            body = json.dumps(said.statement).encode() if said.body is None else said.body
            self.send_response_only(said.status if is_statement else 404)
            self.send_header("Date", formatdate(time.time() + said.hours * 3600, usegmt=True))
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with suppress(OSError):  # who asked has enough and hangs up
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        said.base = f"http://127.0.0.1:{server.server_port}/fhir"
        yield said
        server.shutdown()
        thread.join()


def statement(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """A CapabilityStatement of a server that takes everything, with changes of the parts of each resource."""
    types = ("Patient", "Device", "Observation", "Provenance", "DiagnosticReport", "Media", "Binary",
             "DocumentReference", "ImagingStudy")  # fmt: skip
    parts = {"interaction": UPDATES, "updateCreate": True} | changes
    kept = {name: value for name, value in parts.items() if value is not None}
    rest = {
        "mode": "server",
        "resource": [{"type": each, **kept} for each in types],
        "interaction": [{"code": "transaction"}],
    }
    return {"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1", "format": ["json"], "rest": [rest]}


def test_no_record_is_a_note(ask: Ask) -> None:
    """Exports wait; nothing is wrong."""
    assert ask("destination").codes == {"destination.none"}


def test_a_record_that_takes_everything_is_clean(ask: Ask) -> None:
    """The simulated record, as it is served."""
    with running() as record:
        told = ask("destination", "clock", RECORD__URL=record.base, CLOCK__DISCIPLINED="yes")
    assert (told.code, told.bad) == (0, set())


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("busy503", "destination.no_fhir"),
        ("wrong", "destination.no_fhir"),
        ("redirect302", "destination.no_fhir"),
        ("truncated", "destination.unreachable"),
        ("late:1:30", "destination.unreachable"),
        ("unauthorized401", "destination.token_refused"),
    ],
)
def test_a_record_that_misbehaves_is_found(fault: str, code: str, ask: Ask) -> None:
    """Whatever it answers instead of its statement, and when it answers nothing."""
    with running(faults=[fault]) as record:
        begun = time.monotonic()
        told = ask("destination", RECORD__URL=record.base)
    assert (told.code, told.bad) == (1, {code})
    assert time.monotonic() - begun < 15.0


def test_a_record_that_is_not_there_is_found(ask: Ask) -> None:
    """Each destination by its name."""
    told = ask("destination", RECORDS__REGION__URL="http://127.0.0.1:9/fhir")
    assert (told.code, told.codes) == (1, {"destination.unreachable"})
    assert "`region`" in told.words("destination.unreachable")


@pytest.mark.parametrize(
    ("given", "code"),
    [("the-right-one", None), ("another", "destination.token_refused"), ("", "destination.no_token")],
)
def test_a_token_is_tried(given: str, code: str | None, tmp_path: Path, ask: Ask) -> None:
    """The statement is open to all: only a read tells. The token is in no word of it."""
    right, used = tmp_path / "right", tmp_path / "used"
    right.write_text("the-right-one")
    used.write_text(given)
    with running(token_file=right) as record:
        told = ask("destination", RECORD__URL=record.base, RECORD__TOKEN_FILE=str(used))
    assert (code in told.bad) if code else told.bad == set()
    assert "the-right-one" not in json.dumps(told.items)


@pytest.mark.parametrize(
    ("said", "codes"),
    [
        (Stub(statement()), set()),
        (Stub(statement(updateCreate=None)), {"destination.client_ids_unsaid"}),
        (Stub(statement(updateCreate=False)), {"destination.client_ids", "destination.types_not_taken"}),
        (Stub(statement(interaction=[{"code": "read"}])), {"destination.types_not_taken"}),
        (Stub(statement() | {"fhirVersion": "5.0.0"}), {"destination.not_fhir_r4"}),
        (Stub(statement() | {"format": ["xml"]}), {"destination.not_json"}),
        (Stub({"resourceType": "Patient"}), {"destination.no_fhir"}),
        (Stub(body=b"<html>"), {"destination.no_fhir"}),
        (Stub(body=b"[" * 100_000), {"destination.no_fhir"}),
        (Stub(statement(), status=302), {"destination.no_fhir"}),
        (Stub(statement(), status=401), {"destination.token_refused"}),
        (Stub(body=b" " * 5_000_000), {"destination.unreachable"}),
    ],
)
def test_what_a_server_says_of_itself_is_judged(said: Stub, codes: set[str], ask: Ask) -> None:
    """Release, format, ids chosen by clients, types; what is no statement; an answer without an end."""
    with stub(said):
        assert ask("destination", RECORD__URL=said.base).codes == codes


def test_a_server_that_takes_one_at_a_time_is_a_note(ask: Ask) -> None:
    """Slower, and nothing is lost."""
    said = Stub(statement())
    said.statement["rest"][0]["interaction"] = []
    with stub(said):
        told = ask("destination", RECORD__URL=said.base)
    assert (told.code, told.codes) == (0, {"destination.one_by_one"})


def test_nobody_is_asked_for_by_name(ask: Ask) -> None:
    """The one resource that is read has a random name: no patient's."""
    said = Stub(statement())
    with stub(said):
        ask("destination", RECORD__URL=said.base)
    assert said.asked[0] == "/fhir/metadata"
    assert said.asked[1].startswith("/fhir/Patient/constantes-doctor-")


@pytest.mark.parametrize(
    ("hours", "code"), [(0.0, None), (0.02, "clock.far"), (0.5, "clock.too_far"), (-24.0, "clock.too_far")]
)
def test_a_clock_that_differs_is_found_once(hours: float, code: str | None, ask: Ask) -> None:
    """By the record's `Date`; two looks see it, and it is told once."""
    said = Stub(statement(), hours=hours)
    with stub(said):
        told = ask("destination", "clock", RECORD__URL=said.base, CLOCK__DISCIPLINED="yes")
    found = [item["code"] for item in told.items if item["code"] in ("clock.far", "clock.too_far")]
    assert found == ([code] if code else [])


@pytest.mark.parametrize(
    ("setting", "kernel", "codes"),
    [
        ("auto", True, []),
        ("auto", False, ["clock.undisciplined"]),
        ("yes", True, []),
        ("yes", False, ["clock.declared_right"]),
        ("no", True, ["clock.declared_wrong"]),
    ],
)
def test_what_the_kernel_says_of_the_clock(setting: str, kernel: bool, codes: list[str]) -> None:  # noqa: FBT001
    """Held against what the setting says."""
    assert [finding.code for finding in by_discipline(setting, kernel=kernel)] == codes


def test_an_embedded_series_needs_nothing(ask: Ask) -> None:
    """It is part of the ledger."""
    assert ask("series").codes == set()


def influx(server: InfluxServer, **more: str) -> dict[str, str]:
    """The settings that lead to it."""
    own = {name.removeprefix("CONSTANTES_"): value for name, value in server.environment.items()}
    return own | more


def test_a_bucket_as_it_should_be_is_clean_and_stays_empty(influx_server: InfluxServer, ask: Ask) -> None:
    """Writing is tried without writing."""
    bucket = influx_server.fresh_bucket(30 * 86_400)
    told = ask("series", **influx(influx_server, SERIES__BUCKET=bucket, SERIES__KEEP_DAYS="30"))
    assert (told.code, told.codes) == (0, set())
    flux = f'from(bucket: "{bucket}") |> range(start: 0)'
    headers = {"Authorization": f"Token {influx_server.token}", "Content-Type": "application/vnd.flux"}
    url = f"{influx_server.url}/api/v2/query?org={influx_server.org}"
    assert httpx.post(url, headers=headers, content=flux, trust_env=False).text.strip() == ""


def test_a_bucket_that_keeps_shorter_than_the_setting_is_found(influx_server: InfluxServer, ask: Ask) -> None:
    """It forgets after 30 days, and the setting says never."""
    told = ask("series", **influx(influx_server, SERIES__BUCKET=influx_server.fresh_bucket(30 * 86_400)))
    assert told.bad == {"series.retention"}
    assert "keeps 30 d" in told.words("series.retention")


def test_a_bucket_that_is_not_there_is_found(influx_server: InfluxServer, ask: Ask) -> None:
    """And none is made."""
    for _ in range(2):
        assert ask("series", **influx(influx_server, SERIES__BUCKET="never-made")).bad == {"series.no_bucket"}


def test_a_token_that_is_refused_is_found(influx_server: InfluxServer, tmp_path: Path, ask: Ask) -> None:
    """A wrong one; and an empty file."""
    file = tmp_path / "token"
    file.write_text("wrong")
    assert ask("series", **influx(influx_server, SERIES__TOKEN_FILE=str(file))).bad == {"series.token_refused"}
    file.write_text("")
    assert ask("series").bad == {"series.no_token"}


@pytest.mark.parametrize(("right", "code"), [("read", "series.may_not_write"), ("write", "series.no_bucket")])
def test_a_token_with_half_of_the_rights_is_found(
    right: str, code: str, influx_server: InfluxServer, tmp_path: Path, ask: Ask
) -> None:
    """Whichever half is missing."""
    bucket = influx_server.fresh_bucket()
    file = tmp_path / "token"
    file.write_text(token_with(influx_server, bucket, right))
    assert code in ask("series", **influx(influx_server, SERIES__BUCKET=bucket, SERIES__TOKEN_FILE=str(file))).bad


def token_with(server: InfluxServer, bucket: str, right: str) -> str:
    """A token that may do one thing with one bucket."""
    headers = {"Authorization": f"Token {server.token}"}
    with httpx.Client(base_url=f"{server.url}/api/v2", headers=headers, trust_env=False) as client:
        org = client.get("/orgs", params={"org": server.org}).json()["orgs"][0]["id"]
        found = client.get("/buckets", params={"name": bucket, "org": server.org}).json()["buckets"][0]["id"]
        allowed = [{"action": right, "resource": {"type": "buckets", "id": found, "orgID": org}}]
        made = client.post("/authorizations", json={"orgID": org, "permissions": allowed})
        return str(made.json()["token"])


def test_an_influxdb_that_is_not_there_is_found(tmp_path: Path, ask: Ask) -> None:
    """A warning: trends are missing, and nothing is lost."""
    file = tmp_path / "token"
    file.write_text("x")
    told = ask("series", SERIES__URL="http://127.0.0.1:9", SERIES__TOKEN_FILE=str(file))
    assert (told.code, told.bad) == (0, {"series.unreachable"})
