"""Arithmetic of half-open intervals of time; pure.

Comes in: spans, as asked. Goes out: the same time, said once. Refuses to know: where points are kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ingest.series.port import Span


def said_once(spans: Sequence[Span], first: int, last: int) -> list[Span]:
    """The spans between ``first`` and ``last``, by device and time; those that overlap or touch are one."""
    found: list[Span] = []
    for span in sorted(spans, key=lambda each: (each.device, each.start)):
        start, end = max(span.start, first), min(span.end, last)
        if start >= end:
            continue
        if found and found[-1].device == span.device and found[-1].end >= start:
            found[-1] = Span(span.device, found[-1].start, max(found[-1].end, end))
        else:
            found.append(Span(span.device, start, end))
    return found


def cut_at(span: Span, at: int) -> tuple[Span | None, Span | None]:
    """The parts of a span before and from ``at`` on; None for an empty one."""
    before = Span(span.device, span.start, min(span.end, at))
    after = Span(span.device, max(span.start, at), span.end)
    return (before if before.start < before.end else None), (after if after.start < after.end else None)


def clusters(instants: Sequence[int], gap: int, most: int) -> list[tuple[int, int]]:
    """The first and last of each group of instants that lie no more than ``gap`` apart; at most ``most`` groups.

    When there are more, the last of them takes all that is left.
    """
    found: list[tuple[int, int]] = []
    for at in sorted(instants):
        if found and (at - found[-1][1] <= gap or len(found) == most):
            found[-1] = (found[-1][0], at)
        else:
            found.append((at, at))
    return found


def parts(spans: Sequence[Span], most: int) -> Iterator[Sequence[Span]]:
    """The spans, at most so many at a time."""
    for first in range(0, len(spans), most):
        yield spans[first : first + most]
