"""The structure check remembers shapes, and forgets no rule by it."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import simplejson
from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_export import structure
from fhir_export.model import Body, Resource, placeholder
from fhir_export.structure import NotFhir, validated

CASES = Path(__file__).parents[1] / "cases"
PLAIN: Body = simplejson.loads(
    CASES.joinpath("blood_pressure/all_values/observations.json").read_bytes(), use_decimal=True
)[0]
HASH = "0123456789abcdef" * 4
BINARY: Body = {"resourceType": "Binary", "id": "a", "contentType": "image/jpeg", "data": placeholder(HASH)}
WHOLE: tuple[Body, ...] = (
    PLAIN,
    BINARY,
    *simplejson.loads(CASES.joinpath("retinography/dicom/resources.json").read_bytes(), use_decimal=True),
    *simplejson.loads(CASES.joinpath("ecg/file/resources.json").read_bytes(), use_decimal=True)[:1],
)
LEAVES: tuple[Any, ...] = (
    None, True, 1, Decimal("36.60"), Decimal("1E+400"), "", " ", " a", "a", "a b", 'é"\\', "\u0001", "x" * 65, "a_b",
    "2026-02-30T08:30:00Z", "2026-02-28T08:30:00Z", "2024-02-29T08:30:00Z", "2026-11-21T24:00:00Z", "2026-11-21",
    "2026-11-31T08:30:00+04:00", "2026-11-21T08:30:60Z", "2026-11-21T08:30:00", "2026-11-21T08:30:00+15:00",
    "Patient/a", "Patient/a b", "http://example.org/x", [], {}, ["a"], {"id": "a"}, "Binary/a", "Binary/a b", "AA==",
    "A===", "GYzrDsesA2T8tCYPrKn8glsOED0=", "GYzrDsesA2T8tCYPrKn8glsOED1=", 0, -1, 2**31, 96, placeholder(HASH),
    placeholder("0"), placeholder(HASH) + "A", "2026-11-21T08:30:00Z", "2026-11-21T08:30Z",
)  # fmt: skip


def places(part: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:  # noqa: ANN401 - any JSON
    """Give the way to every member of a body."""
    inside = part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ()
    for name, member in inside:
        yield (*at, name)
        yield from places(member, (*at, name))


PLACES = tuple((n, at) for n, body in enumerate(WHOLE) for at in places(body))


def changed(at: tuple[Any, ...], leaf: object, plain: Body = PLAIN) -> Resource:
    """Give a plain resource with one member replaced."""
    body: Any = deepcopy(plain)
    holder = body
    for name in at[:-1]:
        holder = holder[name]
    holder[at[-1]] = leaf
    return Resource(plain["resourceType"], "a", body)


def refused(resource: Resource) -> bool:
    """Tell what the model says, nothing being remembered."""
    try:
        structure._validate(resource)  # noqa: SLF001 - the model without the memory
    except NotFhir:
        return True
    return False


@settings(max_examples=1500)
@given(st.sampled_from(PLACES), st.sampled_from(LEAVES))
def test_what_is_remembered_never_lets_a_fault_through(place: tuple[int, tuple[Any, ...]], leaf: object) -> None:
    """With a plain resource's shape remembered, a changed member is refused exactly when the model refuses it."""
    n, at = place
    validated(Resource.of(WHOLE[n]))
    resource = changed(at, leaf, WHOLE[n])
    if refused(resource):
        with pytest.raises(NotFhir):
            validated(resource)
    else:
        assert validated(resource) is resource


def test_readings_of_one_kind_share_a_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another id, time and value do not ask the model again; another code does."""
    asked: list[Resource] = []
    monkeypatch.setattr(structure, "_taken", {})
    monkeypatch.setattr(structure, "_validate", asked.append)
    validated(Resource.of(PLAIN))
    for at, leaf in (
        (("id",), "b"),
        (("effectiveDateTime",), "2024-02-28T23:59:59.5+04:00"),
        (("component", 0, "valueQuantity", "value"), Decimal("99.50")),
    ):
        validated(changed(at, leaf))
    assert len(asked) == 1
    validated(changed(("status",), "amended"))
    assert len(asked) == 2


def test_memory_of_shapes_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many shapes come, only so many stay."""
    taken: dict[bytes, None] = {}
    monkeypatch.setattr(structure, "_taken", taken)
    monkeypatch.setattr(structure, "_MOST", 3)
    for n in range(10):
        validated(changed(("status",), f"s{n}"))
    assert len(taken) == 3


def test_a_binary_without_content_has_a_placeholder_and_nothing_else() -> None:
    """The placeholder of a Binary stands for base64; one cut short, or one in another element, is not FHIR."""
    assert validated(Resource.of(BINARY)).body["data"] == placeholder(HASH)
    photograph = {"contentType": "image/jpeg", "data": placeholder(HASH)}
    with pytest.raises(NotFhir, match=r"Binary.data"):
        validated(Resource.of({**BINARY, "data": placeholder(HASH)[:-1]}))
    with pytest.raises(NotFhir, match=r"Media.content.data"):
        validated(Resource.of({"resourceType": "Media", "id": "a", "status": "completed", "content": photograph,
                               "subject": {"reference": "Patient/a"}}))  # fmt: skip
