"""Who may pull, and the row that is kept of it before anything leaves."""

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import Connection, select, text

from fhir_export import feed
from fhir_export.pull.routes import fhir_router
from ingest.ledger.faults import LedgerUnavailable
from ingest.ledger.integrity import row_hash
from ingest.ledger.jobs import Job
from ingest.ledger.schema import AUDIT, CLIENT
from ingest.ledger.writer import Writer
from registry import clients
from registry.audit import Access, Action, note
from registry.clients import may
from registry.faults import Conflict, Refused, Unfit, Unknown
from tests.pull.clinic import BASE, KEY, Clinic, TestClient, ids, observation, refused, valid
from tests.support.engines import in_a_file


def bearer(token: str) -> dict[str, str]:
    """The header of a token."""
    return {"Authorization": f"Bearer {token}"}


@in_a_file
@pytest.mark.parametrize(
    "header",
    [
        None, "", "Bearer", "Bearer ", "Basic Y2FiaW5ldDpzZWNyZXQ=", "Bearer a b", "Token abc",
    ],
)  # fmt: skip
def test_without_a_token_nothing_is_shown(clinic: Clinic, header: str | None) -> None:
    """No bearer token, or a malformed header, is 401 with the scheme that is wanted."""
    with TestClient(clinic.app) as web:
        for path in ("Observation", "Observation/o1", "Patient", "Device/d1"):
            answer = web.get(f"/fhir/{path}", headers={} if header is None else {"Authorization": header})
            refused(answer, 401, "no-token")
            assert answer.headers["www-authenticate"] == "Bearer"
        refused(web.post("/fhir/Patient/_search", data={"_id": "p1"}), 401, "no-token")
    assert clinic.audit() == []


def test_a_wrong_token_is_refused(clinic: Clinic) -> None:
    """Unknown, changed, overlong and strange tokens are 401, and say no more."""
    token = clinic.client()
    wrong = [token[:-1], token + "A", token.swapcase(), "x" * 5_000, "a.b.c", "eyJhbGciOiJub25lIn0.e30.", "' OR 1=1 --"]
    with TestClient(clinic.app) as web:
        assert web.get("/fhir/Patient", headers=bearer(token)).status_code == 200
        assert web.get("/fhir/Patient", headers={"Authorization": f"bearer  {token}"}).status_code == 200
        for one in wrong[:-1]:
            refused(web.get("/fhir/Patient", headers=bearer(one)), 401, "token")
        refused(web.get("/fhir/Patient", headers=bearer(wrong[-1])), 401, "no-token")
        twice = [("Authorization", f"Bearer {token}"), ("Authorization", f"Bearer {token}")]
        refused(web.get("/fhir/Patient", headers=twice), 401, "no-token")


def test_a_revoked_token_ends_at_once(clinic: Clinic) -> None:
    """The request after a revocation is 401."""
    token = clinic.client()
    with TestClient(clinic.app) as web:
        assert web.get("/fhir/Patient", headers=bearer(token)).status_code == 200
        for _ in range(2):
            clinic.file.writer.write(lambda connection: clients.revoke(connection, "cabinet-0", clinic.now))
        refused(web.get("/fhir/Patient", headers=bearer(token)), 401, "token")


def test_scopes_bound_what_is_done_with_a_type(clinic: Clinic) -> None:
    """`r` reads and `s` searches, each alone; another type, or `operations`, opens nothing. Refusals are kept too."""
    clinic.append(feed.Version(observation("o1", "2026-11-21T10:00:00+04:00"), "p1"))
    cases = {
        ("system/Observation.r",): (200, 403, 403),
        ("system/Observation.s",): (403, 200, 403),
        ("system/Observation.rs",): (200, 200, 403),
        ("system/Observation.cruds", "system/Patient.s"): (200, 200, 200),
        ("system/*.r",): (200, 403, 403),
        ("system/*.rs",): (200, 200, 200),
        ("operations",): (403, 403, 403),
        ("system/*.cud",): (403, 403, 403),
    }
    with TestClient(clinic.app) as web:
        for scopes, expected in cases.items():
            headers = bearer(clinic.client(*scopes))
            paths = ("/fhir/Observation/o1", "/fhir/Observation", "/fhir/Patient")
            answers = [web.get(path, headers=headers) for path in paths]
            assert tuple(answer.status_code for answer in answers) == expected, scopes
            for answer in answers:
                if answer.status_code == 403:
                    refused(answer, 403, "scope")
    assert ("cabinet-0", "search", "Observation", None, 0) in clinic.audit()
    assert len(clinic.audit()) == 3 * len(cases)


