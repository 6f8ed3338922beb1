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
from fhir_export.model import Body, Resource
from fhir_export.structure import NotFhir, validated

PLAIN: Body = simplejson.loads(
    Path(__file__).parents[1].joinpath("cases/blood_pressure/all_values/observations.json").read_bytes(),
    use_decimal=True,
)[0]
LEAVES: tuple[Any, ...] = (
    None, True, 1, Decimal("36.60"), Decimal("1E+400"), "", " ", " a", "a", "a b", 'é"\\', "\u0001", "x" * 65, "a_b",
    "2026-02-30T08:30:00Z", "2026-02-28T08:30:00Z", "2024-02-29T08:30:00Z", "2026-11-21T24:00:00Z", "2026-11-21",
    "2026-11-31T08:30:00+04:00", "2026-11-21T08:30:60Z", "2026-11-21T08:30:00", "2026-11-21T08:30:00+15:00",
    "Patient/a", "Patient/a b", "http://example.org/x", [], {}, ["a"], {"id": "a"},
)  # fmt: skip


def places(part: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:  # noqa: ANN401 - any JSON
    """Give the way to every member of a body."""
    inside = part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ()
    for name, member in inside:
        yield (*at, name)
        yield from places(member, (*at, name))


PLACES = tuple(places(PLAIN))


def changed(at: tuple[Any, ...], leaf: object) -> Resource:
    """Give the plain Observation with one member replaced."""
    body: Any = deepcopy(PLAIN)
    holder = body
    for name in at[:-1]:
        holder = holder[name]
    holder[at[-1]] = leaf
    return Resource("Observation", "a", body)


def refused(resource: Resource) -> bool:
    """Tell what the model says, nothing being remembered."""
    try:
        structure._validate(resource)  # noqa: SLF001 - the model without the memory
    except NotFhir:
        return True
    return False


@settings(max_examples=600)
@given(st.sampled_from(PLACES), st.sampled_from(LEAVES))
def test_what_is_remembered_never_lets_a_fault_through(at: tuple[Any, ...], leaf: object) -> None:
    """With the plain resource's shape remembered, a changed member is refused exactly when the model refuses it."""
    validated(Resource.of(PLAIN))
    resource = changed(at, leaf)
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
