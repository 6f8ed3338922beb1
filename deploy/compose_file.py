"""Reads docker-compose.yml without Docker: the part of YAML that the file is written in, and compose's variables.

Comes in: a path, an environment. Goes out: plain values. Refuses to know: what a service is; and any YAML beyond block
and flow collections, plain and quoted words, anchors and merges: it says so instead of guessing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

Value: TypeAlias = Any
"""A mapping, a list, a string, a whole number, a truth value or None, as in JSON."""
_ENTRY = re.compile(r"""(?P<key>[A-Za-z0-9_.<-]+|"[^"]*"):(?:\s+(?P<rest>.+))?$""")
_ANCHOR = re.compile(r"&(?P<name>[a-z-]+)(?:\s+(?P<rest>.+))?$")
_COMMENT = re.compile(r"""^((?:[^"'#]|"[^"]*"|'[^']*'|(?<=\S)#)*?)\s+#.*$""")
_FLOW = re.compile(r"""\s*(?:(?P<mark>[\[\]{},])|(?P<word>"[^"]*"|'[^']*'|[^\[\]{},"']+))""")
_VARIABLE = re.compile(r"\$(?:\$|\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?:(?P<how>:[-?])(?P<word>[^}]*))?\})")


class NotRead(Exception):  # noqa: N818 - it says what was found
    """The file has something that this reader does not know; the text says where."""


@dataclass(slots=True)
class _Reader:
    lines: list[tuple[int, int, str]]
    """Number of the line, its indentation, its text."""
    anchors: dict[str, Value] = field(default_factory=dict)
    at: int = 0

    def block(self) -> Value:
        """The collection that begins at the present line."""
        indent = self.lines[self.at][1]
        return self._list(indent) if self.lines[self.at][2].startswith("- ") else self._mapping(indent)

    def _deeper(self, indent: int) -> bool:
        return self.at < len(self.lines) and self.lines[self.at][1] > indent

    def _here(self, indent: int) -> bool:
        if self._deeper(indent):
            raise NotRead(f"line {self.lines[self.at][0]}: indented further than what it belongs to")
        return self.at < len(self.lines) and self.lines[self.at][1] == indent

    def _list(self, indent: int) -> list[Value]:
        found: list[Value] = []
        while self._here(indent):
            number, _, text = self.lines[self.at]
            if not text.startswith("- "):
                raise NotRead(f"line {number}: a list with something else in it")
            inner = text[2:].strip()
            if _ENTRY.match(inner):  # a mapping that begins behind the dash
                self.lines[self.at] = (number, indent + 2, inner)
                found.append(self._mapping(indent + 2))
            else:
                self.at += 1
                found.append(self._value(inner, indent))
        return found

    def _mapping(self, indent: int) -> dict[str, Value]:
        found: dict[str, Value] = {}
        while self._here(indent):
            number, _, text = self.lines[self.at]
            entry = _ENTRY.match(text)
            if entry is None:
                raise NotRead(f"line {number}: neither a key nor an item")
            self.at += 1
            key, value = _word(entry["key"]), self._value(entry["rest"] or "", indent)
            if key in found:
                raise NotRead(f"line {number}: a key for the second time")
            found[key] = value
        return _merged(found)

    def _value(self, text: str, indent: int) -> Value:
        if anchor := _ANCHOR.match(text):
            self.anchors[anchor["name"]] = value = self._value(anchor["rest"] or "", indent)
            return value
        if not text:
            return self.block() if self._deeper(indent) else None
        if text[0] in "[{":
            marks = [match["mark"] or match["word"].strip() for match in _FLOW.finditer(text)]
            value, rest = self._flow(marks)
            if rest:
                raise NotRead(f"behind {text!r} stands more")
            return value
        return self._scalar(text)

    def _flow(self, marks: list[str]) -> tuple[Value, list[str]]:
        opening, rest = marks[0], marks[1:]
        listed: list[Value] = []
        mapped: dict[str, Value] = {}
        while rest[0] not in ("]", "}"):
            if opening == "[":
                value, rest = (self._scalar(rest[0]), rest[1:]) if rest[0] not in ("[", "{") else self._flow(rest)
                listed.append(value)
            else:
                key, _, value = rest[0].partition(":")
                rest = rest[1:]
                if not value.strip() and rest[0] not in (",", "}"):
                    value, rest = self._flow(rest) if rest[0] in ("[", "{") else (self._scalar(rest[0]), rest[1:])
                else:
                    value = self._scalar(value.strip())
                mapped[_word(key.strip())] = value
            rest = rest[1:] if rest[0] == "," else rest
        return (listed if opening == "[" else _merged(mapped)), rest[1:]

    def _scalar(self, text: str) -> Value:
        if text.startswith("*"):
            return self.anchors[text[1:]]
        if text[0] in "|>%@`!":
            raise NotRead(f"{text!r} is YAML that this reader does not know")
        if text in ("true", "false"):
            return text == "true"
        return int(text) if re.fullmatch("[0-9]+", text) else _word(text)


def read(path: Path) -> dict[str, Value]:
    """The file's values, variables untouched; raises NotRead, or KeyError for an anchor that is not there."""
    lines = []
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        text = line.strip()
        if text and not text.startswith("#"):
            cut = _COMMENT.match(text)
            lines.append((number, len(line) - len(line.lstrip(" ")), cut[1] if cut else text))
    found: dict[str, Value] = _Reader(lines).block()
    return found


def filled(value: Value, environment: Mapping[str, str]) -> Value:
    """The value with compose's variables replaced; raises KeyError for one that is asked for with ``:?``."""
    if isinstance(value, Mapping):
        return {key: filled(inner, environment) for key, inner in value.items()}
    if isinstance(value, list):
        return [filled(inner, environment) for inner in value]
    return _VARIABLE.sub(lambda found: _variable(found, environment), value) if isinstance(value, str) else value


def _variable(found: re.Match[str], environment: Mapping[str, str]) -> str:
    name, how, word = found["name"], found["how"], found["word"]
    if name is None:
        return "$"
    if environment.get(name):
        return environment[name]
    if how == ":?":
        raise KeyError(name)
    return str(word or "")


def _merged(found: dict[str, Value]) -> dict[str, Value]:
    """The mapping with what ``<<`` names below it; of several, the first that has a key gives it."""
    merged = found.pop("<<", None)
    for each in [merged] if isinstance(merged, Mapping) else merged or []:
        found = {**each, **found}
    return found


def _word(text: str) -> str:
    return text[1:-1] if text[:1] in ("'", '"') and text[-1:] == text[0] else text
