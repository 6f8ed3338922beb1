"""The demonstration's folder: data of this run, files to open, the token to try.

Comes in: a path. Goes out: the same, fresh. Refuses to know: what is put into it.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from app.parts import CannotStart
from app.sockets import InstanceLock

DATA, TOKEN = "data", "authorization"
BUNDLE, ECG, RECORD = "bundle.json", "ecg.svg", "record.ndjson"


def fresh(folder: Path) -> Path:
    """Make the folder, without what an earlier run left in it; raises CannotStart while one still runs there."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    data = folder / DATA
    if data.exists():
        with InstanceLock(data) as lock:
            if not lock.take():
                raise CannotStart(
                    f"A demonstration runs in {folder} already. Nothing was started and nothing was changed. "
                    "End that one with Ctrl-C first."
                )
            shutil.rmtree(data)
    for name in (TOKEN, BUNDLE, ECG, RECORD):
        (folder / name).unlink(missing_ok=True)
    data.mkdir(mode=0o700)
    return folder
