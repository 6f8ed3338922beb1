"""The morning that is played: rooms, people, devices, and what each device gets wrong.

Comes in: nothing. Goes out: ``MORNING``, a table. Refuses to know: how it is played. Every person is a plain test
identity.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import accumulate

from simulators.person import PLACES

LOCAL = "urn:oid:2.999.1.4"
"""Local patient numbers below the deployment's example root (ITU-T X.660 keeps arc 2.999 for examples)."""
INS_TEST, INS_DEMO = "urn:oid:1.2.250.1.213.1.4.10", "urn:oid:1.2.250.1.213.1.4.11"
"""INS numbers of the national test and demonstration systems: nobody's."""
FAMILY = "EXEMPLE-FICTIF"
GRID = 65_536
"""Bytes of the shortest part of a content that the device contract allows (C-BLB-2)."""


@dataclass(frozen=True, slots=True)
class Room:
    """Where devices stand, and what for; ``place`` is one of ``simulators.person.PLACES``."""

    name: str
    place: str

    @property
    def altitude_m(self) -> float:
        """Of the place, in m."""
        return PLACES[self.place]

    @property
    def title(self) -> str:
        """For a person."""
        return f"{self.name}, {self.place}" + (f", {self.altitude_m:.0f} m" if self.altitude_m else "")


@dataclass(frozen=True, slots=True)
class Person:
    """A test identity; ``identifiers`` are ``SYSTEM|VALUE``, ``body`` is the seed of what instruments find."""

    given: str
    birth_date: str
    gender: str
    identifiers: tuple[str, ...]
    body: int = 0


@dataclass(frozen=True, slots=True)
class Act:
    """``count`` readings, ``rate`` a second, of ``person`` (a place in the scenario's people), from ``begins_s`` on.

    ``settings`` are those of the instrument.
    """

    person: int
    count: int
    rate: float = 1.0
    begins_s: float = 0.0
    settings: Mapping[str, str | bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Player:
    """A simulated device in ``room`` (a place in the scenario's rooms), and what it does, one act after the other.

    ``away_s`` is about how long it stays away when its line is cut.
    """

    device: str
    kind: str
    room: int
    acts: tuple[Act, ...]
    seed: int = 0
    faults: tuple[str, ...] = ()
    has_eui64: bool = False
    away_s: float = 1.0

    @property
    def count(self) -> int:
        """How many readings it makes."""
        return sum(act.count for act in self.acts)

    def rests(self, made: int) -> bool:
        """Whether after so many readings it has nothing to measure for now."""
        return made in accumulate(act.count for act in self.acts)

    def person(self, seq: int) -> int:
        """Whom it measured for this reading; beyond the last act, where only corrections come, the last one."""
        ends = accumulate(act.count for act in self.acts)
        return next((act.person for act, end in zip(self.acts, ends, strict=True) if seq < end), self.acts[-1].person)


@dataclass(frozen=True, slots=True)
class Scenario:
    """Everything that is played.

    The record misbehaves by ``record_faults`` from second ``record_fails_at_s`` on. ``patience_s`` after the last
    reading of an act, whatever is still unanswered stays so.
    """

    rooms: tuple[Room, ...]
    people: tuple[Person, ...]
    players: tuple[Player, ...]
    record_faults: tuple[str, ...]
    record_fails_at_s: float
    patience_s: float = 45.0


MORNING = Scenario(
    rooms=(
        Room("Assisted teleconsultation", "Cilaos"),
        Room("ECG", "Saint-Denis"),
        Room("Diabetic screening", "Saint-Denis"),
    ),
    people=(
        Person("ALPHA", "1980-01-01", "female", (f"{INS_TEST}|280019741199831", f"{LOCAL}|EXEMPLE-000042"), 11907),
        Person("BETA", "1980-01-09", "female", (f"{INS_TEST}|280019741199930", f"{LOCAL}|EXEMPLE-000043")),
        Person("GAMMA", "1955-06-30", "male", (f"{INS_TEST}|155069741199927", f"{LOCAL}|EXEMPLE-000044"), 140),
        Person("DELTA", "1962-03-14", "male", (f"{INS_DEMO}|162039741199924", f"{LOCAL}|EXEMPLE-000045")),
    ),
    players=(
        Player("cuff-1", "blood_pressure", 0, (Act(0, 12),), 72, ("cut_network:0.1",), has_eui64=True, away_s=4.0),
        Player("oximeter-1", "pulse_oximetry", 0, (Act(0, 12),), 2, ("repeat:0.3",)),
        Player("thermometer-1", "body_temperature", 0, (Act(0, 4, 0.5),), 3, has_eui64=True),
        Player("scale-1", "body_weight", 0, (Act(0, 6, 0.5),), 7, ("wrong_unit:0.3",), has_eui64=True),
        Player("ecg-cart-1", "ecg", 1, (Act(1, 1), Act(3, 1, begins_s=6.0, settings={"mode": "dicom"}))),
        Player("camera-1", "retinography", 2,
               (Act(2, 4, 0.5, settings={"diabetic": True, "file_format": "jpeg"}),), 34,
               ("blob_drop:0.15", "blob_repeat:0.15", "blob_shuffle:0.5")),
        Player("glucometer-1", "blood_glucose", 2, (Act(2, 3, 0.5),), 4, has_eui64=True),
        Player("hba1c-1", "hba1c", 2, (Act(2, 1),), 5),
    ),
    record_faults=("cut:0.3",),
    record_fails_at_s=7.0,
)  # fmt: skip
"""Seeds are chosen so that each fault happens, and the network goes in the middle, once; those of bodies so that age,
sex, altitude and illness are those of the person and the place."""
