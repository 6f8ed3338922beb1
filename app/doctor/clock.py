"""The clock: whether the kernel has it synchronised, and how far it is from those of the servers around.

Comes in: settings. Goes out: findings. Refuses to know: devices' clocks, which are judged message by message.
"""

from __future__ import annotations

from collections.abc import Iterator

from app import clock
from app.doctor import peers
from app.doctor.finding import Finding, found
from app.settings import Settings

FAR_S = 5.0
"""A ``Date`` header has whole seconds; anything beyond a few is a clock that nobody sets."""
TOO_FAR_S = 300.0
"""A reading is refused when it is so far in the future (device contract, section 10), and so is a SMART token."""


def look(settings: Settings) -> Iterator[Finding]:
    """See the module."""
    kernel = clock.is_disciplined("auto")
    yield from by_discipline(settings.clock.disciplined, kernel=kernel)
    for name, url in _servers(settings):
        answer = peers.ask(url, {})
        if answer is not None:
            yield from by_distance(name, answer.ahead_s)


def by_discipline(setting: str, *, kernel: bool) -> Iterator[Finding]:
    """What the kernel says, against what the setting says."""
    if setting == "no":
        yield found("clock.declared_wrong")
    elif not kernel:
        yield found("clock.undisciplined" if setting == "auto" else "clock.declared_right")


def by_distance(name: str, ahead_s: float | None) -> Iterator[Finding]:
    """Whether a server's clock and ours agree."""
    if ahead_s is None or abs(ahead_s) <= FAR_S:
        return
    code = "clock.far" if abs(ahead_s) <= TOO_FAR_S else "clock.too_far"
    yield found(code, {"seconds": f"{ahead_s:+.0f}"}, server=name)


def _servers(settings: Settings) -> Iterator[tuple[str, str]]:
    if not settings.series.is_embedded:
        yield "InfluxDB", f"{settings.series.url}/health"
    for name, record in settings.destinations.items():
        yield name, f"{record.url}/metadata"
