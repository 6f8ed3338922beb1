"""`python -m simulators.record`: the record from the command line, for tests and for trying an exporter.

In: options. Out: exit status 0 ended on request, 1 not started, 2 wrong use.
"""

import argparse
import sys
from pathlib import Path

from simulators.record import FaultMalformed, NotStarted, serve
from simulators.record.faults import KINDS


def main() -> int:
    """Read the options and be the record."""
    parser = _parser()
    given = parser.parse_args()
    try:
        serve(
            given.port, given.file, given.fault, given.seed,
            token_file=given.token_file, reference_checks=not given.no_reference_checks,
        )  # fmt: skip
    except FaultMalformed as why:
        parser.error(str(why))
    except NotStarted as why:
        sys.stderr.write(f"{why}\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    table = "\n".join(
        f"  {name:<16} {kind.meaning}" + ("" if kind.after is None else f" ({kind.after:g})")
        for name, kind in KINDS.items()
    )
    parser = argparse.ArgumentParser(
        prog="python -m simulators.record",
        description="A FHIR R4 record on 127.0.0.1 that misbehaves on demand.",
        epilog=f"faults, written NAME, NAME:PROBABILITY or NAME:PROBABILITY:SECONDS:\n{table}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--port", type=int, default=0, help="default: a free one")
    parser.add_argument("--file", type=Path, help="SQLite file; default: in memory")
    parser.add_argument("--fault", action="append", default=[], help="may be given several times")
    parser.add_argument("--seed", type=int, default=0, help="of the faults' chance")
    parser.add_argument("--token-file", type=Path, help="ask for this bearer token")
    parser.add_argument("--no-reference-checks", action="store_true", help="take references to what is not here")
    return parser


if __name__ == "__main__":
    sys.exit(main())
