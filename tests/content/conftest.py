"""What the tests of contents share: a folder to look into, and the real ECG."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import dcmread

from ingest.content import look
from ingest.content.found import Found
from tests.content.ecg_files import REAL

Looked = tuple[Found, NDArray[np.int16]]
Look = Callable[[bytes, str], Looked]


@pytest.fixture(scope="module")
def look_into(tmp_path_factory: pytest.TempPathFactory) -> Look:
    """Look into the bytes of an ECG: what was found, and the samples written, shape (leads, length)."""
    folder = tmp_path_factory.mktemp("looked")
    out = folder / "out"
    out.mkdir()

    def looked(content: bytes, content_type: str) -> Looked:
        path = folder / "content"
        path.write_bytes(content)
        try:
            found = look(path, content_type, "ecg", out)
            assert found.wave is not None
            written = np.fromfile(out / found.wave.file, "<i2").reshape(len(found.wave.leads), found.wave.length)
            return found, written
        finally:
            left = list(out.iterdir())
            for each in left:
                each.unlink()
            assert len(left) <= 1, "nothing but the waveform file is left"

    return looked


@pytest.fixture(scope="session")
def real_samples() -> NDArray[np.int16]:
    """The rhythm of the real ECG as pydicom reads it, shape (leads, length)."""
    ds = dcmread(REAL)
    raw: NDArray[np.int16] = ds.waveform_array(0)
    group = ds.WaveformSequence[0]
    samples = np.frombuffer(group.WaveformData, "<i2").reshape(group.NumberOfWaveformSamples, -1)
    assert np.array_equal(raw, samples * 1.25), "both ways of reading agree"
    return np.ascontiguousarray(samples.T, np.int16)
