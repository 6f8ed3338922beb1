"""What somebody outside was told, held against what a power cut has left.

Comes in: a data folder, the lines that were said before the cut. Goes out: sentences, one for each promise that was
broken. Refuses to know: where the cut fell.

The folder is opened as the gateway and the office open it at their start; what they do then (taking up contents that
had come, the sweep) is done too, and then the ledger has to keep something new.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from threading import Event
from typing import Any

from app import waiting
from app.parts import GATEWAY, only_one
from app.settings import Settings
from ingest.content.found import Found
from ingest.inspection.inspector import Inspector
from ingest.ledger.balance import balance
from ingest.ledger.faults import LedgerFault
from ingest.ledger.files import OpenLedger
from ingest.ledger.port import Kept
from ingest.ledger.relational import RelationalLedger
from ingest.ledger.verify import verify
from ingest.model import Outcome
from tests.power.story import CUFFS, Looks
from tests.support import ledgers
from tests.support.ledgers import NOW

Said = Mapping[str, Any]
_NEW = 9_000_000  # a seq that no story reaches


def broken(data: Path, said: Sequence[Said]) -> list[str]:
    """Every promise that the folder does not keep; none when all is well."""
    try:
        with (
            only_one(data, GATEWAY),
            waiting.ledger(Settings(data=data), GATEWAY, Event()) as gateway,
            waiting.ledger(Settings(data=data), "office", Event()) as office,
        ):
            assert gateway is not None
            assert office is not None
            return list(_looked(gateway, office, said))
    except (LedgerFault, sqlite3.Error, OSError) as fault:
        return [f"does not open: {fault}"]


def _looked(gateway: OpenLedger, office: OpenLedger, said: Sequence[Said]) -> Iterator[str]:
    yield from _names(gateway, said)
    yield from _messages(gateway, said)
    yield from _parts(gateway, said)
    yield from _sound(gateway, "as it was found")
    refused = _refusals(office)
    office.blobs.clear_scratch()
    inspector = Inspector(office, Looks(), lambda: NOW)
    while inspector.step():
        pass
    if inspector.problem:
        yield f"what had come cannot be looked at: {inspector.problem}"
    if (now := _refusals(office)) != refused:
        yield f"{now - refused} contents were refused"
    yield from _contents(gateway, said)
    yield from _goes_on(gateway, said)
    yield from _sound(gateway, "after going on")


def _names(file: OpenLedger, said: Sequence[Said]) -> Iterator[str]:
    """Receipts carry the ledger's name: another one makes every device send all again."""
    for name in {each["ledger"] for each in said if "ledger" in each} - {file.name}:
        yield f"ledger {name} has another name"
    devices = {device for (device,) in _rows(file, "SELECT device FROM device")}
    for device in {each["device"] for each in said if "device" in each} - devices:
        yield f"device {device} is absent"


def _messages(file: OpenLedger, said: Sequence[Said]) -> Iterator[str]:
    """Every message that was answered is there, with its bytes, its verdict and its reading."""
    rows = _rows(
        file,
        "SELECT j.device, lower(hex(j.sha)), j.payload, j.outcome, lower(hex(r.reading))"
        " FROM journal j LEFT JOIN reading r USING (position)",
    )
    found = {(device, sha): (payload, outcome, reading) for device, sha, payload, outcome, reading in rows}
    for each in said:
        if "message" not in each:
            continue
        payload, outcome, reading = found.get((each["of"], each["message"]), (b"", None, None))
        if outcome is None:
            yield f"acknowledged, and absent: {each}"
        elif hashlib.sha256(payload).hexdigest() != each["message"]:
            yield f"acknowledged, and other bytes: {each}"
        elif outcome != each["outcome"] and not (outcome == "pending" and each["outcome"] in ("stored", "quarantined")):
            yield f"acknowledged, and now {outcome}: {each}"
        elif outcome in ("stored", "pending") and reading != each["reading"]:
            yield f"acknowledged, and without its reading: {each}"


def _parts(file: OpenLedger, said: Sequence[Said]) -> Iterator[str]:
    """Every part that was answered as kept is somewhere, with its bytes, and is not asked for again."""
    noted = {row[:3]: row[3] for row in _rows(file, 'SELECT device, lower(hex(sha)), start, "end" FROM piece')}
    done = set(
        _rows(file, "SELECT device, lower(hex(sha)) FROM content WHERE state IN ('complete', 'ready', 'refused')")
    )
    folder = file.blobs.path("0" * 64).parents[2]
    for each in said:
        if "part" not in each:
            continue
        places = (folder / "parts" / each["of"], folder / "taken" / each["of"], file.blobs.path(each["blob"]).parent)
        if not any(_holds(place / each["blob"], each) for place in places):
            yield f"kept, and absent: {each}"
        key = (each["of"], each["blob"])
        if key not in done and noted.get((*key, each["start"]), 0) < each["start"] + each["size"]:
            yield f"kept, and asked for again: {each}"


def _holds(file: Path, part: Said) -> bool:
    if not file.is_file():
        return False
    data = file.read_bytes()[part["start"] : part["start"] + part["size"]]
    return hashlib.sha256(data).hexdigest() == str(part["part"])


def _contents(file: OpenLedger, said: Sequence[Said]) -> Iterator[str]:
    """Every content whose verdict was told is there and sound, with what was made from it."""
    states = {
        reading: (state, sha, told)
        for reading, state, sha, told in _rows(
            file,
            "SELECT lower(hex(r.reading)), c.state, lower(hex(c.sha)), c.found"
            " FROM content c JOIN reading r USING (position)",
        )
    }
    for each in said:
        if "later" not in each:
            continue
        state, sha, told = states.get(each["later"], (None, None, None))
        if (state, each["outcome"]) not in (("ready", "stored"), ("refused", "quarantined")):
            yield f"told, and now {state}: {each}"
        elif state == "ready":
            picture = Found.of(told).picture
            names = [sha, *([picture.thumbnail] if picture and picture.thumbnail else [])]
            yield from (f"told, and not sound: {name} of {each}" for name in names if not file.blobs.is_sound(name))


def _goes_on(file: OpenLedger, said: Sequence[Said]) -> Iterator[str]:
    """The ledger keeps what comes next; what comes again is known."""
    if not any("device" in each for each in said):
        return
    ledger = RelationalLedger(file)
    (answer,) = ledger.commit([ledgers.reading(_NEW, device=CUFFS[0])], NOW).result()
    if not isinstance(answer, Kept) or answer.outcome != Outcome.STORED or answer.repeat:
        yield f"a new reading was answered {answer}"
    (again,) = ledger.commit([ledgers.reading(_NEW, device=CUFFS[0])], NOW).result()
    if not isinstance(again, Kept) or not again.repeat:
        yield f"a repeated reading was answered {again}"


def _sound(file: OpenLedger, when: str) -> Iterator[str]:
    with file.readers.connect() as connection:
        yield from (f"{when}: {fault}" for fault in verify(connection, blobs=file.blobs).faults)
        if not (found := balance(connection)).balanced:
            yield f"{when}: {found}"


def _refusals(file: OpenLedger) -> int:
    return int(_rows(file, "SELECT count(*) FROM content WHERE state = 'refused'")[0][0])


def _rows(file: OpenLedger, statement: str) -> list[tuple[Any, ...]]:
    with file.readers.connect() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(statement)]


def lines(text: bytes) -> list[Said]:
    """What was said, line by line; a line that was cut off was not heard."""
    return [json.loads(line) for line in text.split(b"\n")[:-1]]
