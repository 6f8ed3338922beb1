"""Misbehaviour on demand, as tables: what a faulty device or line does to a reading, and what it should lead to.

Comes in: texts such as `drop:0.2`, and a seed. Goes out: for each reading made, its members, changed or not; for each
publish, and each part of a large content, the bytes that really go out. Refuses to know: sockets, outbox, time of day.

A fault of the *content* is the device's own mistake: the wrong bytes are what it keeps. A fault of the *line* leaves
the kept bytes right, so that repeats cure it.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from simulators.devices.contents import Content as Large
from simulators.devices.contents import carried

Members: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Content:
    """A row: what the device gets wrong, and the reason it should be quarantined with."""

    meaning: str
    change: Callable[[Members], Members]
    reason: str


@dataclass(frozen=True, slots=True)
class Line:
    """A row: what happens on the way."""

    meaning: str


@dataclass(frozen=True, slots=True)
class Outgoing:
    """What goes out in place of one publish; `torn` is sent by half before the line breaks."""

    payloads: tuple[bytes, ...] = ()
    retain: bool = False
    torn: bytes | None = None


def _first_value(**change: object) -> Callable[[Members], Members]:
    def changed(members: Members) -> Members:
        if "image" in members:  # a picture has no values, and may have none
            return members
        values = dict(members.get("values") or {"heart_rate": {"value": 60, "unit": "/min"}})
        name = next(iter(values))
        values[name] = {word: said for word, said in {**values[name], **change}.items() if said is not None}
        return {**members, "values": values}

    return changed


def _later(by: timedelta) -> Callable[[Members], Members]:
    def changed(members: Members) -> Members:
        taken = datetime.fromisoformat(members["taken_at"]) + by
        return {**members, "taken_at": taken.isoformat(timespec="seconds")}

    return changed


CONTENT: dict[str, Content] = {
    "wrong_unit": Content("a unit the kind does not list", _first_value(unit="furlong"), "unit.not_allowed"),
    "no_unit": Content("the first value has no unit", _first_value(unit=None), "unit.missing"),
    "impossible": Content("a value nobody can have", _first_value(value=9_999_999), "value.impossible"),
    "not_finite": Content("NaN instead of a number", _first_value(value=float("nan")), "number.not_finite"),
    "unknown_kind": Content("a kind nobody knows", lambda m: {**m, "kind": "phrenology"}, "schema.unknown_kind"),
    "future": Content("taken tomorrow", _later(timedelta(days=1)), "time.future"),
    "too_old": Content("taken a year ago", _later(timedelta(days=-365)), "time.too_old"),
    "unset_clock": Content("taken in 1970", lambda m: {**m, "taken_at": "1970-01-01T00:00:10Z"}, "time.unset_clock"),
    "no_zone": Content("a time without offset", lambda m: {**m, "taken_at": m["taken_at"][:19]}, "time.format"),
    "no_seq": Content(
        "a reading without its number", lambda m: {k: v for k, v in m.items() if k != "seq"}, "schema.missing"
    ),
}

_OF_VALUES = ("wrong_unit", "no_unit", "impossible", "not_finite")

LINE: dict[str, Line] = {
    "drop": Line("the publish is lost; the reading is repeated later"),
    "repeat": Line("published twice"),
    "reorder": Line("goes out after the next one"),
    "corrupt_bytes": Line("one byte changed on the way: no longer UTF-8"),
    "conflict": Line("followed by other content under the same number"),
    "retained": Line("published with the retain flag"),
    "cut_network": Line("the line breaks in the middle of the publish, and comes back"),
}


def _large(change: Callable[[Large], Large]) -> Callable[[Members], Members]:
    """Another content in the place of the one a reading carries; a reading without one stays as it is."""

    def changed(members: Members) -> Members:
        content = carried(members)
        if content is None:
            return members
        place = next(name for name in ("recording", "image") if "blob" in members.get(name, ()))
        return {**members, place: {**members[place], "blob": change(content)}}

    return changed


def _one_wrong_byte(content: Large) -> Large:
    return content.lying(raw=_flipped(content.raw, len(content.raw) // 2))


LARGE: dict[str, Content] = {
    "blob_damaged": Content(
        "a content with one byte other than its hash says", _large(_one_wrong_byte), "blob.hash_mismatch"
    ),
    "blob_short": Content(
        "a content said to be a byte shorter than it is",
        _large(lambda content: content.lying(size=len(content.raw) - 1)),
        "blob.hash_mismatch",
    ),
    "blob_long": Content(
        "a content said to be 64 KiB longer than it is: its end never comes",
        _large(lambda content: content.lying(size=len(content.raw) + 65_536)),
        "",
    ),
}
"""Mistakes about a large content; they are found when its last part has come. No reason: it stays `pending`."""

PARTS: dict[str, Line] = {
    "blob_shuffle": Line("the part comes in another place than its turn"),
    "blob_drop": Line("the part is lost"),
    "blob_repeat": Line("the part is published twice"),
    "blob_byte": Line("one byte of the part changed on the way"),
    "blob_cut": Line("the line breaks in the middle of the part, and comes back"),
}

STOP = "blob_stop"
"""Half of a content is sent, and no more in this run: a later run with the same outbox sends the rest."""

CLOCK = "skewed_clock"
SKEW_H = (1.0, 12.0)
"""How late a skewed clock is, in hours. Late, not ahead: a reading sent before the welcome would be in the future."""

NAMES: dict[str, str] = {
    **{name: row.meaning for name, row in CONTENT.items()},
    **{name: row.meaning for name, row in (LINE | PARTS).items()},
    **{name: row.meaning for name, row in LARGE.items()},
    STOP: "the device is switched off half way through a large content; drawn once",
    CLOCK: "the clock is late by 1 to 12 hours and not synchronised; the probability is that of having it",
}
"""Every fault by name, with its meaning."""


class UnknownFaultError(ValueError):
    """A fault's text cannot be read; the message says what is possible."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault asked for, and how often: 0 to 1."""

    name: str
    probability: float = 1.0


