"""Bytes keep their digits, and a resource that is not FHIR is named without a value."""

from decimal import Decimal

import pytest

from fhir_export.model import Body, Deployment, Resource, decode, encode
from fhir_export.structure import NotFhir, validated

SECRET = "EXEMPLE-FICTIF"


def observation(**more: object) -> Resource:
    """Give a small Observation."""
    body: Body = {"resourceType": "Observation", "id": "a", "status": "final", "code": {"text": "t"}, **more}
    return Resource.of(body)


@pytest.mark.parametrize("digits", ["36.60", "128.0", "128", "-0.10", "0.0000001", "0.00000010", "20"])
def test_decimals_leave_with_their_digits(digits: str) -> None:
    """A decimal is written as it is spelled: trailing zeros stay, no exponent comes."""
    assert encode(observation(valueQuantity={"value": Decimal(digits)})).endswith(
        b'"valueQuantity":{"value":' + digits.encode() + b"}}"
    )


@pytest.mark.parametrize("digits", ["36.60", "0.00000010", "128.0", "2"])
def test_kept_bytes_are_read_and_written_again_unchanged(digits: str) -> None:
    """Decoding and encoding the bytes of a resource gives the same bytes."""
    content = encode(observation(valueQuantity={"value": Decimal(digits), "unit": "é"}))
    assert encode(decode(content)) == content
    assert decode(content).reference == "Observation/a"


def test_bytes_are_compact_utf8_in_the_order_of_the_body() -> None:
    """There is no space between members, letters are not escaped, members stand as in the body."""
    resource = Resource.of({"resourceType": "Basic", "id": "é", "b": 1, "a": [True, None, "µ"]})
    assert encode(resource) == '{"resourceType":"Basic","id":"é","b":1,"a":[true,null,"µ"]}'.encode()


@pytest.mark.parametrize(
    "value", [Decimal("NaN"), Decimal("sNaN"), float("nan"), float("inf"), Decimal("Infinity"), object()]
)
def test_what_is_no_json_is_never_written(value: object) -> None:
    """NaN, infinity and strange objects are refused."""
    with pytest.raises((TypeError, ValueError)):
        encode(observation(valueQuantity={"value": value}))


@pytest.mark.parametrize(
    ("more", "path", "kind"),
    [
        ({"name": SECRET}, "name", "extra_forbidden"),
        ({"effectiveDateTime": f"{SECRET}T08:30:00"}, "effectiveDateTime", "value_error"),
        ({"component": [{"valueString": SECRET}]}, "component.0.code", "missing"),
        ({"valueQuantity": {"value": SECRET}}, "valueQuantity.value", "value_error"),
        ({"note": [{"text": [SECRET]}]}, "note.0.text", "string_type"),
        ({"status": None, "note": [{"text": SECRET}]}, "status", "model_field_validation.missing"),
        ({"valueQuantity": {"value": 1}, "valueString": SECRET}, "", "value_error"),
    ],
)
def test_what_is_not_fhir_is_named_without_its_value(more: Body, path: str, kind: str) -> None:
    """NotFhir gives type, element and kind of error, and no text of it holds a value of the resource."""
    with pytest.raises(NotFhir) as caught:
        validated(observation(**more))
    assert (caught.value.type, caught.value.path, caught.value.kind) == ("Observation", path, kind)
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_an_unknown_type_is_not_fhir() -> None:
    """A type that FHIR R4 does not have is refused under its name."""
    with pytest.raises(NotFhir, match="Reading: unknown_type"):
        validated(Resource("Reading", "a", {"resourceType": "Reading"}))


def test_a_deployment_names_what_it_makes() -> None:
    """Systems are branches of the deployment's own OID."""
    deployment = Deployment("2.999.1")
    assert (deployment.source, deployment.system(4)) == ("urn:oid:2.999.1", "urn:oid:2.999.1.4")
    assert Resource.of({"resourceType": "Device", "id": "d"}).reference == "Device/d"
