"""Writes past the page cache: the same bytes as ordinary ones, whatever their place, and on any file system."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ingest import durable

_PLACES = st.one_of(st.integers(0, 12).map(lambda n: n * durable.BLOCK), st.integers(0, 60_000))
_SIZES = st.one_of(st.integers(0, 5).map(lambda n: n * durable.BLOCK), st.integers(0, 20_000))


@given(st.lists(st.tuples(_PLACES, _SIZES, st.integers(0, 255)), max_size=5))
@example([(0, durable.BLOCK, 1), (durable.BLOCK, 300_000, 2), (0, 700_001, 3)])
@example([(4096, 5000, 1), (100, 9000, 2), (8192, 4096, 3)])
def test_what_was_written_is_what_is_read(ranges: list[tuple[int, int, int]]) -> None:
    """At page boundaries or not, longer than a buffer, one over the other: as if written into memory in this order."""
    wanted = bytearray()
    with TemporaryDirectory() as folder:
        file = Path(folder) / "blob"
        for start, size, value in ranges:
            data = bytes([value]) * size
            assert durable.write(file, [(start, data)]) == file.stat().st_ino
            if data:
                wanted.extend(bytes(max(0, start + size - len(wanted))))
                wanted[start : start + size] = data
        assert (file.read_bytes() if ranges else b"") == wanted


@pytest.mark.parametrize("said", ["at the opening", "at the write"])
def test_a_file_system_without_direct_writes_takes_ordinary_ones(
    said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some refuse the flag when a file is opened, some when it is written; nothing is lost by either."""
    if said == "at the opening":
        monkeypatch.setattr(durable, "_DIRECT", 0)
    else:  # a place that no disk takes stands for a file system that takes none
        monkeypatch.setattr(durable, "BLOCK", 1)
    data = os.urandom(300_001)
    durable.write(tmp_path / "blob", [(3, data)])
    assert (tmp_path / "blob").read_bytes() == bytes(3) + data


def test_a_folder_that_takes_no_file_is_said(tmp_path: Path) -> None:
    """The fault is the caller's to name."""
    with pytest.raises(FileNotFoundError):
        durable.write(tmp_path / "nowhere" / "blob", [(0, b"x")])
