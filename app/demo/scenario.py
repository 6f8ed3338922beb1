"""The morning that is played: who is there, which devices, and what each of them gets wrong.

Comes in: nothing. Goes out: ``MORNING``, a table. Refuses to know: how it is played. Every person is a plain test
identity.
"""

from __future__ import annotations

from dataclasses import dataclass

LOCAL = "urn:oid:2.999.1.4"
"""Local patient numbers below the deployment's example root (ITU-T X.660 keeps arc 2.999 for examples)."""
INS_TEST = "urn:oid:1.2.250.1.213.1.4.10"
"""INS numbers of the national test system: nobody's."""
FAMILY = "EXEMPLE-FICTIF"


@dataclass(frozen=True, slots=True)
class Person:
    """A test identity; ``identifiers`` are ``SYSTEM|VALUE``."""

    given: str
    birth_date: str
    gender: str
    identifiers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Player:
    """A simulated device on ``person`` (a place in the scenario's people), and its part in ``role``'s words.

    It makes ``count`` readings, ``rate`` a second. ``away_s`` is about how long it stays away when its line is cut.
    """

    device: str
    kind: str
    method: str
    person: int
    role: str
    count: int
    rate: float
    seed: int
    faults: tuple[str, ...] = ()
    has_eui64: bool = False
    away_s: float = 1.0


@dataclass(frozen=True, slots=True)
class Scenario:
    """Everything that is played.

    The record misbehaves by ``record_faults`` from second ``record_fails_at_s`` on. ``patience_s`` after the last
    reading, whatever is still unanswered stays so.
    """

    people: tuple[Person, ...]
    players: tuple[Player, ...]
    record_faults: tuple[str, ...]
    record_fails_at_s: float
    patience_s: float = 45.0

    @property
    def lasts_s(self) -> float:
        """How long the devices measure."""
        return max(player.count / player.rate for player in self.players)


MORNING = Scenario(
    people=(
        Person("ALPHA", "1980-01-01", "female", (f"{LOCAL}|EXEMPLE-000042",)),
        Person("BETA", "1980-01-09", "female", (f"{INS_TEST}|280019741199930", f"{LOCAL}|EXEMPLE-000043")),
        Person("GAMMA", "1955-06-30", "male", (f"{LOCAL}|EXEMPLE-000044",)),
    ),
    players=(
        Player("ecg-cart-1", "ecg", "ecg", 0, "a real 12-lead recording", 2, 0.2, 1),
        Player("meter-1", "blood_pressure", "cuff", 0, "in order", 14, 1.0, 2, has_eui64=True),
        Player("meter-2", "blood_pressure", "cuff", 1, "wrong units, repeats", 14, 1.0, 101,
               ("wrong_unit:0.3", "repeat:0.3")),
        Player("meter-3", "blood_pressure", "cuff", 2, "loses its network", 14, 1.0, 72,
               ("cut_network:0.1",), away_s=4.0),
    ),
    record_faults=("cut:0.5",),
    record_fails_at_s=7.0,
)  # fmt: skip
"""Seeds are chosen so that each fault happens, and the network goes in the middle, once."""
