"""The table, a row a device: what it made, how far that has come, what its display shows; never whose it is.

Comes in: accounts, who is on line. Goes out: a live table on a terminal, a few lines elsewhere. Refuses to know: how
they were found out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from app.demo.evidence import Account
from app.demo.scenario import Player, Scenario
from app.demo.words import MEASURES, said

_PLAIN_WIDTH = 100  # of the table where no terminal says how wide it is


@dataclass(frozen=True, slots=True)
class Moment:
    """How it stands: an account for each player, and whether its device is on line."""

    accounts: Sequence[Account]
    online: Mapping[str, bool]
    at_s: float


@dataclass(slots=True)
class Board:
    """Shows moments, the newest in place of the one before; says what changed as it happens."""

    scenario: Scenario
    console: Console = field(default_factory=lambda: Console(highlight=False, soft_wrap=True))
    _live: Live | None = None
    _before: Moment | None = None

    def __enter__(self) -> Self:
        """Begin."""
        if self.console.is_terminal:
            self._live = Live(console=self.console, auto_refresh=False)
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, at: TracebackType | None) -> None:
        """Leave the last table standing; elsewhere than on a terminal it is shown now, once."""
        if self._live is not None:
            self._live.stop()
        elif self._before is not None and kind is None:
            Console(file=self.console.file, width=_PLAIN_WIDTH, highlight=False).print(
                drawn(self.scenario, self._before)
            )

    def show(self, moment: Moment) -> None:
        """Show how it stands now."""
        for line in events(self.scenario, self._before, moment):
            self.say(f"{moment.at_s:4.0f} s  {line}")
        self._before = moment
        if self._live is not None:
            self._live.update(drawn(self.scenario, moment), refresh=True)

    def say(self, line: str) -> None:
        """A line above the table."""
        self.console.print(Text(line))


def events(scenario: Scenario, before: Moment | None, now: Moment) -> list[str]:
    """What is worth a line: the first stored reading, the line lost and found, the first of each mistake."""
    found: list[str] = []
    earlier = {account.device: account for account in before.accounts} if before else {}
    for player, account in zip(scenario.players, now.accounts, strict=True):
        device, was = player.device, earlier.get(player.device)
        words = (_line(player, account, now), _line(player, was, before) if was and before else "")
        if account.stored and not (was and was.stored):
            found.append(f"{device}: its first reading is stored")
        if account.repeated and not (was and was.repeated):
            found.append(f"{device}: said a reading twice; it was answered twice and counts once")
        reasons = set(account.quarantined.values()) - set(was.quarantined.values() if was else ())
        found += [f"{device}: a reading is set aside ({reason}) and answered so" for reason in sorted(reasons)]
        if words == (_OFF, _ON):
            found.append(f"{device}: its network is gone; it goes on measuring and keeps its readings")
        if words == (_ON, _OFF) and was and was.stored:
            found.append(f"{device}: its network is back; {len(was.waiting)} readings that waited go out")
    return found


_ON, _OFF, _DONE = "on", "off", "done"
_STYLES = {_ON: "green", _OFF: "bold red", _DONE: "dim"}


def _line(player: Player, account: Account, moment: Moment) -> str:
    """The device's line in a word."""
    if moment.online.get(player.device):
        return _ON
    return _DONE if player.rests(len(account.made) - len(account.waiting)) else _OFF


_NUMBERS = (("made", 5), ("stored", 6), ("quarantined", 11), ("pending", 7), ("record", 6))
"""Columns that count, with their widths."""


def drawn(scenario: Scenario, moment: Moment) -> Group:
    """The table of a moment, room by room; at most 100 characters wide."""
    rows = zip(scenario.players, moment.accounts, strict=True)
    parts: list[Text | Table] = [_empty(header=True)]
    for room, group in groupby(rows, key=lambda row: row[0].room):
        table = _empty(header=False)
        for player, account in group:
            table.add_row(*_row(player, account, moment))
        parts += [Text(f"Room {room + 1}: {scenario.rooms[room].title}", "bold"), table]
    return Group(*parts)


def _empty(*, header: bool) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 1, 0, 0), show_header=header)
    table.add_column("device", width=13, no_wrap=True)
    table.add_column("measures", width=14, no_wrap=True)
    table.add_column("line", width=4, no_wrap=True)
    for name, width in _NUMBERS:
        table.add_column(name, justify="right", width=width, no_wrap=True)
    table.add_column("last value", no_wrap=True, min_width=24)
    return table


def _row(player: Player, account: Account, moment: Moment) -> tuple[str | Text, ...]:
    word = _line(player, account, moment)
    counts = (account.made, account.stored, account.quarantined, account.waiting, account.in_record)
    return (
        player.device, MEASURES[player.kind], Text(word, _STYLES[word]), *(str(len(count)) for count in counts),
        said(account.last),
    )  # fmt: skip
