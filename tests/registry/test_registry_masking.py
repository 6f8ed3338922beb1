"""A message that a person looks at: its form without its values, or all of it without harm."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.masking import masked, plain
from tests.support.ledgers import STREAM, body


def test_a_masked_message_says_which_reading_it_is_and_not_what() -> None:
    """Names, places, units stay; values do not."""
    text = masked(json.dumps(body(7, 9431, exam="K7QF-2M9D", battery=88, flags=["movement"])).encode())
    for shown in (STREAM, '"seq": 7', '"blood_pressure"', '"mm[Hg]"', '"taken_at": "2026-11-18T08:30:00+04:00"'):
        assert shown in text
    for hidden in ("9431", "K7QF", "88", "movement"):
        assert hidden not in text
    assert '"systolic": {\n      "value": ***,\n      "unit": "mm[Hg]"\n    }' in text


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b'{"a": 1, "a": 2}', '{\n  "a": ***,\n  "a": ***\n}'),
        (b'{"a": [], "b": {}, "c": [true, null]}', '{\n  "a": [],\n  "b": {},\n  "c": [\n    ***,\n    ***\n  ]\n}'),
        (b'{"seq": 1e400, "v": NaN}', '{\n  "seq": 1e400,\n  "v": NaN\n}'),
        (b'"word"', "***"),
        (b'{"kind": "' + b"k" * 65 + b'"}', '{\n  "kind": ***\n}'),
        (b'{"unit": {"SECRET": "SECRET1"}}', '{\n  "unit": {\n    "SECRET": ***\n  }\n}'),
        (b'{"seq": 12, Nom: "Ada"', '{"xxx": 99, Xxx: "Xxx"'.replace("X", "x")),
        (b"", ""),
    ],
)
def test_the_form_of_a_message_is_kept(payload: bytes, expected: str) -> None:
    """Of one that is no JSON, its punctuation."""
    assert masked(payload) == expected


@pytest.mark.parametrize("payload", [b"[" * 300 + b"]" * 300, b"[" * 200_000, b'{"a":' * 100_000])
def test_a_deep_message_can_be_looked_at(payload: bytes) -> None:
    """However deep."""
    assert masked(payload)


def test_nothing_commands_a_terminal() -> None:
    """Neither masked nor in full; in a name, in a value, in what is no UTF-8."""
    payload = b'{"kind": "\\u001b[2J\\u202e", "a\x9b": "\xff"}\x1b[2J\r\x00'
    for text in (masked(payload), plain(payload), masked(payload[:-6])):
        assert all(one.isprintable() or one in "\n\t" for one in text)
    assert "\\x1b[2J\\r\\x00" in plain(payload)


@given(st.binary(max_size=200))
def test_any_bytes_can_be_looked_at(payload: bytes) -> None:
    """As text that can be written; in full, nothing is left out."""
    for text in (masked(payload), plain(payload)):
        assert all(one.isprintable() or one in "\n\t" for one in text)
    assert sum(map(str.isalnum, payload.decode("ascii", "ignore"))) <= sum(map(str.isalnum, plain(payload)))


@given(
    st.dictionaries(
        st.text('ab\n"é', max_size=5), st.integers(min_value=10_000) | st.text("QWXZ", min_size=6), max_size=4
    )
)
def test_no_value_is_seen_through_the_mask(values: dict[str, int | str]) -> None:
    """Whatever the names."""
    sent = {f"name-{name}": value for name, value in values.items()}
    text = masked(json.dumps(sent).encode())
    assert not any(str(value) in text for value in sent.values())
