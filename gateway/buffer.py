"""Messages between the network thread and the worker: bounded in number and bytes.

Comes in: one message at a time. Goes out: many at a time, in order. Refuses to know: what they are.

When it is full, ``put`` waits, the network thread stops reading, and the broker keeps the rest: back-pressure, not
loss.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class Buffer(Generic[T]):
    """First in, first out. One thread puts, one takes.

    ``at_once``: bytes of all that one ``take`` gives, unless the first item is longer; everything when left out.
    """

    def __init__(self, most: int, most_bytes: int, at_once: int | None = None) -> None:
        self._most, self._most_bytes, self._at_once = most, most_bytes, at_once or most_bytes
        self._items: deque[tuple[T, int]] = deque()
        self._bytes = 0
        self._since = 0.0  # when the first of those that wait came; for what a take left behind, long ago
        self._changed = threading.Condition()
        self._closed = False

    def put(self, item: T, size: int) -> None:
        """Add an item of ``size`` bytes; waits while there is no room. After ``close`` items are forgotten."""
        with self._changed:
            while self._items and not self._closed and self._is_full(size):
                self._changed.wait()
            if self._closed:
                return
            self._items.append((item, size))
            self._bytes += size
            if len(self._items) == 1:
                self._since = time.monotonic()
                self._changed.notify_all()

    def take(self, most: int, timeout_s: float, linger_s: float) -> list[T]:
        """Up to ``most`` items, once the first of them has waited ``linger_s`` for company.

        Waits for that, and up to ``timeout_s`` for a first one. With a timeout of 0 it never waits, and leaves items
        that are too young: whoever has other work does that first.
        """
        with self._changed:
            if not self._items and timeout_s > 0:
                self._changed.wait_for(lambda: self._items or self._closed, timeout_s)
            young = linger_s - (time.monotonic() - self._since) if 0 < len(self._items) < most else 0.0
        if young > 0 and timeout_s > 0:
            time.sleep(young)
        with self._changed:
            return [] if young > 0 and timeout_s <= 0 else self._pop(most)

    def clear(self) -> None:
        """Forget everything: of a connection that is gone nothing can be acknowledged, and all of it comes again."""
        with self._changed:
            self._items.clear()
            self._bytes = 0
            self._changed.notify_all()

    def close(self) -> None:
        """Let everyone who waits go."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _is_full(self, size: int) -> bool:
        return len(self._items) >= self._most or self._bytes + size > self._most_bytes

    def _pop(self, most: int) -> list[T]:
        taken: list[T] = []
        room = self._at_once
        while self._items and len(taken) < most and (self._items[0][1] <= room or not taken):
            item, size = self._items.popleft()
            taken.append(item)
            room -= size
        if taken:
            self._since = 0.0
            self._bytes -= self._at_once - room
            self._changed.notify_all()
        return taken
