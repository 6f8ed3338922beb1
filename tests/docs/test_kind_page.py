"""What the page on adding a kind shows is what the program takes."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from fhir_export import profiles
from ingest import metrics
from ingest.clock import parse
from ingest.judge import judge
from ingest.kinds import KINDS
from ingest.metrics import METRICS
from ingest.model import Channel, ClockFacts, DeviceStatus, Facts, Judged, RawMessage

PAGE = Path(__file__).resolve().parents[2] / "docs/how-to/add-a-device-kind.md"


def _blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)


def _module(folder: Path, name: str, code: str) -> ModuleType:
    file = folder / f"{name}.py"
    file.write_text(code, "utf-8")
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _judged(message: str, received_at: str) -> Judged:
    now = parse(received_at)
    raw = RawMessage("fat-0001", Channel.READING, message.encode(), now)
    return judge(raw, Facts(now, DeviceStatus.ACTIVE, clocks={0: ClockFacts(synced=True)}))


@pytest.fixture
def scale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Put the page's kind and quantity into the tables; gives the page's simulated instrument."""
    kind, quantity, _, instrument = _blocks("python")
    monkeypatch.setattr(metrics, "BODY_FAT", eval(quantity.partition("=")[2], vars(metrics)), raising=False)  # noqa: S307 - our own page
    monkeypatch.setitem(METRICS, "body_fat", metrics.BODY_FAT)  # type: ignore[attr-defined]
    monkeypatch.setitem(KINDS, "body_fat", _module(tmp_path, "page_body_fat", kind).KIND)
    yield _module(tmp_path, "page_fat_scale", instrument).INSTRUMENT
    for name in ("page_body_fat", "page_fat_scale"):
        del sys.modules[name]


@pytest.mark.usefixtures("scale")
def test_the_message_of_the_page_is_judged_as_it_says() -> None:
    """The case `plain` of the page gives the measurements beside it."""
    message, measurements = _blocks("json")
    reading = _judged(message, "2026-11-21T04:44:00.100Z").reading
    assert reading is not None
    made = [
        {"metric": m.metric, "value": m.value, "unit": m.unit, "normal": m.normal, "unusual": m.unusual}
        for m in reading.measurements
    ]
    assert made == json.loads(measurements)["measurements"]


def test_the_instrument_of_the_page_is_understood(scale: Any) -> None:  # noqa: ANN401 - of a module that a page holds
    """What the simulated scale measures is a reading of the page's kind."""
    taken = datetime(2026, 11, 21, 8, 44, tzinfo=UTC)
    for days in range(50):
        values = scale.build(days).measure(taken + timedelta(days=days))
        head = {"v": 1, "stream": "ab" * 16, "seq": days, "kind": scale.kind, "taken_at": "2026-11-21T08:44:00Z"}
        assert _judged(json.dumps(head | values), "2026-11-21T08:45:00Z").reading is not None


def test_the_row_of_the_page_is_a_row() -> None:
    """The FHIR row of the page is one, of a slug that no other row has."""
    (row,) = eval(f"({_blocks('python')[2].strip()})", vars(profiles))  # noqa: S307 - our own page
    assert row.metrics == ("body_fat",)
    assert row.slug not in {known.slug for known in profiles.VITAL_SIGNS}


def test_the_page_names_files_that_are_there() -> None:
    """Every file of the tree that the page sends its reader to exists, but for those that it makes."""
    named = set(re.findall(r"`((?:ingest|fhir_export|simulators|app|tests)/[a-z_/]+\.py)`", PAGE.read_text("utf-8")))
    made = {"ingest/kinds/body_fat.py", "simulators/devices/fat_scale.py"}
    assert made <= named
    assert {name for name in named - made if not (PAGE.parents[2] / name).is_file()} == set()
