"""The table and its lines: what a person is told while the morning is played."""

import io
from datetime import UTC, datetime

from rich.console import Console

from app.demo.evidence import Account, Made
from app.demo.scenario import FAMILY, MORNING, Person, Player, Scenario
from app.demo.table import Board, Moment, drawn, events

PLAYER = Player("meter-3", "blood_pressure", "cuff", 0, "loses its network", 4, 1.0, 0)
SCENARIO = Scenario((Person("ALPHA", "1980-01-01", "female", ()),), (PLAYER,), (), 0.0)


def moment(made: int, stored: int, *, online: bool) -> Moment:
    """A meter that has made so many readings, of which so many are stored."""
    readings = {str(n): Made(n, "blood_pressure", datetime.now(UTC), {}, {}) for n in range(made)}
    account = Account("meter-3", readings, frozenset(map(str, range(stored))), {}, frozenset(), 0)
    return Moment([account], {"meter-3": online}, 1.0)


def test_a_network_that_goes_and_comes_back_is_told() -> None:
    """Going off the network with more to measure is one line, coming back is one with what waited."""
    gone = events(SCENARIO, moment(1, 1, online=True), moment(2, 1, online=False))
    back = events(SCENARIO, moment(3, 1, online=False), moment(3, 3, online=True))
    still = events(SCENARIO, moment(2, 1, online=False), moment(3, 1, online=False))
    assert still == []
    assert gone == ["meter-3: its network is gone; it goes on measuring and keeps its readings"]
    assert back == ["meter-3: its network is back; 2 readings that waited go out"]


def test_a_device_that_is_done_or_begins_lost_no_network() -> None:
    """Leaving with everything answered, and coming for the first time, are no lines about the network."""
    assert events(SCENARIO, moment(4, 4, online=True), moment(4, 4, online=False)) == []
    assert events(SCENARIO, moment(0, 0, online=False), moment(1, 1, online=True)) == [
        "meter-3: its first reading is stored"
    ]


def test_a_pipe_gets_one_table_and_no_names() -> None:
    """Elsewhere than on a terminal the table is drawn once, at the end, and no table has a person's name."""
    text = io.StringIO()
    with Board(SCENARIO, Console(file=text)) as board:
        board.show(moment(1, 1, online=True))
        board.show(moment(2, 2, online=True))
    assert text.getvalue().count("its part") == 1
    whole = io.StringIO()
    accounts = [moment(1, 1, online=True).accounts[0] for _ in MORNING.players]
    Console(file=whole, width=200).print(drawn(MORNING, Moment(accounts, {}, 0.0)))
    assert not any(word in whole.getvalue() for word in (FAMILY, *(person.given for person in MORNING.people)))
