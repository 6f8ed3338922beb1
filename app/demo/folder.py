"""The demonstration's folder: data of this run, files to open, the token to try.

Comes in: a path. Goes out: the same, fresh. Refuses to know: what is put into it.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from app.parts import CannotStart
from app.sockets import InstanceLock

DATA, TOKEN = "data", "authorization"
BUNDLE, BALANCE, ECG, RECORD = "bundle.json", "balance.json", "ecg.svg", "record.ndjson"
FUNDUS = "fundus-{eye}-{field}.jpg"


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
    photographs = (path.name for path in folder.glob(FUNDUS.format(eye="*", field="*")))
    for name in (TOKEN, BUNDLE, BALANCE, ECG, RECORD, *photographs):
        (folder / name).unlink(missing_ok=True)
    data.mkdir(mode=0o700)
    return folder
