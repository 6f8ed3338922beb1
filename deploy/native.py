"""``python -m deploy.native``: the production shape on this machine without Docker, for trials and tests.

Comes in: whether the demonstration ends by itself. Goes out: an exit code. Refuses to know: how anything is started.

Data and services are thrown away at the end: for an installation that lasts, see docs/how-to/install-with-compose.md.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from app.client import ClientFault
from app.demo import play
from app.demo.scenario import MORNING
from app.parts import CannotStart
from deploy.shape import production
from scripts.services.process import ServiceFailed, ServiceMissing


def main(words: Sequence[str] | None = None) -> int:
    """Play the demonstration on it; a real record does not misbehave on demand, everything else is the same."""
    parser = argparse.ArgumentParser(prog="python -m deploy.native", description=__doc__.splitlines()[0])
    parser.add_argument("--once", action="store_true", help="play it, check that each reading arrived, and end")
    parser.add_argument("--folder", type=Path, default=Path("demo-output"), help="where its files go")
    asked = parser.parse_args(words)
    try:
        return play(once=asked.once, scenario=replace(MORNING, record_faults=()), folder=asked.folder, shape=production)
    except (CannotStart, ClientFault, ServiceFailed, ServiceMissing) as why:
        sys.stderr.write(f"{why}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
