"""The buffer between network thread and worker: bounded, and without loss."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from gateway.buffer import Buffer
from scripts.probes.brokers import until


@contextmanager
def putting(buffer: Buffer[int], item: int, size: int = 1) -> Iterator[threading.Thread]:
    """A thread that puts one item, and has to wait for room."""
    thread = threading.Thread(target=buffer.put, args=(item, size), daemon=True)
    thread.start()
    thread.join(0.05)
    assert thread.is_alive(), "there was room"
    yield thread
    thread.join(5)
    assert not thread.is_alive(), "it still waits"


def filled(most: int, most_bytes: int, *sizes: int) -> Buffer[int]:
    """A buffer with items 0, 1, … of these sizes."""
    buffer = Buffer[int](most, most_bytes)
    for item, size in enumerate(sizes):
        buffer.put(item, size)
    return buffer


def test_what_comes_first_goes_first() -> None:
    """Order is kept, and no more is taken than asked for."""
    buffer = filled(10, 100, 1, 1, 1)
    assert buffer.take(2, 0, 0) == [0, 1]
    assert buffer.take(2, 0, 0) == [2]
    assert buffer.take(2, 0, 0) == []


@pytest.mark.parametrize(("most", "most_bytes"), [(2, 1000), (1000, 2)], ids=["number", "bytes"])
def test_put_waits_for_room(most: int, most_bytes: int) -> None:
    """A buffer that is full, by number or by bytes, holds the network thread until something is taken."""
    buffer = filled(most, most_bytes, 1, 1)
    with putting(buffer, 2):
        assert buffer.take(1, 0, 0) == [0]
    assert buffer.take(9, 0, 0) == [1, 2]


def test_no_more_bytes_are_taken_at_once_than_one_batch_may_have() -> None:
    """What was taken is held beside what waits; one item that is longer goes alone."""
    buffer = Buffer[int](10, 100, at_once=5)
    for item, size in enumerate((2, 3, 1, 9, 1)):
        buffer.put(item, size)
    assert [buffer.take(9, 0, 0) for _ in range(4)] == [[0, 1], [2], [3], [4]]
    buffer.put(5, 100)
    assert buffer.take(9, 0, 0) == [5]


def test_bytes_are_given_back() -> None:
    """Room is room again after a take, and after a clear."""
    buffer = filled(10, 2, 1, 1)
    buffer.take(9, 0, 0)
    buffer.put(3, 2)
    buffer.clear()
    buffer.put(4, 1)
    thread = threading.Thread(target=buffer.put, args=(5, 1), daemon=True)
    thread.start()
    thread.join(5)
    assert buffer.take(9, 0, 0) == [4, 5]


def test_an_item_larger_than_the_buffer_passes_alone() -> None:
    """It would otherwise wait for ever; it waits for an empty buffer only."""
    buffer = filled(10, 10, 5)
    with putting(buffer, 1, 50):
        assert buffer.take(9, 0, 0) == [0]
    assert buffer.take(9, 0, 0) == [1]


def test_clear_forgets_and_makes_room() -> None:
    """What was there is gone, and whoever waited goes on."""
    buffer = filled(1, 100, 1)
    with putting(buffer, 1):
        buffer.clear()
    assert buffer.take(9, 0, 0) == [1]


def test_close_lets_everyone_go() -> None:
    """Nobody waits for a buffer that is closed, and nothing more comes in."""
    buffer = filled(1, 100, 1)
    with putting(buffer, 1):
        buffer.close()
    buffer.put(2, 1)
    assert buffer.take(9, 0, 0) == [0]
    assert buffer.take(9, 60, 0) == []


def test_close_wakes_the_worker() -> None:
    """A worker that waits for a first item comes back at once."""
    buffer = Buffer[int](10, 100)
    found: list[list[int]] = []
    thread = threading.Thread(target=lambda: found.append(buffer.take(9, 60, 0)), daemon=True)
    thread.start()
    buffer.close()
    thread.join(5)
    assert found == [[]]


def test_the_worker_wakes_for_the_first_item_and_lingers_for_company() -> None:
    """A waiting worker gets what comes within the linger, in one batch."""
    buffer = Buffer[int](10, 100)
    found: list[list[int]] = []
    threading.Thread(target=lambda: found.append(buffer.take(9, 60, 0.3)), daemon=True).start()
    buffer.put(0, 1)
    buffer.put(1, 1)
    until(lambda: bool(found), "the worker comes back")
    assert found == [[0, 1]]


@pytest.mark.parametrize("seed", range(3))
def test_nothing_is_lost_between_two_threads(seed: int) -> None:
    """Thousands of items through a small buffer arrive, each once and in order."""
    buffer, count = Buffer[int](7 + seed, 50), 5000

    def put_all() -> None:
        for item in range(count):
            buffer.put(item, 1 + item % 9)

    thread = threading.Thread(target=put_all, daemon=True)
    thread.start()
    found: list[int] = []
    while len(found) < count:
        some = buffer.take(100, 5, 0)
        assert some, "an item is missing"
        found += some
    assert found == list(range(count))
