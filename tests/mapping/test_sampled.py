"""A recording survives the record: what comes out of SampledData is what went in, sample for sample."""

import json
import struct
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_export.mapping import resources
from fhir_export.model import Body, Deployment, encode
from fhir_export.profiles import LEADS
from fhir_export.structure import validated
from ingest.kinds.ecg import LEADS as CONTRACT_LEADS
from ingest.model import DeviceStatus, Key, Lead, Reading, Recording, TimeMark, Timing
from registry.model import Attributed, Device

MISSING = -32768
decimals = st.decimals("-1000", "1000", allow_nan=False, places=7).map(lambda number: format(number, "f"))
steps = st.decimals("0.0000001", "100", places=7).map(lambda number: format(number, "f"))
samples = st.integers(MISSING, 32767) | st.sampled_from([MISSING, -32767, 32767, -3276, 0])


@st.composite
def recordings(draw: st.DrawFn) -> Recording:
    """Give any recording that the contract takes, if shorter."""
    length = draw(st.integers(1, 40))
    leads = draw(st.lists(st.sampled_from(CONTRACT_LEADS), min_size=1, max_size=12, unique=True))
    numbers = st.lists(samples, min_size=length, max_size=length)
    return Recording(
        sampling_hz=str(draw(st.integers(50, 2000))),
        unit=draw(st.sampled_from(["uV", "mV"])),
        leads=tuple(
            Lead(lead, struct.pack(f"<{length}h", *draw(numbers)), draw(steps), draw(decimals)) for lead in leads
        ),
    )


def tracing(recording: Recording) -> Body:
    """Map a recording and read its Observation back from the bytes that leave."""
    reading = Reading(
        key=Key("ecg-cart-0001", "0" * 32, 1),
        kind="ecg",
        clock=0,
        timing=Timing("2026-11-21T08:30:00+04:00", 0, TimeMark.DEVICE),
        measurements=(),
        recording=recording,
    )
    attributed = Attributed(reading, 0, "p1", Device("ecg-cart-0001", DeviceStatus.ACTIVE), bytes(32))
    resource = resources(attributed, Deployment("2.999.1"))[0]
    body: Body = json.loads(encode(validated(resource)), parse_float=Decimal)
    return body


def read_back(sampled: Body) -> bytes:
    """Read SampledData as any FHIR client does."""
    numbers = [MISSING if token == "E" else int(token) for token in sampled["data"].split(" ")]
    return struct.pack(f"<{len(numbers)}h", *numbers)


@given(recordings())
def test_samples_and_scale_come_back_equal(recording: Recording) -> None:
    """Leads, order, every sample, step, baseline and unit are read back as they were sent."""
    components = tracing(recording)["component"]
    for component, lead in zip(components, recording.leads, strict=True):
        sampled = component["valueSampledData"]
        assert (component["code"]["text"], read_back(sampled)) == (lead.name, lead.samples)
        assert format(Decimal(sampled["factor"]), "f") == lead.step
        assert format(Decimal(sampled["origin"]["value"]), "f") == lead.baseline
        assert sampled["origin"]["code"] == sampled["origin"]["unit"] == recording.unit
        assert sampled["dimensions"] == 1
        assert not {"lowerLimit", "upperLimit"} & sampled.keys()


@given(recordings())
def test_the_frequency_comes_back_from_the_period(recording: Recording) -> None:
    """1000 / period, rounded, is the frequency, also for those that have no finite period."""
    sampled = tracing(recording)["component"][0]["valueSampledData"]
    assert round(1000 / Decimal(sampled["period"])) == int(recording.sampling_hz)


@pytest.mark.parametrize(
    ("sampling_hz", "period"),
    [
        ("500", "2"), ("250", "4"), ("50.0", "20"), ("100.00", "10"), ("128", "7.8125"), ("2000", "0.5"),
        ("300", "3.33333333333333"), ("360", "2.77777777777778"), ("62.5", "16"),
    ],
)  # fmt: skip
def test_periods_are_plain_digits(sampling_hz: str, period: str) -> None:
    """A period is 1000 / Hz in ms with at most 15 digits and without an exponent."""
    recording = Recording(sampling_hz, "uV", (Lead("I", b"\0\0", "1", "0"),))
    body = tracing(recording)
    assert str(body["component"][0]["valueSampledData"]["period"]) == period


def test_every_lead_of_the_contract_has_its_code() -> None:
    """Each lead has one MDC code of its own: 131328 + its number in SCP-ECG."""
    assert set(LEADS) == set(CONTRACT_LEADS)
    assert len({coding.code for coding in LEADS.values()}) == len(LEADS)
    expected = {"I": "131329", "II": "131330", "III": "131389", "aVR": "131390", "aVF": "131392", "V6": "131336"}
    assert {lead: LEADS[lead].code for lead in expected} == expected
