"""The broker, tried from outside: what it keeps for a gateway that is away, how much, and against whom.

Comes in: settings. Goes out: findings. Refuses to know: devices, readings. Everything is done with accounts and a topic
that are made for it and taken away again (``app.doctor.guests``); the gateway's session is never touched.

A short queue, a small window, a denied publish that is acknowledged, a session that is forgotten or taken over: each of
these losses was measured at a real broker (docs/how-to/ask-the-doctor.md).
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from app.doctor import broker_file
from app.doctor.finding import Finding, found
from app.doctor.guests import NoGuests, Pair, admitted, anonymous
from app.doctor.place import Place, place_of
from app.doctor.probes import Probes
from app.doctor.visitor import Broken, Deadline
from app.settings import Settings
from gateway.broker.knock import ACCEPTED, knock

_WHOLE_S = 9.5
"""For the probes; making and removing the accounts comes on top."""


def look(settings: Settings) -> Iterator[Finding]:
    """See the module."""
    try:
        place = place_of(settings)
    except OSError:
        return  # the look at settings tells of the authority's file
    answer = knock(place.address, "nobody", "nothing", tls=place.tls)
    if answer is None:
        yield found(
            "broker.not_running" if settings.has_embedded_broker else "broker.unreachable", port=place.address[1]
        )
        return
    yield from broker_file.look(settings)
    if answer == ACCEPTED:
        yield found("broker.anonymous")
        yield from _probed(place, anonymous(), settings)
        return
    try:
        with admitted(settings, place) as pair:
            yield from _probed(place, pair, settings)
    except NoGuests as why:
        yield found(why.code)


def _probed(place: Place, pair: Pair, settings: Settings) -> Iterator[Finding]:
    probes = Probes(place, pair, Deadline(time.monotonic() + _WHOLE_S), is_ours=settings.has_embedded_broker)
    try:
        yield from probes.run()
    except Broken:
        yield found("broker.interrupted")
    finally:
        probes.clean()
