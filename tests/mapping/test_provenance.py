"""How resources came about, and how they are taken back."""

from __future__ import annotations

import pytest

from fhir_export.mapping import gateway_resource, retraction
from fhir_export.model import Body, Deployment, encode
from fhir_export.structure import validated
from ingest.clock import parse
from tests.mapping.whole import CASES, DEPLOYMENT, Whole

AT = parse("2026-11-21T08:05:00.000Z")


def made_under(folder: str) -> Body:
    """Give the Provenance of a folder."""
    return Whole(CASES / folder).made[-1].body


@pytest.mark.parametrize(
    ("id_", "taken_back"),
    [("a-provenance", "a-retraction-2"), ("a-provenance-2", "a-retraction-3"), ("a-provenance-41", "a-retraction-42")],
)
def test_a_retraction_has_the_number_of_what_comes_next(id_: str, taken_back: str) -> None:
    """``retraction-2`` stands beside ``provenance-2``, whatever was attributed before."""
    assert retraction({**made_under("provenance/blood_pressure"), "id": id_}, ["Media/a"], AT).id == taken_back


def test_a_retraction_nullifies_its_targets_and_says_when() -> None:
    """Targets, activity and times are its own, in the zone of the measurement; agents and sources stay."""
    first = made_under("provenance/blood_pressure")
    before = dict(first)
    targets = [target["reference"] for target in first["target"]]
    body = validated(retraction(first, targets, AT)).body
    assert body["activity"]["coding"][0]["code"] == "NULLIFY"
    assert body["activity"]["text"] == "Mesure retirée : attribuée à tort à cette personne"
    assert (body["occurredDateTime"], body["recorded"]) == ("2026-11-21T12:05:00+04:00", "2026-11-21T08:05:00.000Z")
    assert body["target"] == first["target"]
    assert [body[name] for name in ("meta", "agent", "entity")] == [first[name] for name in ("meta", "agent", "entity")]
    assert first == before


def test_who_spoke_for_the_device_is_named() -> None:
    """A hub is an agent by its identifier, beside the gateway that assembled and the device that measured."""
    agents = made_under("provenance/hub")["agent"]
    assert [agent["type"]["coding"][0]["code"] for agent in agents] == ["assembler", "author", "informant"]
    assert agents[2]["who"] == {"type": "Device", "identifier": {"system": "urn:oid:2.999.1.2", "value": "hub_1"}}


def test_the_gateway_is_named_by_the_deployment() -> None:
    """Its FHIR id is made of its name, which is its identifier; a version is told where the deployment has one."""
    body = validated(gateway_resource(DEPLOYMENT)).body
    assert body["id"] == "ad17022d79469829c672ab5e88b0c42e-gateway"
    assert body["identifier"] == [{"system": "urn:oid:2.999.1.2", "value": "gateway-1"}]
    assert body["version"][0]["value"] == "1.0.0"
    assert b"version" not in encode(validated(gateway_resource(Deployment("2.999.1"))))
