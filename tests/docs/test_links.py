"""The pages written for people point at what is there, and can be found from where people begin."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = (*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/**/*.md")))
_FENCE = re.compile(r"^ *```.*?^ *```", re.DOTALL | re.MULTILINE)
_CODE = re.compile(r"`[^`\n]*`")
_LINK = re.compile(r"\[[^\]]*\]\(([^()\s]+)\)")
_HEADING = re.compile(r"^#+ +(.+?) *$", re.MULTILINE)
_ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]*:")


def links(text: str) -> Iterator[str]:
    """Targets of the links of a page that stay in this tree; code is no link."""
    for found in _LINK.finditer(_CODE.sub("`code`", _FENCE.sub("", text))):
        if not _ELSEWHERE.match(found[1]):
            yield found[1]


def anchors(text: str) -> set[str]:
    """What `#...` may name in a page: headings in lower case, without punctuation, spaces as hyphens."""
    headings = (heading[1].lower() for heading in _HEADING.finditer(_FENCE.sub("", text)))
    return {re.sub(r"[^\w\- ]", "", heading).replace(" ", "-") for heading in headings}


def broken(page: Path) -> list[str]:
    """Links of a page whose file or heading is not there."""
    return [target for target in links(page.read_text("utf-8")) if not _resolves(page, target)]


def _resolves(page: Path, target: str) -> bool:
    path, _, anchor = target.partition("#")
    there = (page.parent / unquote(path)) if path else page
    if not there.exists():
        return False
    return not anchor or (there.suffix == ".md" and anchor in anchors(there.read_text("utf-8")))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_a_page_resolves(page: Path) -> None:
    """A relative link names a file or folder of this tree, and a heading that it has."""
    assert broken(page) == []


def test_every_page_is_reached_from_the_readme() -> None:
    """Nobody has to know a page's name: links lead to it, and a link to a folder to all pages in it."""
    reached: set[Path] = set()
    waiting = [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in reached:
            continue
        reached.add(page)
        for target in links(page.read_text("utf-8")):
            there = (page.parent / target.partition("#")[0]).resolve()
            waiting += [path for path in (there.glob("*.md") if there.is_dir() else [there]) if path.suffix == ".md"]
    assert {str(page.relative_to(ROOT)) for page in PAGES if page not in reached} == set()


@pytest.mark.parametrize(
    ("link", "resolves"),
    [
        ("there.md", True),
        ("gone.md", False),
        ("there.md#a-heading-of-its-own", True),
        ("there.md#not-there", False),
        ("#here", True),
        ("sub", True),
        ("https://example.org/gone", True),
    ],
)
def test_a_broken_link_is_seen(tmp_path: Path, link: str, resolves: bool) -> None:  # noqa: FBT001 - a case's outcome
    """Files, folders and headings are looked at; other sites are not asked; code blocks hold no links."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "there.md").write_text("# A heading, of its own\n")
    page = tmp_path / "page.md"
    page.write_text(f"# Here\n\n```text\n[x](never.md)\n```\n`[x](never.md)` [a\nlink]({link})\n")
    assert (broken(page) == []) is resolves
