"""Which readings of a stream have not come: gaps, and the mark below which all have (device contract, section 11).

Comes in: a ``StreamState`` and one fact: a seq came, hello's ``next``, a range declared lost. Goes out: the new state.
Refuses to know: where it is kept, when a gap was first seen, what the readings say. Pure.

A device that counts at random splits gaps without end. The state is bounded, so beyond ``LIMIT`` ranges the oldest of
them fold into ``unclear``: from its first to its last number some never came, and which ones, only the ledger's keys
tell. So three things stay true at any size: a number that came is never called missing, a number that did not come is
missing or lies in ``unclear``, and ``settled`` stops before both. ``recounted`` turns ``unclear`` back into gaps.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import replace
from typing import TypeAlias

from ingest.noun import noun

Range: TypeAlias = tuple[int, int]
"""First and last number, both included."""

LIMIT = 1_000
"""Ranges kept one by one: a device that lost every other reading of 2,000 is still told exactly which."""


@noun
class StreamState:
    """``highest`` number known to have been used (-1: none); ``missing`` ranges up to it, ascending.

    Two ranges may touch: they were first missed at different times. Numbers up to ``highest`` that are in neither
    ``missing`` nor ``unclear`` came, or were declared lost. ``unclear`` lies below every range of ``missing``.
    """

    highest: int = -1
    missing: tuple[Range, ...] = ()
    unclear: Range | None = None


def seen(state: StreamState, seq: int, limit: int = LIMIT) -> StreamState:
    """``seq`` came. A repeat, or one that was declared lost, changes nothing."""
    if seq == state.highest + 1:  # nearly always; what follows would find the same
        return StreamState(seq, state.missing, state.unclear)
    return _settle(state, seq, seq, limit)


def lost(state: StreamState, first: int, last: int, limit: int = LIMIT) -> StreamState:
    """The device says that ``first``..``last`` (both included) will never come.

    Only numbers known to have been used can be lost: one wild range would otherwise end the search for gaps for good,
    and what is cut off here becomes a gap later, is asked for, and is declared lost again.
    """
    last = min(last, state.highest)
    return state if first > last else _settle(state, first, last, limit)


def expect(state: StreamState, next_seq: int, limit: int = LIMIT) -> StreamState:
    """Hello says that ``next_seq`` will be used next: what did not come below it is missing."""
    if next_seq <= state.highest + 1:
        return state
    opened = (*state.missing, (state.highest + 1, next_seq - 1))
    return _bounded(replace(state, highest=next_seq - 1, missing=opened), limit)


def settled(state: StreamState) -> int | None:
    """The number up to which everything came or is lost; None when not even 0 did.

    Exact while nothing is ``unclear``, and never too high.
    """
    ends = [state.highest + 1, *(first for first, _ in state.missing[:1])]
    if state.unclear:
        ends.append(state.unclear[0])
    return min(ends) - 1 if min(ends) else None


def recounted(state: StreamState, known: Iterable[Range], limit: int = LIMIT) -> StreamState:
    """``unclear`` as gaps again: ``known`` are the ranges that the ledger holds, or knows to be lost.

    Ranges outside ``unclear`` are passed over.
    """
    if not state.unclear:
        return state
    at, last = state.unclear
    gaps: list[Range] = []
    for low, high in sorted(known):
        if low > at:
            gaps.append((at, min(low - 1, last)))
        at = max(at, high + 1)
        if at > last:
            break
    if at <= last:
        gaps.append((at, last))
    return _bounded(replace(state, missing=(*gaps, *state.missing), unclear=None), limit)


def _settle(state: StreamState, low: int, high: int, limit: int) -> StreamState:
    """``low``..``high`` are no longer missing; what they leave behind above ``highest`` is."""
    state = expect(state, low, limit)
    start = bisect_left(state.missing, low, key=lambda span: span[1])
    end = bisect_left(state.missing, high + 1, key=lambda span: span[0])
    rest = [part for span in state.missing[start:end] for part in _without(span, low, high)]
    changed = StreamState(
        max(state.highest, high),
        (*state.missing[:start], *rest, *state.missing[end:]),
        _trimmed(state.unclear, low, high) if state.unclear else None,
    )
    return _bounded(changed, limit)


def _without(span: Range, low: int, high: int) -> list[Range]:
    first, last = span
    parts = ((first, min(last, low - 1)), (max(first, high + 1), last))
    return [part for part in parts if part[0] <= part[1]]


def _trimmed(unclear: Range, low: int, high: int) -> Range | None:
    """``unclear`` without ``low``..``high`` where they reach an end of it; a hole inside cannot be told."""
    first, last = unclear
    if low <= first <= high:
        first = high + 1
    if low <= last <= high:
        last = low - 1
    return (first, last) if first <= last else None


def _bounded(state: StreamState, limit: int) -> StreamState:
    """Fold the oldest ranges above ``limit``, and what lies between them, into ``unclear``."""
    extra = len(state.missing) - limit
    if extra <= 0:
        return state
    start = state.unclear[0] if state.unclear else state.missing[0][0]
    return replace(state, missing=state.missing[extra:], unclear=(start, state.missing[extra - 1][1]))
