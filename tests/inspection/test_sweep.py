"""Parts that nobody claims go after a day, and no others."""

from __future__ import annotations

import os

from ingest.inspection import sweep
from tests.inspection.conftest import Bench
from tests.support.contents import CAMERA, PHOTOGRAPH, parts, photograph
from tests.support.engines import Place


def test_unclaimed_parts_are_removed_a_day_after_the_last(bench: Bench, place: Place) -> None:
    """Not earlier, and never those of a pending reading."""
    bench.commit(photograph(), parts()[0], *parts(b"nobody's" * 100))
    for device, sha256, _ in list(bench.file.blobs.assembling()):
        at = bench.now / 1_000_000
        os.utime(place.blobs / "parts" / device / sha256, (at, at))
    assert sweep.step(bench.file, bench.now + sweep.KEPT_FOR - 1) == 0
    assert sweep.step(bench.file, bench.now + sweep.KEPT_FOR + 1_000_000) == 1
    assert [(device, sha256) for device, sha256, _ in bench.file.blobs.assembling()] == [
        (CAMERA, parts()[0].sha256),
    ]
    assert bench.rows("SELECT count(*) FROM piece") == [(1,)]
    assert bench.commit(*parts()[1:])
    assert bench.inspect() == 1
    assert bench.file.blobs.read(parts()[0].sha256) == PHOTOGRAPH
