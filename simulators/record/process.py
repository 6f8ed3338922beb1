"""A record in a process of its own, for tests, demonstrations and load.

In: what `serve` takes. Out: a running record that is ready, ended with the block. It speaks to the process by
signals and pipes only, so that it can be killed like any stranger.
"""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from simulators.record.routes import PREFIX
from simulators.record.server import NotStarted

_READY: Final = "record ready on "
_PATIENCE_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Running:
    """A record that is ready: `base` is its FHIR address, `process` may be killed or signalled."""

    base: str
    process: subprocess.Popen[str]

    @property
    def inspect(self) -> str:
        """The address that `summary`, `resources`, `puts` and `faults` are below."""
        return f"{self.base.removesuffix(PREFIX)}/_inspect"


@contextmanager
def running(
    port: int = 0,
    file: Path | None = None,
    faults: Sequence[str] = (),
    seed: int = 0,
    *,
    token_file: Path | None = None,
    reference_checks: bool = True,
) -> Iterator[Running]:
    """Start a record as `serve` would be, wait until it is ready, and end it with the block.

    Raises `NotStarted` when the process ends before it is ready.
    """
    command = [sys.executable, "-m", "simulators.record", f"--port={port}", f"--seed={seed}"]
    command += [f"--fault={fault}" for fault in faults]
    command += [f"--file={file}"] if file else []
    command += [f"--token-file={token_file}"] if token_file else []
    command += [] if reference_checks else ["--no-reference-checks"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline() if process.stdout else ""
            if not line.startswith(_READY):
                raise NotStarted("The record did not start; its reason is on standard error.")
            yield Running(line.removeprefix(_READY).strip(), process)
        finally:
            process.terminate()
            try:
                process.wait(_PATIENCE_S)
            except subprocess.TimeoutExpired:
                process.kill()
