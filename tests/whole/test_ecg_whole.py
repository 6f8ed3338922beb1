"""The real ECG in every way it can leave a cart, through a whole installation, sample for sample from ``/fhir``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest

from simulators.devices import ecg_cart
from tests.faults.installation import Installation
from tests.faults.oracle import reading_id
from tests.whole.apparatus import Apparatus, enrol, running, wait_for
from tests.whole.pulling import Pulling

WAYS: dict[str, dict[str, Any]] = {
    "dicom": {"mode": "dicom"},
    "edf": {"mode": "edf"},
    "inline": {"mode": "inline"},
    "live": {"mode": "live"},
    "live-shuffled": {"mode": "live", "shuffled": True, "part_s": 0.7},
}
PARTS = {"live": 10, "live-shuffled": 15}
"""Of 10 s, in parts of 1 s, and of 0.7 s with a rest of 0.2 s."""
NAMED = "Anonymous"
"""The family name in the file: for anybody else's record it would be a doubt (C-RET-4)."""

pytestmark = [pytest.mark.faults]


@dataclass(frozen=True, slots=True)
class Sent:
    """A cart that has said everything, and whom it measured."""

    cart: Apparatus
    patient: str


@pytest.fixture(scope="module")
def sent(site: Installation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Sent]]:
    """Send the recording in every way at once, parts that are lost and repeated in between."""
    folder = tmp_path_factory.mktemp("carts")
    with ExitStack() as stack:
        carts = {}
        for way, who in zip(WAYS, enrol(site, "ecg", *(f"ecg-{way}" for way in WAYS), family=NAMED), strict=True):
            cart = stack.enter_context(running(site, who, folder / way, "drop:0.1", "repeat:0.1", "blob_shuffle"))
            cart.measure(ecg_cart.build(7, **WAYS[way]), PARTS.get(way, 1))
            carts[way] = Sent(cart, who.patient)
        for each in carts.values():
            each.cart.settle()
        yield carts


def recorded() -> dict[str, list[int]]:
    """The samples of each lead, read from the DICOM file without any code of the way."""
    group = pydicom.dcmread(ecg_cart.RECORDING).WaveformSequence[0]
    channels = np.frombuffer(group.WaveformData, "<i2").reshape(-1, int(group.NumberOfWaveformChannels)).T
    names = [ecg_cart.LEADS[each.ChannelSourceSequence[0].CodeValue] for each in group.ChannelDefinitionSequence]
    return {name: channel.tolist() for name, channel in zip(names, channels, strict=True)}


def first_reading(cart: Apparatus) -> str:
    """The id that a recording has: of its only reading, or of the part that begins it (C-ECG-5)."""
    begins = [each for each in cart.readings if json.loads(each.payload).get("part", {}).get("from_sample", 0) == 0]
    (first,) = begins
    return reading_id(first)


@pytest.mark.parametrize("way", WAYS)
def test_every_sample_of_every_lead_is_the_file_s(sent: Mapping[str, Sent], pulled: Pulling, way: str) -> None:
    """One tracing under the id of the reading that begins it, complete; its scale and its samples are the file's."""
    mine = sent[way]
    wait_for(lambda: _tracings(pulled, mine.patient), "the tracing is published")
    (tracing,) = _tracings(pulled, mine.patient)
    assert tracing["id"] == f"{first_reading(mine.cart)}-ecg"
    assert "note" not in tracing
    samples = {each["code"]["text"]: each["valueSampledData"] for each in tracing["component"]}
    assert {name: list(map(int, data["data"].split(" "))) for name, data in samples.items()} == recorded()
    scales = {(d["period"], d["factor"], d["origin"]["value"], d["origin"]["code"]) for d in samples.values()}
    assert scales == {(Decimal(1), Decimal("1.25"), Decimal(0), "uV")}


@pytest.mark.parametrize("way", PARTS)
def test_only_the_whole_of_a_live_recording_is_exported(sent: Mapping[str, Sent], pulled: Pulling, way: str) -> None:
    """Each part is `stored` under a number of its own, and none of them is an Observation."""
    mine = sent[way]
    assert len(mine.cart.tally.stored) == PARTS[way] == len(mine.cart.readings)
    wait_for(lambda: _tracings(pulled, mine.patient), "the tracing is published")
    assert [each["id"] for each in pulled.found("Observation", mine.patient)] == [f"{first_reading(mine.cart)}-ecg"]


@pytest.mark.parametrize(("way", "media"), [("dicom", "application/dicom"), ("edf", "application/edf")])
def test_the_file_itself_is_kept_beside_its_tracing(
    sent: Mapping[str, Sent], pulled: Pulling, way: str, media: str
) -> None:
    """The DocumentReference leads to the very bytes that the cart sent."""
    mine = sent[way]
    wait_for(lambda: pulled.found("DocumentReference", mine.patient), "the file is published")
    (document,) = pulled.found("DocumentReference", mine.patient)
    (content,) = document["content"]
    assert content["attachment"]["contentType"] == media
    (reading,) = mine.cart.readings
    assert pulled.sha256(content["attachment"]["url"]) == json.loads(reading.payload)["recording"]["blob"]["sha256"]
    if way == "dicom":
        assert pulled.content(content["attachment"]["url"]) == Path(ecg_cart.RECORDING).read_bytes()


def test_a_file_that_names_somebody_else_waits_for_a_person(
    site: Installation, pulled: Pulling, tmp_path: Path
) -> None:
    """It is `stored`, for the cart did nothing wrong, and in nobody's record."""
    (who,) = enrol(site, "ecg", "ecg-other")
    with running(site, who, tmp_path / "cart") as cart:
        cart.measure(ecg_cart.build(mode="dicom"))
        cart.settle()
        assert cart.verdicts("stored", "quarantined") == [("stored", None)]
    with site.api() as api:
        wait_for(lambda: api.get("/inbox")["items"], "it is in the inbox")
        assert api.get("/inbox")["items"] == [{"device": "ecg-other", "readings": 1}]
    assert pulled.found("Observation", who.patient) == []


def _tracings(pulled: Pulling, patient: str) -> list[dict[str, Any]]:
    return [each for each in pulled.found("Observation", patient) if each["id"].endswith("-ecg")]
