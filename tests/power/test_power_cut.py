"""Power cuts at any moment of an installation's writing, on the product's own writer, blobs and start-up.

POWER_IMAGES (60 when absent; the full run has 1200) and POWER_SEED say how many images and which; see
`docs/reference/power-cut.md`.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path

import pytest

from tests.power.cuts import Cuts, cuts

IMAGES = int(os.environ.get("POWER_IMAGES", "60"))
SEED = int(os.environ.get("POWER_SEED", "1"))
OF_A_STORY = 30

pytestmark = [
    pytest.mark.faults,
    pytest.mark.timeout(120 + IMAGES),
    pytest.mark.skipif(shutil.which("strace") is None, reason="strace not on this machine (Debian: strace)"),
]


def test_a_power_cut_takes_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    """Each image opens, has all that was acknowledged, passes `verify`, balances, and goes on."""
    began, found = time.monotonic(), list[Cuts]()
    for story in range(max(2, IMAGES // OF_A_STORY)):
        folder = tmp_path / f"story{story}"
        folder.mkdir()
        found.append(cuts(folder, OF_A_STORY, SEED + story, released=story % 2 == 1))
        shutil.rmtree(folder)
    images = [image for each in found for image in each.images]
    _show(
        images=len(images),
        seeds=[each.seed for each in found],
        events=sum(each.events for each in found),
        looked_up=sum(image.said for image in images),
        broken=sum(len(each.lost) for each in found),
        seconds=round(time.monotonic() - began),
    )
    assert {each.seed: each.lost for each in found if each.lost} == {}


def test_the_same_cuts_find_what_a_weaker_setting_loses(tmp_path: Path) -> None:
    """With `synchronous=NORMAL` acknowledged readings are absent: the harness can fail."""
    found = cuts(tmp_path, OF_A_STORY, SEED, synchronous="NORMAL")
    sentences = [image.broken for image in found.lost]
    absent = [each for each in sentences if any(words.startswith("acknowledged, and absent") for words in each)]
    _show(images=len(found.images), broken=len(found.lost), absent=len(absent), seed=SEED)
    assert absent
    assert not any(words.startswith("does not open") for each in sentences for words in each)


def _show(**figures: object) -> None:
    """Say what happened, for `pytest -s` and for the reference page that quotes a full run."""
    print(json.dumps(figures))  # noqa: T201 - seen with -s, and when the test fails
