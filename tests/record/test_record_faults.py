"""Faults on demand: their texts, and the draw."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.record.faults import KINDS, Asked, Draw, FaultMalformed, Manner, parse

_ASKED: tuple[Asked, ...] = ("metadata", "read", "write", "entry")


@pytest.mark.parametrize("name", KINDS)
def test_a_fault_is_written_as_it_is_read(name: str) -> None:
    """A fault's text is read back as the same fault, for every kind."""
    fault = parse(f"{name}:0.25")
    assert (fault.name, fault.probability, fault.seconds) == (name, 0.25, KINDS[name].after)
    assert parse(str(fault)) == fault
    assert parse(name).probability == 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        "lates",
        "late:",
        "late:x",
        "late:1.5",
        "late:-0.1",
        "late:nan",
        "late:1:inf",
        "late:1:-1",
        "late:1:1:1",
        "cut:1:1",
    ],
)
def test_a_malformed_fault_is_refused(text: str) -> None:
    """A text that names no fault, no probability or no seconds is refused."""
    with pytest.raises(FaultMalformed):
        parse(text)


@given(st.text())
def test_any_text_is_a_fault_or_refused(text: str) -> None:
    """Any text is a fault or `FaultMalformed`, never another error."""
    for whole in (text, f"late:{text}"):
        with contextlib.suppress(FaultMalformed):
            parse(whole)


def test_the_same_seed_gives_the_same_faults() -> None:
    """Chance is repeatable, depends on the seed, and is about as frequent as asked."""

    def fates(seed: int) -> list[bool]:
        draw = Draw((parse("cut:0.3"),), seed)
        return [draw.fate("write").manner is Manner.CUT for _ in range(2_000)]

    assert fates(7) == fates(7) != fates(8)
    assert 500 < sum(fates(7)) < 700


@pytest.mark.parametrize("name", KINDS)
def test_a_fault_happens_to_what_it_is_meant_for_alone(name: str) -> None:
    """A certain fault always happens to what it is for, never to the rest, and is counted."""
    for asked in _ASKED:
        draw = Draw((parse(name),), 0)
        if asked == "entry":
            draw.refused_entry()
        else:
            draw.fate(asked)
        assert draw.fired[name] == (asked in KINDS[name].to)


def test_an_impossible_fault_never_happens() -> None:
    """A fault of probability 0 never happens."""
    draw = Draw(tuple(parse(f"{name}:0") for name in KINDS), 0)
    for _ in range(100):
        draw.fate("write")
        draw.refused_entry()
    assert not draw.fired


def test_the_first_of_contending_faults_decides() -> None:
    """Of two faults with an answer of their own the first decides; what they do not contend for adds up."""
    fate = Draw(tuple(map(parse, ("busy503:1:7", "error500", "late:1:3", "late:1:9"))), 0).fate("read")
    assert fate.instead is not None
    assert (fate.instead.status, fate.delay_s) == (503, 3)
    assert ("Retry-After", "7") in fate.instead.headers
