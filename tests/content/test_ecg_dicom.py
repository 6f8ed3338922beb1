"""DICOM ECGs: the real one, generated ones of each class, and those that are refused by name."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian

from ingest.content.found import Person
from ingest.reasons import Reason, Rejected
from tests.content.conftest import Look
from tests.content.ecg_files import REAL, Ecg, channel, code

DICOM = "application/dicom"
TWO = np.arange(-500, 500, dtype=np.int16).reshape(2, 500)


def refusal(look_into: Look, content: bytes) -> Reason:
    """The reason that looking into ``content`` gives."""
    with pytest.raises(Rejected) as refused:
        look_into(content, DICOM)
    return refused.value.reason


def test_the_real_ecg_keeps_every_sample_and_its_scale(look_into: Look, real_samples: NDArray[np.int16]) -> None:
    """All samples of all twelve leads equal those that pydicom reads, and so does the scale."""
    found, written = look_into(REAL.read_bytes(), DICOM)
    assert found.wave is not None
    assert np.array_equal(written, real_samples)
    names = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
    assert found.wave.leads == tuple((name, "1.25", "0") for name in names)
    assert (found.wave.sampling_hz, found.wave.unit, found.wave.length) == ("1000", "uV", 10_000)
    assert found.wave.file == hashlib.sha256(real_samples.tobytes()).hexdigest()
    assert found.sha1 == hashlib.sha1(REAL.read_bytes(), usedforsecurity=False).hexdigest()
    assert found.instance is not None
    assert found.instance.sop_class == "1.2.840.10008.5.1.4.1.1.9.1.1"
    assert found.instance.modality == "ECG"


@pytest.mark.parametrize("last", [1, 2, 3])
@pytest.mark.parametrize("defined", [True, False])
@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1"])
def test_each_class_and_encoding_is_read(look_into: Look, last: int, *, defined: bool, syntax: str) -> None:
    """12-lead, general and ambulatory ECGs are read, with explicit or implicit VR, defined or undefined lengths."""
    sop_class = f"1.2.840.10008.5.1.4.1.1.9.1.{last}"
    found, written = look_into(Ecg(TWO, sop_class=sop_class, syntax=syntax, defined=defined).written(), DICOM)
    assert np.array_equal(written, TWO)
    assert found.wave is not None
    assert found.wave.leads == (("I", "2.5", "0"), ("II", "2.5", "0"))
    assert found.person == Person("EXEMPLE-FICTIF", "Zoé", "1980-02-29", "X1")


@pytest.mark.parametrize("defined", [True, False])
def test_a_long_recording_is_never_held_as_a_whole(look_into: Look, *, defined: bool) -> None:
    """Samples longer than what is read at once come out the same, in either encoding of lengths."""
    samples = np.random.default_rng(1).integers(-32768, 32768, (3, 800_000)).astype(np.int16)
    _, written = look_into(Ecg(samples, leads=("I", "V1", "V5"), defined=defined).written(), DICOM)
    assert np.array_equal(written, samples)


@settings(max_examples=30)
@given(samples=arrays(np.int16, st.tuples(st.integers(1, 5), st.integers(250, 400))))
def test_any_samples_come_back(look_into: Look, samples: NDArray[np.int16]) -> None:
    """Any int16 in any number of leads comes back bit for bit: -32768 too, for no padding is declared."""
    leads = ("I", "II", "III", "V1", "V5")[: len(samples)]
    _, written = look_into(Ecg(samples, leads=leads).written(), DICOM)
    assert np.array_equal(written, samples)


def test_only_a_declared_padding_value_is_missing(look_into: Look) -> None:
    """The padding value becomes -32768 where the file declares one, and only that one."""
    samples = TWO.copy()
    samples[0, 3] = 0x7FFF
    expected = samples.copy()
    expected[0, 3] = -32768
    _, written = look_into(Ecg(samples, padding=b"\xff\x7f").written(), DICOM)
    assert np.array_equal(written, expected)
    _, written = look_into(Ecg(samples).written(), DICOM)
    assert np.array_equal(written, samples)


@pytest.mark.parametrize(("interpretation", "kind"), [("SB", np.int8), ("UB", np.uint8)])
def test_8_bit_samples_are_widened(look_into: Look, interpretation: str, kind: type[np.generic]) -> None:
    """Signed and unsigned bytes become the same numbers; an odd number of bytes has its filling byte."""
    samples = (np.arange(3 * 333) % 256).astype(np.uint8).view(kind).reshape(3, 333)
    found, written = look_into(
        Ecg(samples, leads=("I", "II", "V1"), form=(8, interpretation), padding=b"\x05\x00").written(), DICOM
    )
    expected = samples.astype(np.int16)
    expected[expected == 5] = -32768
    assert np.array_equal(written, expected)
    assert found.wave is not None


def test_unsigned_samples_are_taken_only_where_they_fit(look_into: Look) -> None:
    """Unsigned 16-bit samples up to 32,767 stay as they are; one more is refused, never wrapped."""
    samples = np.full((2, 500), 32_767, np.uint16)
    _, written = look_into(Ecg(samples, form=(16, "US")).written(), DICOM)
    assert np.array_equal(written, samples)
    samples[1, 499] = 32_768
    assert refusal(look_into, Ecg(samples, form=(16, "US")).written()) is Reason.ECG_SAMPLING


def _scale(ds: Dataset, keyword: str, value: str | None) -> None:
    setattr(ds.WaveformSequence[0].ChannelDefinitionSequence[1], keyword, value)


def _with(definition: Dataset) -> Callable[[Dataset], None]:
    def edit(ds: Dataset) -> None:
        ds.WaveformSequence[0].ChannelDefinitionSequence[1] = definition

    return edit


def _modifier(ds: Dataset) -> None:
    ds.WaveformSequence[0].ChannelDefinitionSequence[1].ChannelSourceModifiersSequence = [code("MDC", "2:3")]


def _group(keyword: str, value: object) -> Callable[[Dataset], None]:
    return lambda ds: setattr(ds.WaveformSequence[0], keyword, value)


LEADS, LENGTH, SAMPLING = Reason.ECG_LEADS, Reason.ECG_LENGTH, Reason.ECG_SAMPLING
BROKEN, TYPE = Reason.BLOB_UNDECODABLE, Reason.BLOB_CONTENT_TYPE
REFUSED: dict[str, tuple[Callable[[Dataset], None], Reason]] = {
    "a lead of another scheme": (_with(channel(code("99ACME", "2:2"))), LEADS),
    "a lead that the contract does not have": (_with(channel(code("MDC", "2:9"))), LEADS),
    "a derived lead": (_with(channel(code("MDC", "2:32"))), LEADS),
    "a negative lead": (_with(channel(code("MDC", "2:65"))), LEADS),
    "a lead twice": (_with(channel(code("SCPECG", "5.6.3-9-1"))), LEADS),
    "unspecified beside a named one": (_with(channel(code("MDC", "2:0"))), LEADS),
    "a lead less another one": (_modifier, LEADS),
    "derived samples only": (_group("WaveformOriginality", "DERIVED"), LEADS),
    "no group": (lambda ds: setattr(ds, "WaveformSequence", []), LEADS),
    "under a second": (_group("SamplingFrequency", "501"), LENGTH),
    "too slow": (_group("SamplingFrequency", "49.9"), SAMPLING),
    "another unit in one lead": (_with(channel(code("MDC", "2:2"), unit="mV")), SAMPLING),
    "a unit that is no voltage": (_with(channel(code("MDC", "2:2"), unit="mm[Hg]")), SAMPLING),
    "a step of zero": (_with(channel(code("MDC", "2:2"), sensitivity="0")), SAMPLING),
    "no sensitivity": (lambda ds: _scale(ds, "ChannelSensitivity", None), SAMPLING),
    "no correction": (lambda ds: _scale(ds, "ChannelSensitivityCorrectionFactor", None), SAMPLING),
    "a lead a sample late": (lambda ds: _scale(ds, "ChannelSampleSkew", "1"), SAMPLING),
    "a lead some seconds late": (lambda ds: _scale(ds, "ChannelTimeSkew", "-2.5"), SAMPLING),
    "companded samples": (_group("WaveformSampleInterpretation", "MB"), SAMPLING),
    "a number of samples that is not there": (_group("NumberOfWaveformSamples", 4_000_000_000), BROKEN),
    "one sample less than there are": (_group("NumberOfWaveformSamples", 499), BROKEN),
    "more channels than are defined": (_group("NumberOfWaveformChannels", 3), BROKEN),
    "no instance UID": (lambda ds: delattr(ds, "SOPInstanceUID"), BROKEN),
    "a class of images": (lambda ds: setattr(ds, "SOPClassUID", "1.2.840.10008.5.1.4.1.1.77.1.5.1"), TYPE),
    "a class of hemodynamics": (lambda ds: setattr(ds, "SOPClassUID", "1.2.840.10008.5.1.4.1.1.9.2.1"), TYPE),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_sure_is_refused_by_name(look_into: Look, case: str) -> None:
    """An unknown lead, an unsure scale or a wrong length is a named refusal, never a guess."""
    edit, reason = REFUSED[case]
    assert refusal(look_into, Ecg(TWO, edit=edit).written()) is reason


def test_one_unspecified_lead_stands_alone(look_into: Look) -> None:
    """A one-lead device that does not say its lead gives ``unspecified``."""
    found, _ = look_into(Ecg(TWO[:1], leads=("2:0",)).written(), DICOM)
    assert found.wave is not None
    assert found.wave.leads[0][0] == "unspecified"


def test_step_is_sensitivity_times_correction_in_decimals(look_into: Look) -> None:
    """Sensitivity and correction are multiplied in decimals: 2.4 x 1.015 is 2.436; the baseline is as written."""

    def edit(ds: Dataset) -> None:
        _scale(ds, "ChannelSensitivity", "2.4")
        _scale(ds, "ChannelSensitivityCorrectionFactor", "1.015")
        _scale(ds, "ChannelBaseline", "-0.30")

    found, _ = look_into(Ecg(TWO, edit=edit).written(), DICOM)
    assert found.wave is not None
    assert [Decimal(text) for text in found.wave.leads[1][1:]] == [Decimal("2.436"), Decimal("-0.3")]


def test_the_median_beat_is_never_the_recording(look_into: Look) -> None:
    """A derived group that comes first is passed over for the original one."""

    def edit(ds: Dataset) -> None:
        median = Ecg(TWO[:, :300], originality="DERIVED").group()
        ds.WaveformSequence = [median, *ds.WaveformSequence]

    _, written = look_into(Ecg(TWO, edit=edit).written(), DICOM)
    assert np.array_equal(written, TWO)


@pytest.mark.parametrize("preamble", [b"MZ\x90", b"\x7fELF", b"<html>", b"II*\0"])
def test_a_file_that_is_also_a_program_is_refused(look_into: Look, preamble: bytes) -> None:
    """Any preamble but zeros is refused (CVE-2019-11687)."""
    content = Ecg(TWO).written()
    assert refusal(look_into, preamble.ljust(128, b"\0") + content[128:]) is BROKEN


@pytest.mark.parametrize("syntax", [DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, "1.2.840.10008.1.2.4.50"])
def test_other_transfer_syntaxes_are_refused(look_into: Look, syntax: str) -> None:
    """Deflated, big-endian and compressed data sets are refused before anything of them is read."""
    content = Ecg(TWO, syntax=ImplicitVRLittleEndian).written()
    old, new = ImplicitVRLittleEndian.encode(), syntax.encode()
    head = content[:400].replace(
        b"UI" + len(old + b"\0").to_bytes(2, "little") + old + b"\0",
        b"UI" + (len(new) + len(new) % 2).to_bytes(2, "little") + new + b"\0" * (len(new) % 2),
    )
    assert head != content[:400]
    assert refusal(look_into, head + content[400:]) is BROKEN


@pytest.mark.parametrize("content", [b"", b"\0" * 200, b"\xff\xd8\xff\xe0" + b"x" * 500, b"%PDF-1.7" + b" " * 300])
def test_what_is_no_dicom_is_refused(look_into: Look, content: bytes) -> None:
    """An empty file, zeros, a JPEG and a PDF are refused by name."""
    assert refusal(look_into, content) in {BROKEN, TYPE}


@pytest.mark.parametrize("depth", [10_000, 100_000])
def test_nesting_without_end_is_refused(look_into: Look, depth: int) -> None:
    """Sequences of undefined length, nested 10,000 deep, are refused and not followed."""
    head = Ecg(TWO).written()
    at = head.index(b"\x10\x00\x10\x00PN")  # before the patient's name: in the order of tags
    nest = b"\x08\x00\x40\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff" * depth
    assert refusal(look_into, head[:at] + nest + head[at:]) is BROKEN


def test_a_length_of_four_gigabytes_is_refused(look_into: Look) -> None:
    """A value that claims 4 GB is refused without being read."""
    content = Ecg(TWO).written()
    at = content.index(b"\x00\x54\x10\x10OW\0\0") + 8
    for length in (0xFFFFFFFE, 0xFFFFFFFF, 0x7FFFFFFF, 2002):
        assert refusal(look_into, content[:at] + length.to_bytes(4, "little") + content[at + 4 :]) is BROKEN