def parse(text: str) -> Fault:
    """A fault from `name` or `name:probability`; raises `UnknownFaultError`."""
    name, _, share = text.partition(":")
    if name not in NAMES:
        raise UnknownFaultError(f"This fault is not known. Possible are: {', '.join(NAMES)}.")
    try:
        probability = float(share or "1")
    except ValueError:
        probability = -1.0
    if not 0 <= probability <= 1:
        raise UnknownFaultError(f"A fault is written {name} or {name}:PROBABILITY, with a number from 0 to 1.")
    return Fault(name, probability)


def possible(members: Mapping[str, Any]) -> dict[str, Content]:
    """The content faults that this reading can have: a picture has no values, most readings nothing large."""
    left_out = _OF_VALUES if "image" in members else ()
    rows = CONTENT | LARGE if carried(members) is not None else CONTENT
    return {name: row for name, row in rows.items() if name not in left_out}


@dataclass(slots=True)
class Misbehaviour:
    """The faults in force, drawn from one seed; `fired` counts those that happened."""

    faults: tuple[Fault, ...] = ()
    seed: int | str = 0
    fired: Counter[str] = field(default_factory=Counter)
    _chance: random.Random = field(init=False)
    _waiting: list[bytes] = field(default_factory=list)
    _stops: bool | None = None

    def __post_init__(self) -> None:
        """Chance begins at the seed."""
        self._chance = random.Random(f"faults {self.seed}")

    def of(self, device: str) -> Misbehaviour:
        """The same faults for one of several devices on a line: its own chance, and what it holds back is its own."""
        return Misbehaviour(self.faults, f"{self.seed} {device}", self.fired)

    def clock_late(self) -> timedelta | None:
        """By how much the device's clock is late; None when it is right. Drawn once, at the start."""
        if CLOCK not in self._drawn((CLOCK,)):
            return None
        return timedelta(seconds=round(self._chance.uniform(*SKEW_H) * 3600))

    def made(self, members: Mapping[str, Any]) -> Members:
        """The members of a new reading as the device keeps them; at most one content fault each."""
        table = possible(members)
        drawn = self._drawn(table, most=1)
        return table[drawn[0]].change(dict(members)) if drawn else dict(members)

    def sent(self, payload: bytes) -> Outgoing:
        """What goes out in place of these bytes; of several faults drawn, the first of the table decides."""
        drawn = self._drawn(LINE, most=1)
        if drawn == ["reorder"]:
            self._waiting.append(payload)
            return Outgoing()
        before = _ON_THE_WAY[drawn[0]](payload, self._chance) if drawn else Outgoing((payload,))
        late, self._waiting = tuple(self._waiting), []
        return Outgoing(before.payloads + late, before.retain, before.torn)

    def place(self, many: int) -> int:
        """Which of so many waiting parts goes next."""
        return self._chance.randrange(many) if self._drawn(("blob_shuffle",)) else 0

    def part(self, payload: bytes) -> Outgoing:
        """What goes out in place of one part of a large content."""
        drawn = self._drawn(tuple(_PART_ON_THE_WAY), most=1)
        return _PART_ON_THE_WAY[drawn[0]](payload, self._chance) if drawn else Outgoing((payload,))

    def stops(self, share: float) -> bool:
        """Whether the device is off for good, when this share of a content has gone out."""
        if share >= 0.5 and self._stops is None:  # noqa: PLR2004 - half way
            self._stops = bool(self._drawn((STOP,)))
        return self._stops is True

    def left(self) -> tuple[bytes, ...]:
        """What was held back and has nothing to follow: it goes out now."""
        late, self._waiting = tuple(self._waiting), []
        return late

    def _drawn(self, table: Mapping[str, object] | tuple[str, ...], most: int | None = None) -> list[str]:
        asked = [fault for fault in self.faults if fault.name in table]
        drawn = [fault.name for fault in asked if self._chance.random() < fault.probability]
        drawn = drawn[:most]
        self.fired.update(drawn)
        return drawn