def test_a_client_sees_its_sites_only(clinic: Clinic) -> None:
    """Resources of elsewhere are not found, counted or read, and look like none; a Patient shows where he was seen."""
    north, south = clinic.take(2, site="nord"), clinic.take(1, person="p2", by="d2", site="sud")
    nowhere = clinic.take(1, site=None)
    with TestClient(clinic.app, headers=bearer(clinic.client(sites=["nord"]))) as web:
        assert ids(valid(web.get("/fhir/Observation"))) == north
        assert valid(web.get("/fhir/Observation?_count=0"))["total"] == 2
        assert ids(valid(web.get("/fhir/Patient"))) == ["p1"]
        assert ids(valid(web.get("/fhir/Device"))) == ["d1"]
        assert ids(valid(web.get(f"/fhir/Observation?patient=p2&_id={south[0]}"))) == []
        for path in (f"Observation/{south[0]}", f"Observation/{nowhere[0]}", "Patient/p2", "Device/d2"):
            foreign, unknown = web.get(f"/fhir/{path}"), web.get(f"/fhir/{path}x")
            refused(foreign, 404, "not-found")
            assert foreign.content == unknown.content
        assert web.get("/fhir/Patient/p1").status_code == 200
    with TestClient(clinic.app, headers=bearer(clinic.client(sites=["sud", "nord"]))) as web:
        assert ids(valid(web.get("/fhir/Observation"))) == north + south
    with TestClient(clinic.app, headers=bearer(clinic.client())) as web:
        assert ids(valid(web.get("/fhir/Observation"))) == north + south + nowhere


def test_every_access_is_kept(clinic: Clinic, web: TestClient) -> None:
    """A row tells who did what with which type, about whom when it is one person, and how many resources left."""
    one, two = clinic.take(2), clinic.take(1, person="p2")
    who = "cabinet-0"
    steps: dict[str, tuple[str, str, str | None, int]] = {
        f"Observation/{one[0]}": ("read", "Observation", "p1", 1),
        "Observation/none": ("read", "Observation", None, 0),
        "Patient/p2": ("read", "Patient", "p2", 1),
        "Observation": ("search", "Observation", None, 3),
        "Observation?patient=p1": ("search", "Observation", "p1", 2),
        f"Observation?_id={two[0]}": ("search", "Observation", "p2", 1),
        "Observation?patient=p1&code=1-1": ("search", "Observation", "p1", 0),
        "Observation?patient=p1&_count=0": ("search", "Observation", "p1", 0),
        "Observation?patient=4ab5c6": ("search", "Observation", None, 0),
        "Patient?identifier=urn:oid:2.999.1.4|IPP-p1": ("search", "Patient", "p1", 1),
        "Patient?identifier=280019741199930": ("search", "Patient", None, 0),
        "Device": ("search", "Device", None, 2),
    }
    for path, expected in steps.items():
        assert web.get(f"/fhir/{path}").status_code in {200, 404}
        assert clinic.audit()[-1] == (who, *expected), path
    headers = {"If-None-Match": '"1"'}
    assert web.get("/fhir/Patient/p1", headers=headers).status_code == 304
    assert clinic.audit()[-1] == (who, "read", "Patient", "p1", 0)
    assert len(clinic.audit()) == len(steps) + 1
    assert "280019741199930" not in clinic.rows()


def test_an_audit_row_shows_any_change(clinic: Clinic, web: TestClient) -> None:
    """Its hash covers every column, its position included, and positions have no hole."""
    web.get("/fhir/Patient/p1")
    web.get("/fhir/Patient")
    with clinic.file.readers.connect() as connection:
        rows = [tuple(row) for row in connection.execute(select(AUDIT).order_by(AUDIT.c.position))]
    assert [row[0] for row in rows] == [1, 2]
    for row in rows:
        assert row[-1] == row_hash(row[:-1])
        for column in range(len(row) - 1):
            assert row_hash((*row[:column], "other", *row[column + 1 : -1])) != row[-1]


