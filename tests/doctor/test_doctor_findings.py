"""The table of findings: whole in both languages, and the same as what looks can find."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from string import Formatter

import pytest

import app.doctor
from app.doctor.finding import Severity, found, told
from app.doctor.words import ENTRIES

SOURCES = [*Path(app.doctor.__file__).parent.glob("*.py"), Path(app.doctor.__file__).parents[1] / "cli_doctor.py"]
_CODE = re.compile(r"(doctor|settings|clock|disk|ledger|series|destination|broker)\.[a-z0-9_]+")


def named() -> set[str]:
    """Every word of the looks' source that has the form of a code."""
    words: set[str] = set()
    for source in SOURCES:
        for node in ast.walk(ast.parse(source.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and _CODE.fullmatch(node.value):
                words.add(node.value)
    return words - {"disk.folder_open_to_"} | {
        "disk.folder_open_to_others",
        "disk.folder_open_to_group",
    }  # put together from two words


def fields(*texts: str) -> set[str]:
    """The facts that texts need."""
    return {name for text in texts for _, name, _, _ in Formatter().parse(text) if name}


def test_a_code_is_in_the_table_exactly_if_a_look_can_find_it() -> None:
    """None is told without words, and none is listed that nothing finds."""
    assert named() == set(ENTRIES)


@pytest.mark.parametrize("code", list(ENTRIES))
def test_a_finding_says_the_same_in_both_languages(code: str) -> None:
    """Three sentences each that end, with the same facts; French keeps its space before a colon."""
    entry = ENTRIES[code]
    for words in (entry.fr, entry.en):
        for text in (words.happened, words.safe, words.remedy):
            assert text.endswith((".", "{problem}", ")")), text
    assert fields(entry.fr.happened, entry.fr.safe, entry.fr.remedy) == fields(
        entry.en.happened, entry.en.safe, entry.en.remedy
    )
    facts = dict.fromkeys(fields(entry.en.happened, entry.en.safe, entry.en.remedy), "FACT")
    assert "FACT" in " ".join(repr(told(found(code, **facts), entry, "fr")).split()) or not facts
    french = entry.fr.happened + entry.fr.safe + entry.fr.remedy
    assert not re.search(r"[a-zéà]:(?! ?/)\s", french), french


def test_a_fact_that_is_missing_is_not_passed_over() -> None:
    """A sentence with a hole in it never reaches anybody."""
    with pytest.raises(KeyError):
        told(found("broker.queue_short", kept=1), ENTRIES["broker.queue_short"], "fr")


def test_every_severity_is_used() -> None:
    """And what loses acknowledged readings is an error."""
    assert {entry.severity for entry in ENTRIES.values()} == set(Severity)
    for code in ("broker.queue_short", "broker.session_lost", "disk.network", "disk.memory", "ledger.server_loses"):
        assert ENTRIES[code].severity is Severity.ERROR
