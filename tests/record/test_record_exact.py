"""JSON that keeps digits: what is read, written and refused."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.record import exact

_NUMBERS = st.from_regex(r"-?(0|[1-9][0-9]{0,20})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,4})?", fullmatch=True)
_TREES = st.recursive(
    st.none() | st.booleans() | st.text(st.characters(exclude_categories=["Cs"])) | _NUMBERS.map(exact.Number),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
    max_leaves=20,
)


@given(_NUMBERS)
def test_a_number_is_written_with_the_digits_it_came_with(text: str) -> None:
    """A number is written with the digits it came with."""
    assert exact.write(exact.read(text.encode())) == text.encode()


@given(_TREES)
def test_a_written_tree_is_read_back_equal(tree: exact.Json) -> None:
    """A written tree is read back equal, numbers as numbers."""
    written = exact.write(tree)
    assert exact.read(written) == tree
    assert exact.write(exact.read(written)) == written


@given(_TREES)
def test_what_is_written_is_json_to_others(tree: exact.Json) -> None:
    """What is written is JSON to another reader, with the same shape."""
    as_others = json.loads(exact.write(tree), parse_int=exact.Number, parse_float=exact.Number)
    assert as_others == tree


@given(st.binary())
def test_any_bytes_are_a_tree_or_refused(raw: bytes) -> None:
    """Any bytes are a tree or `NotJson`, never another error."""
    with contextlib.suppress(exact.NotJson):
        exact.write(exact.read(raw))


def test_the_order_of_names_is_forgotten_on_request() -> None:
    """Equal contents in another order are equal bytes when ordered, and only then."""
    one, other = exact.read(b'{"a":{"c":1.0,"b":2}}'), exact.read(b'{"a":{"b":2,"c":1.0}}')
    assert exact.write(one, ordered=True) == exact.write(other, ordered=True)
    assert exact.write(one) != exact.write(other)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"{} {}",
        b"\xff\xfe{\x00}\x00",
        b"\xef\xbb\xbf{}",
        b'{"a":1,"a":1}',
        b'{"a":NaN}',
        b"[Infinity]",
        b"[-Infinity]",
        b"[" * 100_000,
    ],
)
def test_what_strict_servers_refuse_is_refused(raw: bytes) -> None:
    """Other encodings, names given twice, numbers that JSON does not know and bottomless nesting are refused."""
    with pytest.raises(exact.NotJson):
        exact.read(raw)


def test_half_a_surrogate_pair_is_not_written() -> None:
    """Half a surrogate pair is refused when it is to be written."""
    with pytest.raises(exact.NotJson):
        exact.write(exact.read(rb'"\ud800"'))


def test_nodes_refuse_deep_trees() -> None:
    """Objects are walked to the deepest level allowed, and no further."""
    assert len(list(exact.nodes(exact.read(b'{"a":' * 100 + b"1" + b"}" * 100)))) == exact.DEEPEST
    with pytest.raises(exact.NotJson):
        list(exact.nodes(exact.read(b'{"a":' * 101 + b"1" + b"}" * 101)))