class FullDisk(Writer):
    """A writer whose disk is full; it says so the way the real one does."""

    def __init__(self, inner: Writer) -> None:
        self.inner = inner

    def submit(self, job: Job[Any], lanes: object = None) -> Future[Any]:  # noqa: ARG002 - the port's signature
        """Refuse."""
        future: Future[Any] = Future()
        future.set_exception(LedgerUnavailable("The ledger cannot be used (SQLITE_FULL).", "Nothing.", "Make room."))
        return future


def test_what_cannot_be_audited_is_not_shown(clinic: Clinic) -> None:
    """With a writer that cannot write, reads and searches are 503 and carry no data; metadata is answered."""
    taken = clinic.take(1)
    token = clinic.client()
    app = FastAPI()
    full = FullDisk(clinic.file.writer)
    app.include_router(fhir_router(replace(clinic.file, writer=full), KEY, base=BASE))
    with TestClient(app, headers=bearer(token)) as web:
        for path in (f"Observation/{taken[0]}", "Observation", "Observation?_count=0", "Patient/p1", "Patient/none"):
            answer = web.get(f"/fhir/{path}")
            refused(answer, 503, "unavailable")
            assert answer.headers["retry-after"] == "5"
            assert b"36.60" not in answer.content
            assert taken[0].encode() not in answer.content
        assert web.get("/fhir/metadata").status_code == 200
    assert clinic.audit() == []


