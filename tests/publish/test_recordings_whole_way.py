"""A recording, from the bytes a device publishes to what a client pulls from ``/fhir``: sample for sample."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import simplejson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.settings import Settings
from ingest.kinds.ecg import LEADS
from ingest.ledger.files import open_ledger
from simulators.devices import ecg_cart
from tests.publish.conftest import Desk
from tests.support.ledgers import STREAM, judged
from tests.support.web import Web

RECORDING = Path(ecg_cart.__file__).parent.parent / "recordings" / "ecg-12-lead.dcm"
CART = "ecg-cart-1"


@dataclass
class Way:
    """The whole way but for the broker: judge, ledger, publisher, pull."""

    desk: Desk
    web: Web
    seq: int = 0

    def pulled(self, recording: dict[str, Any]) -> dict[str, Any]:
        """Send a recording and read its tracing back."""
        seq, self.seq = self.seq, self.seq + 1
        message = {"v": 1, "stream": STREAM, "seq": seq, "kind": "ecg", "taken_at": "2026-11-18T08:30:00+04:00"}
        found = judged(json.dumps(message | {"recording": recording}).encode(), CART)
        assert found.key is not None
        assert found.verdict.reason is None
        self.desk.commit(found)
        self.desk.drain()
        answer = self.web.get(f"/fhir/Observation/{found.key.reading}-ecg")
        assert answer.status_code == 200
        body: dict[str, Any] = simplejson.loads(answer.content, use_decimal=True)
        return body


@pytest.fixture(scope="module")
def way(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Way]:
    """One installation for all recordings of this module."""
    folder = tmp_path_factory.mktemp("way")
    with open_ledger(folder / "ledger.sqlite") as file:
        desk = Desk(file)
        desk.register(CART, "p1")
        desk.assign(CART, "p1")
        web = Web(Settings(data=folder), file)
        web.sign_in("system/*.rs")
        yield Way(desk, web)


def samples(component: dict[str, Any]) -> list[int]:
    """A lead's samples, ``E`` read as the missing sample of the device contract."""
    words = component["valueSampledData"]["data"].split(" ")
    return [-32768 if word == "E" else int(word) for word in words]


def by_lead(body: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The components of a tracing by the lead's name."""
    return {component["code"].get("text", "unspecified"): component for component in body["component"]}


def test_the_real_recording_comes_back_sample_for_sample(way: Way) -> None:
    """Every lead that is pulled equals its channel of the DICOM file, which was read without any code of the way."""
    group = pydicom.dcmread(RECORDING).WaveformSequence[0]
    channels = np.frombuffer(group.WaveformData, "<i2").reshape(-1, int(group.NumberOfWaveformChannels)).T
    body = way.pulled(ecg_cart.load(RECORDING)["recording"])  # type: ignore[arg-type]
    assert [samples(component) for component in body["component"]] == [list(map(int, channel)) for channel in channels]
    assert list(by_lead(body)) == [*LEADS[:12]]
    assert {c["valueSampledData"]["period"] for c in body["component"]} == {Decimal(1)}
    assert {c["valueSampledData"]["factor"] for c in body["component"]} == {Decimal("1.25")}


RECORDINGS = st.fixed_dictionaries({
    "hz": st.integers(50, 200),
    "leads": st.lists(st.sampled_from(LEADS[:12]), min_size=1, max_size=4, unique=True),
    "unit": st.sampled_from(["uV", "mV"]),
    "step": st.decimals(Decimal("0.001"), 20, places=3).filter(bool),
    "baseline": st.integers(-500, 500),
    "seed": st.integers(0, 2**32 - 1),
    "missing": st.booleans(),
})  # fmt: skip


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=RECORDINGS)
def test_any_recording_comes_back_sample_for_sample(way: Way, drawn: dict[str, Any]) -> None:
    """Leads, samples (missing ones too), step, baseline and unit of 200 random recordings survive the whole way."""
    chance = np.random.default_rng(drawn["seed"])
    waves = {lead: chance.integers(-32767, 32768, drawn["hz"] + 7).astype("<i2") for lead in drawn["leads"]}
    if drawn["missing"]:
        for wave in waves.values():
            wave[:: int(chance.integers(2, 9))] = -32768
    recording = {
        "sampling_hz": drawn["hz"],
        "unit": drawn["unit"],
        "step": float(drawn["step"]),
        "baseline": drawn["baseline"],
        "encoding": "int16le",
        "leads": {lead: base64.b64encode(wave.tobytes()).decode() for lead, wave in waves.items()},
    }
    found = by_lead(way.pulled(recording))
    assert {lead: samples(component) for lead, component in found.items()} == {
        lead: list(map(int, wave)) for lead, wave in waves.items()
    }
    for component in found.values():
        data = component["valueSampledData"]
        assert (data["origin"]["value"], data["origin"]["code"]) == (drawn["baseline"], drawn["unit"])
        assert data.get("factor", 1) == drawn["step"]
