"""Topics: what they name, and how they are built."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.topics import LONGEST, NOBODY, Address, address_of, down, parse, up
from ingest.model import Channel

DEVICES = st.from_regex(r"\A[a-z0-9][a-z0-9_-]{2,62}\Z")
NAMED = st.sampled_from([Channel.HELLO, Channel.READING, Channel.STATE])
ADDRESSES = st.builds(Address, DEVICES, NAMED, st.none() | DEVICES)
LEVELS = st.sampled_from(["for", "reading", "hello", "state", "bp-0001", "hub-1", "ab", "", "BP", "é", "\n", "blob"])


@given(ADDRESSES)
def test_parse_is_the_inverse_of_up(address: Address) -> None:
    """A topic that was built names what it was built from."""
    assert parse(up(address)) == address


@given(st.lists(LEVELS).map(lambda levels: "/".join(["constantes/v1/up", *levels])))
def test_up_is_the_inverse_of_parse(topic: str) -> None:
    """A topic that names a channel is the one that is built for it: nothing is parsed that is not exactly one."""
    address = parse(topic)
    if address.channel is not Channel.UNKNOWN:
        assert up(address) == topic


@given(st.text())
def test_any_text_is_a_topic_of_somebody_or_nobody(topic: str) -> None:
    """``parse`` takes any text."""
    assert parse(topic) == NOBODY or topic.startswith("constantes/v1/up/")


@pytest.mark.parametrize(
    ("rest", "expected"),
    [
        ("bp-0001/reading", Address("bp-0001", Channel.READING)),
        ("hub-1/for/bp-0001/hello", Address("bp-0001", Channel.HELLO, "hub-1")),
        ("bp-0001/blob/38a0/65536", Address("bp-0001", Channel.UNKNOWN)),
        ("bp-0001/reading/", Address("bp-0001", Channel.UNKNOWN)),
        ("bp-0001/Reading", Address("bp-0001", Channel.UNKNOWN)),
        ("bp-0001/unknown", Address("bp-0001", Channel.UNKNOWN)),
        ("bp-0001/", Address("bp-0001", Channel.UNKNOWN)),
        ("bp-0001", Address("bp-0001", Channel.UNKNOWN)),
        ("bp-0001/rea\nding", Address("bp-0001", Channel.UNKNOWN)),
        ("hub-1/for/bp-0001", Address("bp-0001", Channel.UNKNOWN, "hub-1")),
        ("hub-1/for/UPPER/reading", Address("hub-1", Channel.UNKNOWN)),
        ("hub-1/for/bp-0001/for/bp-0002/reading", Address("bp-0001", Channel.UNKNOWN, "hub-1")),
        ("ab/reading", NOBODY),
        ("UPPER/reading", NOBODY),
        ("bp.0001/reading", NOBODY),
        ("١٢٣/reading", NOBODY),
        ("a" * 63 + "/reading", Address("a" * 63, Channel.READING)),
        ("a" * 64 + "/reading", NOBODY),
        ("", NOBODY),
    ],
)
def test_a_topic_names_the_one_who_gets_the_answer(rest: str, expected: Address) -> None:
    """Whoever published below a valid name is told what became of it, whatever follows the name."""
    assert parse(f"constantes/v1/up/{rest}") == expected


def test_answers_go_to_the_topic_of_the_contract() -> None:
    """A connection listens below its own name (contract, section 2)."""
    assert down("hub-1") == "constantes/v1/down/hub-1"


def test_topics_of_any_length_cost_no_lasting_memory() -> None:
    """A device that thinks up long topics below its own name fills no cache; each is still told to it."""
    tracemalloc.start()
    try:
        for number in range(500):
            found = address_of(f"constantes/v1/up/bp-0001/{number}/{'x' * 60_000}".encode())
            assert (found.device, found.channel) == ("bp-0001", Channel.UNKNOWN)
        assert tracemalloc.get_traced_memory()[0] < 1_000_000
    finally:
        tracemalloc.stop()


def test_the_longest_topic_of_the_contract_is_remembered() -> None:
    """A part of a blob that a hub brings, with names of 63 characters."""
    address = Address("d" * 63, Channel.BLOB, "h" * 63, ("a" * 64, 10**14))
    assert len(up(address)) <= LONGEST
    assert address_of(up(address).encode()) is address_of(up(address).encode())
