"""The state of a stream against the plainest model there is: sets of numbers."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.sequence import LIMIT, StreamState, expect, lost, recounted, seen, settled

SMALL = 3
NUMBERS = st.integers(0, 40)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("seen"), NUMBERS, NUMBERS),
        st.tuples(st.just("expect"), NUMBERS, NUMBERS),
        st.tuples(st.just("lost"), NUMBERS, NUMBERS),
    ),
    max_size=60,
)


@dataclass
class Model:
    """Every number on its own."""

    top: int = -1
    came: set[int] = field(default_factory=set)
    gone: set[int] = field(default_factory=set)

    def step(self, what: str, first: int, last: int) -> None:
        """Take one fact."""
        if what == "seen":
            self.came.add(first)
            self.top = max(self.top, first)
        elif what == "expect":
            self.top = max(self.top, first - 1)
        else:
            self.gone |= {n for n in range(first, last + 1) if n <= self.top}

    @property
    def missing(self) -> set[int]:
        """What neither came nor was lost."""
        return set(range(self.top + 1)) - self.came - self.gone

    @property
    def settled(self) -> int | None:
        """The number before the first missing one."""
        return min(self.missing, default=self.top + 1) - 1 if 0 not in self.missing and self.top >= 0 else None


def run(steps: list[tuple[str, int, int]], limit: int) -> tuple[StreamState, Model]:
    """Both after the same steps."""
    state, model = StreamState(), Model()
    for what, first, last in steps:
        model.step(what, first, last)
        if what == "seen":
            state = seen(state, first, limit)
        elif what == "expect":
            state = expect(state, first, limit)
        else:
            state = lost(state, first, last, limit)
    return state, model


def numbers(state: StreamState) -> list[int]:
    """The missing numbers, one by one."""
    return [n for first, last in state.missing for n in range(first, last + 1)]


@given(STEPS)
def test_below_its_limit_a_stream_knows_exactly_what_is_missing(steps: list[tuple[str, int, int]]) -> None:
    """Whatever order numbers come in, the missing ones are those that neither came nor were lost."""
    state, model = run(steps, LIMIT)
    assert numbers(state) == sorted(model.missing)
    assert state.highest == model.top
    assert state.unclear is None
    assert settled(state) == model.settled


@given(STEPS)
def test_above_its_limit_a_stream_calls_no_number_missing_that_came(steps: list[tuple[str, int, int]]) -> None:
    """Folding never invents a gap, never hides one, and never settles too much."""
    state, model = run(steps, SMALL)
    first, last = state.unclear or (0, -1)
    unclear = set(range(first, last + 1))
    assert len(state.missing) <= SMALL
    assert numbers(state) == sorted(numbers(state))
    assert set(numbers(state)) <= model.missing <= set(numbers(state)) | unclear
    assert not state.missing or last < state.missing[0][0]
    mark, true = settled(state), model.settled
    assert mark is None or (true is not None and mark <= true)


@given(STEPS)
def test_a_recount_makes_an_unclear_stream_exact_again(steps: list[tuple[str, int, int]]) -> None:
    """With the numbers that the ledger holds, nothing stays unclear."""
    state, model = run(steps, SMALL)
    known = [(n, n) for n in model.came | model.gone]
    exact = recounted(state, known)
    assert exact.unclear is None
    assert numbers(exact) == sorted(model.missing)
    assert settled(exact) == model.settled


def test_a_jump_of_a_million_makes_one_range() -> None:
    """The size of a gap costs nothing."""
    state = seen(seen(StreamState(), 0), 1_000_000)
    assert state == StreamState(1_000_000, ((1, 999_999),))
    assert settled(state) == 0


def test_a_device_that_counts_at_random_does_not_grow_its_state() -> None:
    """After 5,000 numbers out of 2^53 there are at most LIMIT ranges, and none holds a number that came."""
    dice, state, came = random.Random(11), StreamState(), []
    for _ in range(5_000):
        came.append(dice.randrange(2**53))
        state = seen(state, came[-1])
    assert len(state.missing) == LIMIT
    assert state.unclear is not None
    assert not any(first <= n <= last for n in came for first, last in state.missing[:: LIMIT // 20])
    assert settled(state) is None


def test_what_is_unclear_shrinks_from_its_ends() -> None:
    """A number that comes at an end is known; one inside is not, until the ledger is asked."""
    state = StreamState(20, ((15, 20),), (4, 9))
    assert seen(state, 4).unclear == (5, 9)
    assert seen(state, 9).unclear == (4, 8)
    assert seen(state, 6).unclear == (4, 9)
    assert lost(state, 0, 5).unclear == (6, 9)
    assert lost(state, 4, 9).unclear is None
    assert settled(state) == 3
    assert settled(lost(state, 4, 9)) == 14


def test_a_stream_starts_at_zero() -> None:
    """The first number that comes leaves those before it missing."""
    assert seen(StreamState(), 5).missing == ((0, 4),)
    assert settled(seen(StreamState(), 0)) == 0
    assert settled(StreamState()) is None


def test_what_was_missed_at_two_times_stays_two_gaps() -> None:
    """A second hello opens a gap of its own, with its own age."""
    assert expect(expect(StreamState(), 3), 5).missing == ((0, 2), (3, 4))


@pytest.mark.parametrize("wild", [(7, 2**53 - 1), (9, 3)])
def test_numbers_never_used_cannot_be_lost(wild: tuple[int, int]) -> None:
    """A range beyond the highest number, or upside down, leaves gaps to be found later."""
    state = lost(seen(StreamState(), 0), *wild)
    assert seen(state, 10).missing == ((1, 9),)


@given(st.permutations(range(12)))
def test_order_of_arrival_leaves_no_trace(order: list[int]) -> None:
    """A stream that came whole is settled whole, in whatever order."""
    state = StreamState()
    for seq in order:
        state = seen(seen(state, seq), seq)
    assert state == StreamState(11)
