"""The doctor beside a running installation."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.installation import Installation

pytestmark = pytest.mark.faults


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Installation]:
    """Give an installation that is not started yet."""
    made = Installation(tmp_path / "site")
    made.folder.mkdir()
    yield made
    made.end()


def test_a_running_installation_has_no_error_and_is_not_disturbed(site: Installation) -> None:
    """No error and no warning of ours; the same processes go on, ready, and the balance is what it was."""
    site.start()
    pids = site.pids()
    words = [sys.executable, "-m", "app", "doctor", "--json"]
    root = Path(__file__).parents[2]
    done = subprocess.run(words, cwd=root, env=site.environment, capture_output=True, text=True, check=False)
    told = json.loads(done.stdout)
    assert (done.returncode, told["errors"]) == (0, 0), told
    assert {item["code"] for item in told["items"] if item["look"] in ("broker", "ledger")} == {
        "broker.denied_acknowledged",
        "broker.retains_ours",
        "broker.takeover_ours",
    }
    assert (site.pids(), site.is_ready()) == (pids, True)
    with site.api() as api:
        assert api.get("/ledger/balance")["received"] == 0
    assert site.stop() == 0
