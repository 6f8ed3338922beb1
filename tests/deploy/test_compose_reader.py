"""The reader of the compose file: the YAML that it takes, and what it refuses."""

from pathlib import Path
from typing import Any

import pytest

from deploy.compose_file import NotRead, filled, read


def taken(tmp_path: Path, text: str) -> dict[str, Any]:
    """Give what the reader makes of a text."""
    (tmp_path / "file.yml").write_text(text)
    return read(tmp_path / "file.yml")


def test_what_the_file_is_written_in(tmp_path: Path) -> None:
    """Block and flow collections, quotes, numbers, truth values, comments, anchors and merges are taken."""
    text = """
# a comment
x-a: &a  # another
  one: "1"
  two: [2, "b, c", {d: e}]
  three: {}
b:
  <<: *a
  one: http://host:1/#x
list:
  - plain: yes
    more: true
  - -c
  - {k: v, w: "x: y"}
d: {<<: [*a], f: 127.0.0.1}
nothing:
"""
    assert taken(tmp_path, text) == {
        "x-a": {"one": "1", "two": [2, "b, c", {"d": "e"}], "three": {}},
        "b": {"one": "http://host:1/#x", "two": [2, "b, c", {"d": "e"}], "three": {}},
        "list": [{"plain": "yes", "more": True}, "-c", {"k": "v", "w": "x: y"}],
        "d": {"one": "1", "two": [2, "b, c", {"d": "e"}], "three": {}, "f": "127.0.0.1"},
        "nothing": None,
    }


@pytest.mark.parametrize(
    "text",
    ["a: |\n  text", "a: 1\na: 2", "a: 1\n   b: 2", "- a\nb: 1", "just words", "a: !tag b", "a: [b] c"],
    ids=["block text", "key twice", "too deep", "mixed", "no entry", "tag", "rest"],
)
def test_what_it_does_not_know_it_refuses(tmp_path: Path, text: str) -> None:
    """Other YAML is an error, never a guess."""
    with pytest.raises(NotRead):
        taken(tmp_path, text)


def test_variables_are_filled_as_compose_does() -> None:
    """A default stands for what is absent or empty, a doubled dollar for one, and what is asked for must be there."""
    assert filled({"a": ["${A:-x}:${B}", "$$1", 3]}, {"A": "", "B": "b"}) == {"a": ["x:b", "$1", 3]}
    assert filled("${A:?say A}", {"A": "a"}) == "a"
    with pytest.raises(KeyError, match="A"):
        filled("${A:?say A}", {})