def _corrupt(payload: bytes, chance: random.Random) -> Outgoing:
    at = chance.randrange(len(payload))
    return Outgoing((payload[:at] + b"\xff" + payload[at + 1 :],))  # 0xFF stands in no UTF-8 text


def _conflict(payload: bytes, _chance: random.Random) -> Outgoing:
    other = json.loads(payload)
    for value in (other.get("values") or {}).values():
        value["value"] += 1
    return Outgoing((payload, json.dumps(other, separators=(",", ":"), ensure_ascii=False).encode()))


_ON_THE_WAY: dict[str, Callable[[bytes, random.Random], Outgoing]] = {
    "drop": lambda _payload, _chance: Outgoing(),
    "repeat": lambda payload, _chance: Outgoing((payload, payload)),
    "corrupt_bytes": _corrupt,
    "conflict": _conflict,
    "retained": lambda payload, _chance: Outgoing((payload,), retain=True),
    "cut_network": lambda payload, _chance: Outgoing(torn=payload),
}

_PART_ON_THE_WAY: dict[str, Callable[[bytes, random.Random], Outgoing]] = {
    "blob_drop": _ON_THE_WAY["drop"],
    "blob_repeat": _ON_THE_WAY["repeat"],
    "blob_byte": lambda payload, chance: Outgoing((_flipped(payload, chance.randrange(len(payload))),)),
    "blob_cut": _ON_THE_WAY["cut_network"],
}


def _flipped(payload: bytes, at: int) -> bytes:
    return payload[:at] + bytes((payload[at] ^ 0xFF,)) + payload[at + 1 :]
