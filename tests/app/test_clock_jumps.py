"""The machine's clock is set while everything runs: by a day, back by a day, to 1970. Timers do not follow it."""

from __future__ import annotations

import ast
import time
from pathlib import Path

import pytest

from app import status
from app.voice import LASTED_S, Voice
from ingest.ledger.files import open_ledger
from ingest.ledger.port import Kept
from ingest.ledger.relational import RelationalLedger
from ingest.model import Outcome
from tests.support.ledgers import NOW, reading

ROOT = Path(__file__).parents[2]
_DAY = 86_400
JUMPS = (_DAY, -_DAY, -56 * 365 * _DAY, 1, -3_600)
TELLS_THE_TIME = {
    "app/clock.py": "the clock itself",
    "app/status.py": "when a process said something, for others to read",
    "app/voice.py": "the same: since when",
    "app/office_process.py": "the same: since when",
    "app/doctor/peers.py": "compared with a server's",
    "app/doctor/certificates.py": "compared with a certificate's last day",
    "fhir_export/push/server.py": "compared with an HTTP date",
    "fhir_export/pull/routes.py": "when an answer was made",
    "gateway/broker/nats_process.py": "compared with a file's time",
    "gateway/mqtt.py": "when a message arrived",
    "ingest/series/influx.py": "now, where nobody gives another",
}
"""Who may read the wall clock, and for what; whoever waits or measures takes the monotonic one."""


def test_nobody_times_by_the_wall_clock() -> None:
    """It is read only where an instant is told or compared; a jump of it shortens and lengthens no wait."""
    readers = set()
    for package in ("app", "console", "fhir_export", "gateway", "ingest", "registry"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Attribute) and ast.unparse(node) in ("time.time", "time.time_ns"):
                    readers.add(str(path.relative_to(ROOT)))
    assert readers <= set(TELLS_THE_TIME), readers - set(TELLS_THE_TIME)


@pytest.mark.parametrize("jump", JUMPS)
def test_a_status_of_another_time_is_not_fresh_and_has_no_negative_age(
    jump: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was said before the clock was set is old, however it was set; said again, it is fresh."""
    status.tell(tmp_path, "gateway", ready=True)
    here = time.time()
    monkeypatch.setattr(time, "time", lambda: here + jump)
    said = status.read(tmp_path, "gateway")
    assert said is not None
    assert said.is_fresh is (abs(jump) < status.FRESH_S)
    assert "-" not in (status.unwell(tmp_path, "gateway") or "")
    status.tell(tmp_path, "gateway", ready=True)
    assert status.unwell(tmp_path, "gateway") is None


@pytest.mark.parametrize("jump", JUMPS)
def test_a_trouble_is_told_after_the_same_while(jump: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Patience counts on the monotonic clock."""
    ticks = [0.0]
    voice = Voice(tmp_path, "gateway", clock=lambda: ticks[0])
    lines: list[str] = []
    monkeypatch.setattr("app.voice.log", type("Log", (), {"warning": lambda _self, what, **_: lines.append(what)})())
    here = time.time()
    voice.tell(ready=False, problem="the broker does not answer")
    monkeypatch.setattr(time, "time", lambda: here + jump)
    ticks[0] = LASTED_S - 0.1
    voice.tell(ready=False, problem="the broker does not answer")
    assert lines == []
    ticks[0] = LASTED_S
    voice.tell(ready=False, problem="the broker does not answer")
    assert lines == ["does not work"]


@pytest.mark.parametrize("jump", JUMPS)
def test_a_reading_is_judged_once_by_the_clock_of_its_arrival(jump: int, tmp_path: Path) -> None:
    """Kept before the clock was set, its repeat after that gets the same answer: no second row, no other verdict."""
    with open_ledger(tmp_path / "ledger.sqlite") as file:
        ledger = RelationalLedger(file)
        (first,) = ledger.commit([reading(0)], NOW).result()
        (again,) = ledger.commit([reading(0)], NOW + jump * 1_000_000).result()
        with file.readers.connect() as connection:
            rows = connection.exec_driver_sql("SELECT count(*) FROM journal WHERE outcome = 'stored'").scalar()
    assert isinstance(first, Kept)
    assert isinstance(again, Kept)
    assert (first.outcome, again.outcome, rows) == (Outcome.STORED, Outcome.STORED, 1)
    assert (first.repeat, again.repeat) == (False, True)
