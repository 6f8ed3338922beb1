"""The table of looks, and the running of those that are asked for, within a bounded time.

Comes in: settings, names of looks. Goes out: a ``Report`` each time one is done. Refuses to know: what any of them
looks at.

They run beside each other, for most of the time is waiting for networks. One that does not end in time, or breaks, is
told as such and hides nothing of what the others find. Python waits for all of them before it ends, so that a look
always takes away what it made.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace

from app.doctor import broker, clock, destination, disk, ledger, series
from app.doctor import settings as settings_look
from app.doctor.finding import Finding, found
from app.settings import Settings

Look = Callable[[Settings], Iterator[Finding]]

LOOKS: Mapping[str, Look] = {
    "settings": settings_look.look,
    "clock": clock.look,
    "disk": disk.look,
    "ledger": ledger.look,
    "series": series.look,
    "destination": destination.look,
    "broker": broker.look,
}
WHOLE_S = 14.0
"""For all of them together."""


@dataclass(frozen=True, slots=True)
class Report:
    """One look, done: what it found and how long it took."""

    look: str
    findings: tuple[Finding, ...]
    seconds: float


def run(
    settings: Settings, names: Sequence[str], whole_s: float = WHOLE_S, looks: Mapping[str, Look] = LOOKS
) -> Iterator[Report]:
    """Run these looks; each report comes when it is done. What two of them find is told once."""
    pool = ThreadPoolExecutor(len(names), "look")
    waiting: dict[Future[Report], str] = {pool.submit(_report, name, looks[name], settings): name for name in names}
    told: set[Finding] = set()
    try:
        for future in as_completed(tuple(waiting), whole_s):
            report = _outcome(future, waiting.pop(future))
            yield replace(report, findings=tuple(one for one in report.findings if one not in told))
            told.update(report.findings)
    except TimeoutError:
        for name in waiting.values():
            yield Report(name, (found("doctor.unfinished", look=name, seconds=f"{whole_s:g}"),), whole_s)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _report(name: str, look: Look, settings: Settings) -> Report:
    begun = time.monotonic()
    findings = tuple(dict.fromkeys(look(settings)))
    return Report(name, findings, time.monotonic() - begun)


def _outcome(future: Future[Report], name: str) -> Report:
    error = future.exception()
    if error is None:
        return future.result()
    return Report(name, (found("doctor.broken", look=name, error=type(error).__name__),), 0.0)
