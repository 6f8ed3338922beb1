"""EDF and EDF+ ECGs: the real recording as edfio writes it, scales, labels, and those that are refused by name."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import edfio
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from ingest.content.ecg_edf import LABELS
from ingest.reasons import Reason, Rejected
from tests.content.conftest import Look
from tests.content.ecg_files import edf_file, edf_signal

EDF = "application/edf"
ONE = np.arange(-250, 250, dtype=np.int16)


def refusal(look_into: Look, content: bytes) -> Reason:
    """The reason that looking into ``content`` gives."""
    with pytest.raises(Rejected) as refused:
        look_into(content, EDF)
    return refused.value.reason


@pytest.mark.parametrize("annotations", [None, [edfio.EdfAnnotation(1, None, "P")]])
def test_the_real_ecg_as_edf_comes_back_equal(
    look_into: Look, real_samples: NDArray[np.int16], annotations: list[edfio.EdfAnnotation] | None
) -> None:
    """The real recording, written as EDF and as EDF+ with annotations, keeps every sample, rate, unit and scale."""
    names = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
    signals = [
        edf_signal(f"ECG {name}", digital, 1000, limits=(-40960, 40958.75))
        for name, digital in zip(names, real_samples, strict=True)
    ]
    found, written = look_into(edf_file(*signals, annotations=annotations), EDF)
    assert np.array_equal(written, real_samples)
    assert found.wave is not None
    assert (found.wave.sampling_hz, found.wave.unit, found.wave.length) == ("1000", "uV", 10_000)
    assert found.wave.leads == tuple((name, "1.25", "0") for name in names)
    assert (found.person, found.instance) == (None, None)


@settings(max_examples=30)
@given(
    samples=arrays(np.int16, st.tuples(st.integers(1, 4), st.just(1000))),
    duration=st.sampled_from([0.1, 0.5, 1, 2, 4]),
    aside=st.booleans(),
)
def test_any_samples_come_back(look_into: Look, samples: NDArray[np.int16], duration: float, *, aside: bool) -> None:
    """Any int16 in any number of leads and any length of record comes back bit for bit, other signals left aside."""
    signals = [edf_signal(lead, row) for lead, row in zip(("I", "II", "V1", "V6"), samples, strict=False)]
    if aside:
        signals.insert(1, edf_signal("Resp chest", np.arange(400, dtype=np.int16), 100, unit="%"))
    _, written = look_into(edf_file(*signals, data_record_duration=duration), EDF)
    assert np.array_equal(written, samples)


@given(
    low=st.integers(-32768, 32766),
    width=st.integers(1, 65535),
    bottom=st.integers(-99_999, 99_998),
    top=st.integers(-99_999, 99_998),
)
def test_scales_are_exact_or_off_by_less_than_a_millionth_of_a_step(
    look_into: Look, low: int, width: int, bottom: int, top: int
) -> None:
    """The whole range of samples has the physical value that the header's limits give, by exact fractions."""
    high = min(low + width, 32767)
    if bottom == top:
        top += 1
    content = bytearray(edf_file(edf_signal("ECG II", ONE)))
    for at, number in ((256 + 104, bottom), (256 + 112, top), (256 + 120, low), (256 + 128, high)):
        content[at : at + 8] = str(number).ljust(8).encode()
    found, _ = look_into(bytes(content), EDF)
    assert found.wave is not None
    step, baseline = map(Fraction, found.wave.leads[0][1:])
    true_step = Fraction(top - bottom, high - low)
    for sample in (low, high, -32768, 32767):
        true = bottom + (sample - low) * true_step
        assert abs(sample * step + baseline - true) < abs(true_step) / 1_000_000


LEADS, LENGTH, SAMPLING = Reason.ECG_LEADS, Reason.ECG_LENGTH, Reason.ECG_SAMPLING
BROKEN, TYPE = Reason.BLOB_UNDECODABLE, Reason.BLOB_CONTENT_TYPE

ASIDE = [("EEG Fpz-Cz", "uV"), ("Resp nasal", "V"), ("SaO2", "%"), ("Accelerometer X", "g"), ("Temp rectal", "degC")]


@pytest.mark.parametrize(("label", "unit"), ASIDE)
def test_what_is_surely_no_ecg_is_left_aside(look_into: Look, label: str, unit: str) -> None:
    """Signals of another standard type, or in a unit that is no voltage, do not spoil the ECG beside them."""
    found, written = look_into(edf_file(edf_signal(label, ONE[:200], 100, unit), edf_signal("ECG II", ONE)), EDF)
    assert found.wave is not None
    assert [name for name, _, _ in found.wave.leads] == ["II"]
    assert np.array_equal(written[0], ONE)


