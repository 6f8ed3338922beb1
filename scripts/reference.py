"""The reference pages that are drawn from tables of the code.

Run as it stands, it writes them; with ``--check`` it says which are out of date and ends with 1.
Comes in: the registry of reasons. Goes out: ``docs/reference/*.md``. Refuses to know: anything that is written by hand.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # run in place, from any folder

from ingest.reasons import REGISTRY, Reason  # noqa: E402 - the path above comes first

_REASONS = """\
# Reasons

Why a message was set aside, and who has to act. The receipt carries the code, the place in the message (a JSON pointer)
and the action; the message itself is kept. Where several reasons apply, the first on this page is given.

*fix*: the sender is wrong; it does not repeat the message unchanged, and a corrected one takes a new `seq` and
`replaces`. *operator*: someone at the site has to act; what was kept waits in the quarantine.

*Drawn from `ingest/reasons.py` by `scripts/reference.py`; change it there.*
"""


def reasons() -> str:
    """The registry, a table for each family, in the order in which reasons are given."""
    parts = [_REASONS]
    for family, members in groupby(Reason, key=lambda reason: reason.partition(".")[0]):
        rows = [[f"`{reason}`", REGISTRY[reason].action, *_texts(reason)] for reason in members]
        parts.append(f"## {family}\n\n" + _table(["code", "action", "meaning", "français", "English"], rows))
    return "\n".join(parts)


def _texts(reason: Reason) -> list[str]:
    entry = REGISTRY[reason]
    return [entry.meaning, entry.fr, entry.en]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


PAGES: dict[Path, Callable[[], str]] = {ROOT / "docs/reference/reasons.md": reasons}


def main(arguments: Sequence[str]) -> int:
    """Write the pages, or with ``--check`` compare them; the number of pages out of date ends the run."""
    stale = [path for path, page in PAGES.items() if not path.exists() or path.read_text("utf-8") != page()]
    if "--check" in arguments:
        for path in stale:
            print(f"{path.relative_to(ROOT)} is out of date: run scripts/reference.py")  # noqa: T201 - a command
        return min(len(stale), 1)
    for path in stale:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(PAGES[path](), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
