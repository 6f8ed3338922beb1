"""What is read out of a CapabilityStatement, and what is said to be missing."""

from __future__ import annotations

from typing import Any

import pytest

from fhir_export.push.port import UNFIT
from fhir_export.push.statement import LACKS, NOT_TAKEN, TYPES, capability


def statement(**changes: object) -> dict[str, Any]:
    """A server that has all that is needed; of each type what ``changes`` does not say."""
    resources = [
        {"type": type_, "updateCreate": True, "interaction": [{"code": "read"}, {"code": "update"}]} for type_ in TYPES
    ]
    rest = {"mode": "server", "interaction": [{"code": "batch"}, {"code": "transaction"}], "resource": resources}
    return {"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1", "format": ["json"], "rest": [rest]} | changes


def rest(resource: object, *does: str) -> list[dict[str, object]]:
    """The ``rest`` of a server with these resources."""
    return [{"mode": "server", "interaction": [{"code": code} for code in does], "resource": resource}]


def test_a_server_that_has_it_all_lacks_nothing() -> None:
    """Batches, transactions, every type."""
    said = capability(statement())
    assert (said.batch, said.transaction, said.lacks, said.unfit) == (True, True, (), None)
    assert all(map(said.takes, TYPES))


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"fhirVersion": "3.0.2"}, "record.not_fhir_r4"),
        ({"fhirVersion": "4.3.0"}, "record.not_fhir_r4"),
        ({"fhirVersion": "5.0.0"}, "record.not_fhir_r4"),
        ({"format": ["xml", "application/fhir+xml"]}, "record.not_json"),
        ({"rest": rest([{"type": "Observation", "updateCreate": False}], "batch")}, "record.client_ids"),
    ],
)
def test_what_makes_it_useless_is_named(changes: dict[str, Any], code: str) -> None:
    """Another release, no JSON, no ids but its own."""
    said = capability(statement(**changes))
    assert said.unfit == code
    assert code in said.lacks


def test_types_that_it_does_not_let_update_are_named() -> None:
    """No update, no update under our ids, or not there at all: each such type stands behind the code."""
    resources = [
        {"type": "Observation", "interaction": [{"code": "update"}]},
        {"type": "Patient", "interaction": [{"code": "read"}]},
        {"type": "Device", "updateCreate": False, "interaction": [{"code": "update"}]},
    ]
    said = capability(statement(rest=rest(resources, "transaction")))
    assert said.lacks == tuple(f"{NOT_TAKEN}:{type_}" for type_ in TYPES if type_ != "Observation")
    assert (said.unfit, said.takes("Observation"), said.takes("Device")) == (None, True, False)


def test_neither_batch_nor_transaction_is_named_and_no_hindrance() -> None:
    """Resources then go one by one."""
    said = capability(statement(rest=rest(statement()["rest"][0]["resource"])))
    assert (said.lacks, said.unfit, said.together) == (("record.one_by_one",), None, False)


@pytest.mark.parametrize("told", [{}, {"rest": "x"}, {"rest": [None, {"resource": [3]}], "format": None}])
def test_what_is_not_told_is_no_reason_to_send_nothing(told: dict[str, Any]) -> None:
    """A statement that leaves out its list of types, or is malformed, forbids nothing."""
    said = capability({"resourceType": "CapabilityStatement"} | told)
    assert (said.types, said.unfit) == (None, None)


def test_the_server_side_is_read() -> None:
    """What it does as a client of others is not asked for."""
    client = {"mode": "client", "interaction": [{"code": "batch"}], "resource": []}
    assert not capability(statement(rest=[client])).batch


def test_every_lack_has_words() -> None:
    """Each code that can come up says what is so and what to do."""
    assert set(UNFIT) | {NOT_TAKEN, "record.one_by_one"} == LACKS.keys()
