"""How a large content goes out: judged by a small gateway in memory that keeps ranges as the contract says."""

from __future__ import annotations

from collections import deque
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.devices.contents import Claim
from simulators.devices.parcels import GRID, PART_MOST, UNANSWERED, Parcels, Part, parts

KEY = ("cam-0001", "ab" * 16, 0)
SHA = "cd" * 32


class Ranges:
    """The gateway's side: what it has, what it answers, and the sender's own account held against it."""

    def __init__(self, size: int, most_ranges: int) -> None:
        self.size, self.most_ranges = size, most_ranges
        self.have: set[int] = set()

    def take(self, part: Part) -> None:
        """Keep a part."""
        assert part.start % GRID == 0
        assert 0 < part.end - part.start <= PART_MOST
        self.have.update(range(part.start // GRID, -(-part.end // GRID)))

    def missing(self) -> list[list[int]]:
        """As many ranges as fit."""
        found: list[list[int]] = []
        for cell in range(-(-self.size // GRID)):
            if cell in self.have:
                continue
            if found and found[-1][1] == cell * GRID:
                found[-1][1] = min((cell + 1) * GRID, self.size)
            else:
                found.append([cell * GRID, min((cell + 1) * GRID, self.size)])
        return found[: self.most_ranges]


class Run:
    """A sender, a gateway, and a line between them with a delay, losses and cuts, on a clock of its own."""

    def __init__(self, size: int, part: int, chance: Random, *, loss: float = 0.0, most_ranges: int = 50) -> None:
        self.gateway = Ranges(size, most_ranges)
        self.chance, self.loss, self.size = chance, loss, size
        self.sender = Parcels(part, pick=chance.randrange)
        self.sender.claim(KEY, Claim(SHA, size), size)
        self.now, self.bytes, self.most = 0.0, 0, 0
        self.asked_at: list[float] = []
        self.up: deque[Part | int] = deque()
        self.down: deque[Part | tuple[int, list[list[int]]]] = deque()
        self.open: dict[int, int] = {}
        self.turn = 0

    def ask(self) -> None:
        """Publish the reading."""
        if self.now >= self.sender.may_ask_at(KEY):
            self.sender.asked(KEY, self.now)
            self.asked_at.append(self.now)
            self.turn += 1
            self.up.append(self.turn)

    def send(self) -> None:
        """All parts that may go; each may be lost."""
        for part in self.sender.due(UNANSWERED):
            self.sender.sent(part, f"{part.start}-{part.end}", self.now)
            self.turn += 1
            self.open[part.start] = self.turn
            self.bytes += part.end - part.start
            if self.chance.random() >= self.loss:
                self.up.append(part)
        self.most = max(self.most, len(self.open))

    def deliver(self, many: int) -> None:
        """The gateway takes messages in order and answers."""
        for _ in range(min(many, len(self.up))):
            message = self.up.popleft()
            if isinstance(message, Part):
                self.gateway.take(message)
                self.down.append(message)
            else:
                self.down.append((message, self.gateway.missing()))

    def answer(self, many: int) -> None:
        """Answers arrive."""
        for _ in range(min(many, len(self.down))):
            said = self.down.popleft()
            if isinstance(said, Part):
                self.open.pop(said.start, None)
                self.sender.kept(SHA, said.start, f"{said.start}-{said.end}", self.now)
            else:
                question, missing = said  # an answer for all that went out before its question
                self.open = {start: turn for start, turn in self.open.items() if turn > question}
                self.sender.pending(KEY, missing, self.now)

    def cut(self) -> None:
        """Everything on its way is gone."""
        self.up.clear()
        self.down.clear()
        self.open.clear()
        self.sender.cut()

    def finish(self) -> None:
        """Without any more cuts, until the gateway has it all; in steps of a tenth of a second."""
        self.ask()
        for _ in range(20_000):
            self.now += 0.1
            if not self.sender._parcels[SHA].told and self.now - (self.asked_at or [0])[-1] > 30:  # noqa: SLF001
                self.ask()  # the ordinary repeat after 30 s
            for _key in self.sender.asks(self.now):
                self.ask()
            self.send()
            self.deliver(4)
            self.answer(4)
            if not self.gateway.missing():
                return
        pytest.fail("it never ended")


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_whatever_happens_every_byte_arrives(data: st.DataObject) -> None:
    """Any order of sending, answers and cuts: all is there in the end, never more than eight parts unanswered."""
    size = data.draw(st.integers(1, 40 * GRID))
    part = data.draw(st.sampled_from([1, 2, 3, 4])) * GRID
    run = Run(size, part, Random(data.draw(st.integers(0, 999))), most_ranges=data.draw(st.integers(1, 6)))
    for act in data.draw(st.lists(st.sampled_from(["ask", "send", "deliver", "answer", "cut", "wait"]), max_size=40)):
        match act:
            case "ask":
                run.ask()
            case "send":
                run.send()
            case "deliver":
                run.deliver(3)
            case "answer":
                run.answer(3)
            case "cut":
                run.cut()
            case _:
                run.now += 5
    run.now += 5
    run.finish()
    assert run.gateway.missing() == []
    assert run.most <= UNANSWERED
    assert all(later - earlier >= 5 for earlier, later in pairwise(run.asked_at))


@pytest.mark.parametrize("part", [GRID, PART_MOST])
def test_a_tenth_lost_costs_less_than_a_third_more(part: int) -> None:
    """Of 20 MB a tenth of the parts is lost: at most 1.3 times the bytes go out, over fifty seeds."""
    size = 20_000_000
    ratios = []
    for seed in range(50):
        run = Run(size, part, Random(seed), loss=0.1)
        run.finish()
        assert run.most <= UNANSWERED
        ratios.append(run.bytes / size)
    assert max(ratios) <= 1.3
    assert 1.05 < sum(ratios) / len(ratios) < 1.2


def test_nothing_lost_sends_each_byte_once() -> None:
    """On a good line the bytes sent are the size, and the reading is published once."""
    run = Run(1_000_000, PART_MOST, Random(1))
    run.finish()
    assert (run.bytes, len(run.asked_at)) == (1_000_000, 1)


def test_no_part_goes_before_the_answer() -> None:
    """The reading comes first: nothing is sent before its `pending`, nor after a cut before the next one."""
    sender = Parcels()
    sender.claim(KEY, Claim(SHA, 300_000), 300_000)
    sender.asked(KEY, 0.0)
    assert list(sender.due(8)) == []
    assert sender.pending(KEY, [(0, 300_000)], 0.1)
    first = list(sender.due(8))
    assert first == [Part(SHA, 0, 262_144), Part(SHA, 262_144, 300_000)]
    sender.cut()
    assert list(sender.due(8)) == []
    assert sender.may_ask_at(KEY) == 5.0
    sender.asked(KEY, 5.0)
    sender.pending(KEY, [(262_144, 300_000)], 5.1)
    assert list(sender.due(8)) == [Part(SHA, 262_144, 300_000)]


def test_parts_sent_after_the_question_are_not_sent_again() -> None:
    """An answer tells of the moment of its question: a part that was sent later is on its way, not lost."""
    sender = Parcels(GRID)
    sender.claim(KEY, Claim(SHA, 3 * GRID), 3 * GRID)
    sender.asked(KEY, 0.0)
    sender.pending(KEY, [(0, 3 * GRID)], 0.0)
    first, *rest = sender.due(1)
    sender.sent(first, "a", 1.0)
    assert rest == []
    sender.asked(KEY, 6.0)
    (second,) = sender.due(1)
    sender.sent(second, "b", 6.0)
    sender.pending(KEY, [(0, 3 * GRID)], 6.1)
    assert [part.start for part in sender.due(8)] == [0, 2 * GRID]
    assert sender.unanswered == 1


def test_a_damaged_part_goes_out_again() -> None:
    """`kept` with another sha than was sent: the bytes the gateway has are not ours."""
    sender = Parcels(GRID)
    sender.claim(KEY, Claim(SHA, GRID), GRID)
    sender.asked(KEY, 0.0)
    sender.pending(KEY, [(0, GRID)], 0.0)
    (part,) = sender.due(8)
    sender.sent(part, "right", 0.0)
    sender.kept(SHA, 0, "wrong", 0.1)
    assert list(sender.due(8)) == [part]
    sender.sent(part, "right", 0.2)
    sender.kept(SHA, 0, "right", 0.3)
    assert list(sender.due(8)) == []


def test_a_part_turned_down_is_answered() -> None:
    """A verdict by sha alone frees the place in the window, and the part waits to be asked for."""
    sender = Parcels(GRID)
    sender.claim(KEY, Claim(SHA, GRID), GRID)
    sender.asked(KEY, 0.0)
    sender.pending(KEY, [(0, GRID)], 0.0)
    (part,) = sender.due(8)
    sender.sent(part, "x", 0.0)
    assert (sender.unanswered, sender.turned_down("y", 1.0), sender.turned_down("x", 1.0)) == (1, False, True)
    assert (sender.unanswered, sender.asks(4.9), sender.asks(5.0)) == (0, [], [KEY])


def test_released_contents_are_no_more_asked_for() -> None:
    """After the last verdict nothing goes out; a content that two readings claim stays for the other."""
    other = ("cam-0001", "ab" * 16, 1)
    sender = Parcels()
    for key in (KEY, other):
        sender.claim(key, Claim(SHA, 10), 10)
    sender.release(KEY)
    assert sender.keys(SHA) == [other]
    assert sender.pending(other, [(0, 10)], 0.0)
    sender.release(other)
    assert (list(sender.due(8)), sender.asks(99.0), sender.keys(SHA)) == ([], [], [])


@given(st.lists(st.tuples(st.integers(0, 999_999), st.integers(1, 400_000)), max_size=5), st.sampled_from([1, 2, 4]))
def test_parts_cover_what_is_missing(gaps: list[tuple[int, int]], cells: int) -> None:
    """Whatever ranges are told, the parts cover them, on the grid, without overlap, inside the content."""
    missing = sorted((start, min(start + length, 1_000_000)) for start, length in gaps)
    found = list(parts(SHA, missing, 1_000_000, cells * GRID))
    for begins, ends in missing:
        assert all(any(p.start <= at < p.end for p in found) for at in (begins, (begins + ends) // 2, ends - 1))
    assert all(p.start % GRID == 0 and 0 < p.end - p.start <= cells * GRID for p in found)
    assert all(a.end <= b.start for a, b in pairwise(found))


@pytest.mark.parametrize("part", [0, 1000, 5 * GRID])
def test_other_part_lengths_are_refused(part: int) -> None:
    """Only multiples of 64 KiB up to 256 KiB."""
    with pytest.raises(ValueError, match="64, 128, 192 or 256"):
        Parcels(part)