@pytest.mark.parametrize("label", ["ECG V7", "ECG1-ECG2", "EKG", "ECG -aVR", "MLII", "v1", "ecg II", "ECG II", "II "])
def test_an_ecg_that_no_table_names_is_refused(look_into: Look, label: str) -> None:
    """Beside lead II: an unknown lead, an unnamed voltage, one without its lead, or the same lead again is refused."""
    assert refusal(look_into, edf_file(edf_signal("ECG II", ONE), edf_signal(label, ONE))) is LEADS


def test_no_lead_at_all_is_refused(look_into: Look) -> None:
    """A file without any ECG signal is refused by name."""
    assert refusal(look_into, edf_file(edf_signal("EEG Cz", ONE))) is LEADS


@pytest.mark.parametrize("label", sorted(LABELS))
def test_each_label_of_the_table_is_read(look_into: Look, label: str) -> None:
    """Standard texts and bare leads are read; ECG without a lead is ``unspecified``."""
    found, _ = look_into(edf_file(edf_signal(label, ONE)), EDF)
    assert found.wave is not None
    assert found.wave.leads[0][0] == LABELS[label]


def _field(start: int, text: str, width: int = 8) -> Callable[[bytes], bytes]:
    return lambda content: content[:start] + text.ljust(width).encode() + content[start + width :]


WITH_TWO: dict[str, tuple[Callable[[bytes], bytes], Reason]] = {
    "another version": (_field(0, "1"), TYPE),
    "BDF": (lambda content: b"\xffBIOSEMI" + content[8:], TYPE),
    "pauses": (_field(192, "EDF+D", 44), LENGTH),
    "records not yet counted": (_field(236, "-1"), BROKEN),
    "a record too many": (_field(236, "3"), BROKEN),
    "a record too few": (_field(236, "1"), BROKEN),
    "records of no time": (_field(244, "0"), SAMPLING),
    "too slow, too": (_field(244, "5.01"), SAMPLING),
    "under a second": (_field(244, "0.4"), LENGTH),
    "a duration that is no number": (_field(244, "1E999999"), BROKEN),
    "no signals": (_field(252, "0", 4), BROKEN),
    "more signals than the header has": (_field(252, "3", 4), BROKEN),
    "nine thousand signals": (_field(252, "9999", 4), BROKEN),
    "bytes after the end": (lambda content: content + b"\0", BROKEN),
    "a byte less": (lambda content: content[:-1], BROKEN),
    "millivolts in one lead": (_field(256 + 2 * 96 + 8, "mV"), SAMPLING),
    "microvolts in another spelling": (_field(256 + 2 * 96, "UV"), SAMPLING),
    "physical limits that are one": (_field(256 + 2 * 104, "8191.75"), SAMPLING),
    "digital limits that are one": (_field(256 + 2 * 120, "32767"), SAMPLING),
    "digital limits upside down": (lambda c: _field(256 + 2 * 128, "-5")(_field(256 + 2 * 120, "5")(c)), SAMPLING),
    "a limit that is no number": (_field(256 + 2 * 104, "nan"), BROKEN),
    "samples below zero": (_field(256 + 2 * 216, "-250"), BROKEN),
    "samples beyond the file": (_field(256 + 2 * 216, "99999999"), BROKEN),
}


@pytest.mark.parametrize("case", WITH_TWO)
def test_what_is_not_sure_is_refused_by_name(look_into: Look, case: str) -> None:
    """A header that contradicts itself, the file or the contract is a named refusal."""
    edit, reason = WITH_TWO[case]
    content = edf_file(edf_signal("I", ONE), edf_signal("II", ONE), data_record_duration=1)
    look_into(content, EDF)
    assert refusal(look_into, edit(content)) is reason


def test_leads_of_two_rates_are_refused(look_into: Look) -> None:
    """Two ECG signals of different sampling have no common time and are refused."""
    signals = edf_signal("I", ONE), edf_signal("II", np.repeat(ONE, 2), 500)
    assert refusal(look_into, edf_file(*signals)) is SAMPLING


@pytest.mark.parametrize("hertz", [49, 2001])
def test_rates_outside_the_contract_are_refused(look_into: Look, hertz: int) -> None:
    """Less than 50 Hz and more than 2000 Hz are refused."""
    assert refusal(look_into, edf_file(edf_signal("I", np.zeros(2 * hertz, np.int16), hertz))) is SAMPLING


def test_sampling_is_exact_or_15_digits(look_into: Look) -> None:
    """256 samples in 1.5 s are 170.666666666667 Hz, and 250 in 0.8 s are 312.5."""
    for samples, duration, hertz in ((256, 1.5, "170.666666666667"), (250, 0.8, "312.5")):
        signal = edf_signal("I", np.zeros(samples * 4, np.int16), samples / duration)
        found, _ = look_into(edf_file(signal, data_record_duration=duration), EDF)
        assert found.wave is not None
        assert found.wave.sampling_hz == hertz
