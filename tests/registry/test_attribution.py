"""Whose reading it is, row by row."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.model import TimeMark, Timing
from registry.attribution import Doubt, attribute
from registry.model import Assignment

S = 1_000_000


def held(patient: str, start: int, end: int | None = None) -> Assignment:
    """The device is ``patient``'s from ``start`` to ``end`` (seconds)."""
    return Assignment(f"{patient}-{start}", "bp-0001", patient, start * S, None if end is None else end * S)


def measured(at: float, around: float | None = None, mark: TimeMark = TimeMark.DEVICE) -> Timing:
    """A measurement at a second, known to +- ``around`` seconds."""
    uncertainty = None if around is None else int(around * S)
    return Timing("2026-11-18T08:30:00+04:00", int(at * S), mark, None if around is None else 0, uncertainty)


A, B = held("a", 100, 200), held("b", 200)
ROWS = {
    "P2 nobody": (measured(50), (A, B), (), Doubt.NONE_ASSIGNED),
    "P2 no assignment at all": (measured(50), (), (), Doubt.NONE_ASSIGNED),
    "P2 two at once": (measured(150), (A, held("b", 140, 160)), (), Doubt.AMBIGUOUS),
    "P3 before the change": (measured(199.999999), (A, B), (), "a"),
    "P3 at the change": (measured(200), (A, B), (), "b"),
    "P3 long after the change": (measured(9_999_999), (A, B), (), "b"),
    "the start is inside": (measured(100), (A,), (), "a"),
    "just before the start is outside": (measured(99.999999), (A,), (), Doubt.NONE_ASSIGNED),
    "the end is outside": (measured(200), (A,), (), Doubt.NONE_ASSIGNED),
    "uncertain, all inside": (measured(150, 10), (A, B), (), "a"),
    "uncertain across the change": (measured(198, 5), (A, B), (), Doubt.AMBIGUOUS),
    "uncertain, touching the change": (measured(195, 5), (A, B), (), Doubt.AMBIGUOUS),
    "uncertain, just short of the change": (measured(194.999999, 5), (A, B), (), "a"),
    "uncertain across the first edge": (measured(102, 5), (A,), (), Doubt.AMBIGUOUS),
    "uncertain across the last edge": (measured(198, 5), (A,), (), Doubt.AMBIGUOUS),
    "uncertain over a hole between two": (measured(250, 60), (A, held("b", 300)), (), Doubt.AMBIGUOUS),
    "uncertain over one patient's two in a row": (measured(200, 5), (A, held("a", 200)), (), "a"),
    "uncertain over a hole of one patient": (measured(200, 5), (A, held("a", 202)), (), Doubt.AMBIGUOUS),
    "uncertain, outside everything": (measured(50, 5), (A, B), (), Doubt.NONE_ASSIGNED),
    "unverified time": (measured(150, mark=TimeMark.UNVERIFIED), (A,), (), Doubt.TIME_UNVERIFIED),
    "corrected time": (measured(150, 1, TimeMark.CORRECTED), (A,), (), "a"),
    "flag test": (measured(150), (A,), ("test",), Doubt.FLAGGED),
    "flag calibrating": (measured(150), (A,), ("movement", "calibrating"), Doubt.FLAGGED),
    "flag movement": (measured(150), (A,), ("movement",), "a"),
}


@pytest.mark.parametrize("row", ROWS)
def test_a_reading_belongs_to_whoever_had_the_device_when_it_was_measured(row: str) -> None:
    """Each row of the table gives its patient or its doubt."""
    timing, assignments, flags, expected = ROWS[row]
    assert attribute(timing, assignments, flags) == expected


@given(
    at=st.integers(0, 60),
    around=st.integers(0, 5),
    edges=st.lists(st.integers(0, 60), min_size=2, max_size=8, unique=True).map(sorted),
)
def test_a_patient_is_named_only_if_every_instant_that_may_be_meant_is_theirs(
    at: int, around: int, edges: list[int]
) -> None:
    """For assignments one after the other, a name is given exactly when all instants have one and the same holder."""
    assignments = [
        Assignment(str(n), "bp-0001", "ab"[n % 2], start, end) for n, (start, end) in enumerate(pairwise(edges))
    ]

    def holder(instant: int) -> str | None:
        return next((a.patient for a in assignments if a.start <= instant and (a.end is None or instant < a.end)), None)

    holders = {holder(instant) for instant in range(at - around, at + around + 1)}
    given_to = attribute(Timing("", at, TimeMark.DEVICE, 0, around), assignments)
    assert (given_to in {"a", "b"}) == (len(holders) == 1 and None not in holders)
    if given_to in {"a", "b"}:
        assert holders == {given_to}


def test_an_exam_code_that_nobody_knows_is_for_a_person() -> None:
    """A reading with an exam code is not attributed by the assignment alone."""
    assert attribute(measured(150), (A,), (), "K7QF-2M9D") == Doubt.EXAM_UNKNOWN
