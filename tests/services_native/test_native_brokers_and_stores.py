"""InfluxDB, Mosquitto and HAPI as the suites use them: they answer, are killed, and come back with what they had."""

import os
import signal

import httpx
import pytest

from scripts.probes.brokers import Account, Client, until
from tests.support.servers import InfluxServer, MosquittoServer, Server

UP = "constantes/v1/up"


def write(server: InfluxServer, bucket: str, line: str) -> int:
    """Write one line at a precision of seconds; the answer's status."""
    where = {"org": server.org, "bucket": bucket, "precision": "s"}
    headers = {"Authorization": f"Token {server.token}"}
    return httpx.post(f"{server.url}/api/v2/write", params=where, headers=headers, content=line).status_code


def read(server: InfluxServer, bucket: str) -> list[str]:
    """All values of a bucket, as text."""
    headers = {"Authorization": f"Token {server.token}", "Content-Type": "application/vnd.flux"}
    flux = f'from(bucket: "{bucket}") |> range(start: 0) |> keep(columns: ["_value"])'
    answer = httpx.post(f"{server.url}/api/v2/query", params={"org": server.org}, headers=headers, content=flux)
    rows = answer.raise_for_status().text.splitlines()
    return [row.rpartition(",")[2] for row in rows[1:] if row]


def test_influx_keeps_its_points_through_a_kill(influx_server: InfluxServer) -> None:
    """What was answered with 204 is there after SIGKILL, at the same address, under the same token."""
    bucket = influx_server.fresh_bucket()
    assert write(influx_server, bucket, "pulse,device=d rate=61 1700000000") == 204
    influx_server.kill()
    assert influx_server.pid == 0
    influx_server.start()
    assert read(influx_server, bucket) == ["61"]


def test_influx_gives_each_asker_an_empty_bucket(influx_server: InfluxServer) -> None:
    """Two tests never meet in one bucket; the token's file says what the token is."""
    first, second = influx_server.fresh_bucket(), influx_server.fresh_bucket(3600)
    write(influx_server, first, "pulse,device=d rate=61 1700000000")
    assert read(influx_server, second) == []
    assert influx_server.token_file.read_text() == influx_server.token


def test_influx_asks_for_the_token(influx_server: InfluxServer) -> None:
    """A writer without the token is told so."""
    where = {"org": influx_server.org, "bucket": influx_server.bucket}
    assert httpx.post(f"{influx_server.url}/api/v2/write", params=where, content="a b=1").status_code == 401


def test_mosquitto_keeps_what_waits_over_a_stop(mosquitto_server: MosquittoServer) -> None:
    """A reading that waits for the gateway is delivered after the broker's restart."""
    own, account = mosquitto_server.credentials, Account("dev-waits")
    mosquitto_server.gate.admit([account.user])
    gateway = Client(own.username, own.secret, own.client_id, clean=False)
    assert gateway.connect(mosquitto_server.address) == 0
    gateway.subscribe(f"{UP}/dev-waits/#")
    gateway.leave()
    device = Client(account.name, account.secret, account.name)
    device.connect(mosquitto_server.address)
    device.publish(f"{UP}/dev-waits/reading", b"waits")
    device.leave()
    mosquitto_server.stop()
    assert mosquitto_server.pid == 0
    mosquitto_server.start()
    back = Client(own.username, own.secret, own.client_id, clean=False)
    back.connect(mosquitto_server.address)
    until(lambda: back.payloads() == [b"waits"], "what waited")
    back.leave()


def test_mosquitto_reads_its_accounts_again_after_a_kill(mosquitto_server: MosquittoServer) -> None:
    """The reload command finds the process that runs now, not the one that was killed."""
    before = mosquitto_server.pid
    mosquitto_server.kill()
    mosquitto_server.start()
    assert mosquitto_server.pid not in {0, before}
    mosquitto_server.gate.admit([Account("dev-new").user])


def test_hapi_keeps_what_it_answered_for_through_a_kill(hapi_server: Server) -> None:
    """Each resource that was answered with 201 just before SIGKILL is there afterwards, in its first version."""
    for number in range(20):
        patient = {"resourceType": "Patient", "id": f"kept-{number}"}
        assert httpx.put(f"{hapi_server.url}/Patient/kept-{number}", json=patient, timeout=60).status_code == 201
    hapi_server.kill()
    assert hapi_server.pid == 0
    hapi_server.start()
    for number in range(20):
        found = httpx.get(f"{hapi_server.url}/Patient/kept-{number}", timeout=60)
        assert (found.status_code, found.json()["meta"]["versionId"]) == (200, "1")


@pytest.mark.parametrize("name", ["postgres_server", "influx_server", "mosquitto_server", "hapi_server"])
@pytest.mark.services
def test_a_server_that_is_held_goes_on_where_it_was(name: str, request: pytest.FixtureRequest) -> None:
    """SIGSTOP and SIGCONT make a service slow without ending it."""
    server: Server = request.getfixturevalue(name)
    before = server.pid
    server.kill(signal.SIGSTOP)
    server.kill(signal.SIGCONT)
    assert server.pid == before
    os.kill(before, 0)