def test_the_row_is_there_before_the_answer(clinic: Clinic) -> None:
    """When the first byte of an answer is sent, its audit row can be read from the disk."""
    clinic.take(3)
    token = clinic.client()
    kept: list[int] = []

    async def watched(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 - ASGI's own shapes
        async def sending(message: Any) -> None:  # noqa: ANN401 - the same
            kept.append(len(clinic.audit()))
            await send(message)

        await clinic.app(scope, receive, sending)

    with TestClient(watched, headers=bearer(token)) as web:
        for n in range(1, 4):
            assert web.get("/fhir/Observation").status_code == 200
            assert kept[-1] == n
            assert min(kept[-2:]) == n


def test_a_broken_audit_table_shows_nothing(clinic: Clinic, web: TestClient) -> None:
    """An audit row that the database refuses is a reason for 503 like a full disk, and the next request works again."""
    clinic.file.writer.write(lambda connection: connection.execute(text("ALTER TABLE audit RENAME TO elsewhere")))
    refused(web.get("/fhir/Patient"), 503, "unavailable")
    clinic.file.writer.write(lambda connection: connection.execute(text("ALTER TABLE elsewhere RENAME TO audit")))
    assert web.get("/fhir/Patient").status_code == 200


def test_an_audit_that_takes_too_long_shows_nothing(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting ends with LedgerUnavailable, which holds neither the client nor the patient."""
    from registry import audit

    class Slow(FullDisk):
        def submit(self, job: Job[Any], lanes: object = None) -> Future[Any]:  # noqa: ARG002 - the port's signature
            return Future()

    monkeypatch.setattr(audit, "_PATIENCE_S", 0.01)
    access = Access(clinic.now, "cabinet-0", Action.READ, "Patient", "p1", 1)
    with pytest.raises(LedgerUnavailable) as told:
        note(Slow(clinic.file.writer), access)
    assert "p1" not in str(told.value)
    assert "cabinet" not in str(told.value)


# ---------------------------------------------------------------- clients


@pytest.mark.parametrize(
    ("scopes", "verb", "type_", "expected"),
    [
        (["system/*.rs"], "read", "Patient", True),
        (["system/*.rs"], "search", "Patient", True),
        (["system/Observation.r"], "read", "Observation", True),
        (["system/Observation.r"], "search", "Observation", False),
        (["system/Observation.s"], "read", "Observation", False),
        (["system/Observation.cruds"], "search", "Observation", True),
        (["system/Observation.rs"], "read", "Patient", False),
        (["system/Obs.rs"], "read", "Observation", False),
        (["system/Observation.r", "system/Patient.s"], "search", "Patient", True),
        (["system/*.read"], "read", "Patient", False),
        (["system/*.*"], "read", "Patient", False),
        (["patient/*.rs"], "read", "Patient", False),
        (["user/*.rs"], "read", "Patient", False),
        (["operations"], "read", "Patient", False),
        (["system/*.sr"], "read", "Patient", False),
        (["system/*."], "read", "Patient", False),
        (["system/*.rs?_id=1"], "read", "Patient", False),
        (["xsystem/*.rs"], "read", "Patient", False),
        (["system/*.rs\n"], "read", "Patient", False),
        ([], "read", "Patient", False),
    ],
)
def test_scopes_are_smart_v2_and_nothing_else(
    scopes: Sequence[str],
    verb: clients.Verb,
    type_: str,
    expected: bool,  # noqa: FBT001 - a column of the table
) -> None:
    """Only a version 2 system scope with the right letter and type allows anything."""
    assert may(scopes, verb, type_) is expected


@in_a_file
@pytest.mark.parametrize(
    ("scope", "word"),
    [
        ("system/*.read", "version 1"), ("system/Observation.write", "version 1"), ("system/*.*", "version 1"),
        ("patient/*.read", "version 1"), ("patient/Observation.rs", "system"), ("user/*.rs", "system"),
        ("system/*.rs?category=x", "--site"), ("system/*.sr", "cruds"), ("system/*.", "cruds"),
        ("everything", "operations"),
        ("", "operations"), ("system/observation.rs", "cruds"),
    ],
)  # fmt: skip
def test_a_scope_that_is_none_is_refused_with_what_to_write(clinic: Clinic, scope: str, word: str) -> None:
    """Adding a client with another spelling fails with a sentence, and adds nothing."""
    with pytest.raises(Unfit, match=word) as told:
        clinic.client("system/*.rs", scope)
    assert told.value.code == "client.scope"
    assert listed(clinic) == []


def listed(clinic: Clinic) -> list[clients.Client]:
    """All clients."""
    with clinic.file.readers.connect() as connection:
        return clients.listed(connection)


def test_a_client_is_kept_without_its_token(clinic: Clinic, tmp_path: Path) -> None:
    """The ledger has the hash alone, and finds the client by the token."""
    token = clinic.client("system/*.rs", "operations", sites=["MSP Nord", "sud"])
    made = clients.Client("cabinet-0", ("system/*.rs", "operations"), ("MSP Nord", "sud"), clinic.now)
    assert (clients.find(clinic.file.readers, token), listed(clinic)) == (made, [made])
    assert len(token) == 43
    assert token not in clinic.rows()
    for path in (one for one in tmp_path.rglob("*") if one.is_file()):
        assert token.encode() not in path.read_bytes()
    with clinic.file.readers.connect() as connection:
        assert len(connection.execute(select(CLIENT.c.token_hash)).scalar_one()) == 32


def test_a_name_is_given_once(clinic: Clinic) -> None:
    """A second client of one name is refused, also after the first is revoked, which stays in the list."""

    def add(connection: Connection) -> str:
        return clients.add(connection, "cabinet", ["system/*.rs"], [], clinic.now)

    token = clinic.file.writer.write(add)
    with pytest.raises(Conflict):
        clinic.file.writer.write(add)
    clinic.file.writer.write(lambda connection: clients.revoke(connection, "cabinet", clinic.now + 1))
    clinic.file.writer.write(lambda connection: clients.revoke(connection, "cabinet", clinic.now + 2))
    with pytest.raises(Conflict):
        clinic.file.writer.write(add)
    assert [one.revoked_at for one in listed(clinic)] == [clinic.now + 1]
    assert clients.find(clinic.file.readers, token) is None
    with pytest.raises(Unknown):
        clinic.file.writer.write(lambda connection: clients.revoke(connection, "nobody", clinic.now))


@in_a_file
@pytest.mark.parametrize(
    ("name", "scopes", "sites", "code"),
    [
        ("", ["system/*.rs"], [], "client.name"),
        ("a b", ["system/*.rs"], [], "client.name"),
        ("x" * 65, ["system/*.rs"], [], "client.name"),
        ("cabinet\n", ["system/*.rs"], [], "client.name"),
        ("cabinet", [], [], "client.scope"),
        ("cabinet", ["system/*.rs"], [""], "client.site"),
        ("cabinet", ["system/*.rs"], [" nord"], "client.site"),
        ("cabinet", ["system/*.rs"], ["no\x00rd"], "client.site"),
    ],
)
def test_a_client_has_a_plain_name_a_scope_and_sites(
    clinic: Clinic, name: str, scopes: list[str], sites: list[str], code: str
) -> None:
    """What is missing or cannot be a name is refused by its code."""
    with pytest.raises(Refused) as told:
        clinic.file.writer.write(lambda connection: clients.add(connection, name, scopes, sites, clinic.now))
    assert told.value.code == code
