"""The table and its lines: what a person is told while the morning is played."""

import io
from datetime import UTC, datetime
from decimal import Decimal

from rich.console import Console

from app.demo.evidence import Account, Made
from app.demo.scenario import FAMILY, MORNING, Act, Person, Player, Room, Scenario
from app.demo.table import Board, Moment, drawn, events

PLAYER = Player("cuff-1", "blood_pressure", 0, (Act(0, 4),))
SCENARIO = Scenario((Room("Room", "Cilaos"),), (Person("ALPHA", "1980-01-01", "female", ()),), (PLAYER,), (), 0.0)
VALUES = {"systolic": Decimal(128), "diastolic": Decimal(79), "pulse": Decimal(66)}
UNITS = {"systolic": "mm[Hg]", "diastolic": "mm[Hg]", "pulse": "/min"}


def moment(made: int, stored: int, *, online: bool, repeated: int = 0) -> Moment:
    """A meter that has made so many readings, of which so many are stored."""
    readings = {str(n): Made(n, "blood_pressure", datetime.now(UTC), VALUES, UNITS) for n in range(made)}
    account = Account("cuff-1", readings, frozenset(map(str, range(stored))), {}, frozenset(), repeated)
    return Moment([account], {"cuff-1": online}, 1.0)


def test_a_network_that_goes_and_comes_back_is_told() -> None:
    """Going off the network with more to measure is one line, coming back is one with what waited."""
    gone = events(SCENARIO, moment(1, 1, online=True), moment(2, 1, online=False))
    back = events(SCENARIO, moment(3, 1, online=False), moment(3, 3, online=True))
    still = events(SCENARIO, moment(2, 1, online=False), moment(3, 1, online=False))
    assert still == []
    assert gone == ["cuff-1: its network is gone; it goes on measuring and keeps its readings"]
    assert back == ["cuff-1: its network is back; 2 readings that waited go out"]


def test_a_device_that_is_done_or_begins_lost_no_network() -> None:
    """Leaving with everything answered, and coming for the first time, are no lines about the network."""
    assert events(SCENARIO, moment(4, 4, online=True), moment(4, 4, online=False)) == []
    assert events(SCENARIO, moment(0, 0, online=False), moment(1, 1, online=True)) == [
        "cuff-1: its first reading is stored"
    ]


def test_a_device_between_two_patients_lost_no_network() -> None:
    """Off the line with the first act answered, and coming back for the second, is no line about the network."""
    twice = Scenario(SCENARIO.rooms, SCENARIO.people, (Player("cuff-1", "x", 0, (Act(0, 1), Act(0, 1))),), (), 0.0)
    assert events(twice, moment(1, 1, online=True), moment(1, 1, online=False)) == []
    assert events(twice, moment(2, 1, online=False), moment(2, 2, online=True)) == []


def test_a_reading_said_twice_is_told_once() -> None:
    """The first repeat is a line, the next ones are not."""
    said = ["cuff-1: said a reading twice; it was answered twice and counts once"]
    assert events(SCENARIO, moment(1, 1, online=True), moment(1, 1, online=True, repeated=1)) == said
    before = moment(1, 1, online=True, repeated=1)
    assert events(SCENARIO, before, moment(1, 1, online=True, repeated=2)) == []


def test_a_pipe_gets_one_table_of_100_columns() -> None:
    """Elsewhere than on a terminal the table is drawn once, at the end, a row a device, in 100 columns."""
    text = io.StringIO()
    with Board(SCENARIO, Console(file=text)) as board:
        board.show(moment(1, 1, online=True))
        board.show(moment(3, 2, online=True))
    lines = text.getvalue().splitlines()
    (row,) = [line.split() for line in lines if line.startswith("cuff-1 ")]
    assert row == ["cuff-1", "blood", "pressure", "on", "3", "2", "0", "1", "0", "128/79", "mmHg,", "pulse", "66"]
    assert "Room 1: Room, Cilaos, 1200 m" in text.getvalue()
    assert max(map(len, lines)) <= 100


def test_no_table_has_a_name_of_a_person() -> None:
    """The table shows devices, never whose their readings are."""
    whole = io.StringIO()
    empty = [Account(player.device, {}, frozenset(), {}, frozenset(), 0) for player in MORNING.players]
    Console(file=whole, width=100).print(drawn(MORNING, Moment(empty, {}, 0.0)))
    assert all(player.device in whole.getvalue() for player in MORNING.players)
    assert not any(word in whole.getvalue() for word in (FAMILY, *(person.given for person in MORNING.people)))
