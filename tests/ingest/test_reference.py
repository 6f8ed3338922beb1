"""The reference pages say what the code says."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingest.reasons import Reason
from scripts.reference import PAGES, main


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_a_page_drawn_from_the_code_is_up_to_date(path: Path) -> None:
    """Running the script again would change nothing."""
    assert path.read_text("utf-8") == PAGES[path]()
    assert main(["--check"]) == 0


def test_every_reason_stands_on_its_page_in_order() -> None:
    """The page is read from top to bottom like the registry."""
    page = next(page() for path, page in PAGES.items() if path.name == "reasons.md")
    places = [page.index(f"| `{reason}` |") for reason in Reason]
    assert places == sorted(places)


def test_a_page_out_of_date_is_told_and_mended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``--check`` writes nothing; without it the page is written."""
    page = tmp_path / "page.md"
    monkeypatch.setattr("scripts.reference.ROOT", tmp_path)
    monkeypatch.setattr("scripts.reference.PAGES", {page: lambda: "new\n"})
    assert (main(["--check"]), page.exists()) == (1, False)
    assert (main([]), page.read_text()) == (0, "new\n")
    assert main(["--check"]) == 0
