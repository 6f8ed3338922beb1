"""A case folder with all that its reading becomes: what was sent, what was known, what looking into the content told.

`sent.json` is a `message.json` that other runners pass over, because facts that they do not know count for it.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, replace
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import simplejson

from fhir_export.mapping import resources
from fhir_export.model import Body, Deployment, Resource, placeholder
from ingest.clock import parse
from ingest.content.found import Found, Wave
from ingest.judge import judge
from ingest.ledger.readings import LONGEST
from ingest.model import Channel, ClockFacts, DeviceStatus, Facts, Lead, RawMessage, Recording
from registry.model import Attributed, Device, Identity

CASES = Path(__file__).parents[1] / "cases"
FOLDERS = sorted(path.parent for path in CASES.glob("*/*/resources.json"))
DEPLOYMENT = Deployment("2.999.1", "gateway-1", "1.0.0")


@dataclass(frozen=True)
class Whole:
    """A folder and what it says."""

    folder: Path

    @cached_property
    def facts(self) -> dict[str, Any]:
        """What was known beside the message; a case's members over those of its kind."""
        own = self.folder / "facts.json"
        under = json.loads(self.folder.parent.joinpath("facts.json").read_text("utf-8"))
        return _over(under, json.loads(own.read_text("utf-8")) if own.exists() else {})

    @cached_property
    def message(self) -> bytes:
        """The bytes that came."""
        return next(
            self.folder / name for name in ("message.json", "sent.json") if (self.folder / name).exists()
        ).read_bytes()

    @cached_property
    def content(self) -> bytes | None:
        """The blob, if the reading names one."""
        found = list(self.folder.glob("content.*"))
        return found[0].read_bytes() if found else None

    @cached_property
    def found(self) -> Found | None:
        """What looking into it told."""
        file = self.folder / "found.json"
        return Found.of(file.read_text("utf-8")) if file.exists() else None

    @cached_property
    def attributed(self) -> Attributed:
        """What mapping is given."""
        now, device = parse(self.facts["received_at"]), self.facts["device"]
        raw = RawMessage(device["device"], Channel.READING, self.message, now)
        clocks = {int(epoch): ClockFacts(**known) for epoch, known in self.facts["clocks"].items()}
        judged = judge(raw, Facts(now, DeviceStatus.ACTIVE, clocks))
        assert judged.reading is not None
        wave, given_at = self.found.wave if self.found else None, self.facts.get("given_at")
        reading = judged.reading if wave is None else replace(judged.reading, recording=self._recording(wave))
        words = {name: word for name, word in device.items() if name != "identity"}
        return Attributed(
            reading=reading,
            accepted_at=now,
            patient=self.facts["patient"]["patient"],
            device=Device(**words, status=DeviceStatus.ACTIVE, identity=Identity()),
            sha=judged.sha,
            attribution=self.facts.get("attribution", 1),
            hub=self.facts.get("hub"),
            found=self.found,
            given_at=None if given_at is None else parse(given_at),
        )

    def _recording(self, wave: Wave) -> Recording | None:
        """The channels of the file, read by none of our code; none when the file is said to be a long one."""
        if wave.length * len(wave.leads) > LONGEST or self.content is None:
            return None
        group = pydicom.dcmread(BytesIO(self.content)).WaveformSequence[0]
        channels = np.frombuffer(group.WaveformData, "<i2").reshape(-1, int(group.NumberOfWaveformChannels)).T
        leads = zip(wave.leads, channels, strict=True)
        return Recording(wave.sampling_hz, wave.unit, tuple(Lead(n, c.tobytes(), s, b) for (n, s, b), c in leads))

    @cached_property
    def made(self) -> tuple[Resource, ...]:
        """What mapping makes of it."""
        return resources(self.attributed, DEPLOYMENT)

    def expected(self) -> list[Body]:
        """What the folder says that leaves; the content of a Binary as it is kept, its hash told."""
        bodies: list[Body] = simplejson.loads(self.folder.joinpath("resources.json").read_bytes(), use_decimal=True)
        for body in bodies:
            if body["resourceType"] == "Binary":
                assert base64.b64decode(body["data"]) == self.content
                assert self.attributed.reading.blob is not None
                body["data"] = placeholder(self.attributed.reading.blob.sha256)
        return bodies


def _over(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = dict(under)
    for name, member in over.items():
        below = under.get(name)
        merged[name] = (
            _over(below, member)
            if isinstance(below, dict) and isinstance(member, dict) and name != "clocks"
            else member
        )
    return merged
