"""Clients that pull while something else is measured: each follows the Observations by pages, audited, without end.

Comes in: a site with an office. Goes out: how many pages were answered. Refuses to know: what is in them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx

from app import wiring
from app.office import office
from bench.site import Site

_PAGE = 100
_PAUSE_S = 0.2  # practice software asks a few times a second at most


@dataclass(slots=True)
class Pulls:
    """Pages answered so far."""

    count: int = 0


@contextmanager
def pulling(here: Site, clients: int) -> Iterator[Pulls]:
    """Keep so many clients pulling while the block runs."""
    with wiring.ledger(here.settings) as file:
        registrar = office(here.settings, file).registrar
        tokens = [registrar.add_client(f"puller-{number}", ["system/*.rs"], []) for number in range(clients)]
    pulls, stop = Pulls(), threading.Event()
    threads = [threading.Thread(target=_pull, args=(here, token, pulls, stop), daemon=True) for token in tokens]
    for thread in threads:
        thread.start()
    try:
        yield pulls
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def _pull(here: Site, token: str, pulls: Pulls, stop: threading.Event) -> None:
    first = f"{here.settings.http_url}/fhir/Observation?_count={_PAGE}"
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(headers=headers, timeout=30) as client:
        url = first
        while not stop.is_set():
            answer = client.get(url)
            if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
                time.sleep(_PAUSE_S)  # as the answer asks: the ledger had no time for the audit row
                continue
            answer.raise_for_status()
            pulls.count += 1
            links = {link["relation"]: link["url"] for link in answer.json().get("link", ())}
            url = links.get("next", first)
            time.sleep(_PAUSE_S)
