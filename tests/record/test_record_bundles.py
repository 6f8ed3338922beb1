"""Bundles on their way in: what is taken and what is refused."""

import json

import pytest

from simulators.record import bundles, exact
from simulators.record.answers import Refused
from simulators.record.exact import Json

BASE = "http://127.0.0.1:1/fhir"


def tree(**members: object) -> dict[str, Json]:
    """A Bundle as it is read."""
    found = exact.read(json.dumps({"resourceType": "Bundle", **members}).encode())
    assert isinstance(found, dict)
    return found


def entry(id_: str = "a", method: str = "PUT", url: str = "Patient/a") -> Json:
    """An entry that PUTs a Patient."""
    request: dict[str, Json] = {"method": method, "url": url}
    return {"resource": {"resourceType": "Patient", "id": id_}, "request": request}


@pytest.mark.parametrize(("type_", "atomic"), [("transaction", True), ("batch", False)])
def test_a_transaction_is_atomic_and_a_batch_is_not(type_: str, *, atomic: bool) -> None:
    """A transaction is atomic, a batch is not; one without entries is taken."""
    assert bundles.posted(tree(type=type_)) == bundles.Posted(atomic, [])


@pytest.mark.parametrize(
    "members",
    [{"type": "collection"}, {}, {"type": "batch", "entry": {}}, {"type": "batch", "resourceType": "Patient"}],
)
def test_another_bundle_is_refused(members: dict[str, object]) -> None:
    """A Bundle of another type, or whose entries are no list, is refused."""
    with pytest.raises(Refused):
        bundles.posted(tree(**members))


def test_an_entry_gives_its_resource() -> None:
    """An entry that PUTs a resource under its own id gives that resource."""
    found = bundles.resource_of(entry(), BASE)
    assert (found.key, found.body) == (("Patient", "a"), b'{"resourceType":"Patient","id":"a"}')


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        [],
        {},
        {"request": {"method": "PUT", "url": "Patient/a"}},
        entry(method="POST"),
        entry(url="Patient"),
        entry(url="Patient?identifier=x"),
        entry(url="Patient/a/_history/1"),
        entry(url="Patient/b"),
        entry(id_="b"),
    ],
)
def test_an_entry_that_is_no_put_of_a_resource_is_refused(wrong: Json) -> None:
    """Anything but a PUT of a resource to its own type and id is refused."""
    with pytest.raises(Refused):
        bundles.resource_of(wrong, BASE)


def test_a_transaction_holds_each_identity_once() -> None:
    """A transaction that holds one identity twice is refused."""
    one, other = bundles.resource_of(entry(), BASE), bundles.resource_of(entry("b", url="Patient/b"), BASE)
    bundles.each_once([one, other])
    with pytest.raises(Refused):
        bundles.each_once([one, other, one])
