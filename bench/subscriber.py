"""The bare subscriber (``bench.peer_subscriber``), started in the gateway's place, and what it reports.

Comes in: a site without a gateway. Goes out: counts, CPU, latencies. Refuses to know: what they are held against.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bench.crowd import let_in
from bench.site import Site


class Subscriber:
    """The bare subscriber's reports."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.last: dict[str, Any] = {"count": 0, "cpu_s": 0.0}
        self.latencies: list[float] = []
        self.ready = threading.Event()
        self._process = process
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self._process.stdout or ():
            told = json.loads(line)
            if "ready" in told:
                self.ready.set()
            else:
                self.latencies += told["latencies_ms"]
                self.last = told


@contextmanager
def counting(here: Site, *, answering: bool = False) -> Iterator[Subscriber]:
    """Run it; the devices are let in once it has subscribed. ``answering``: each message is answered, with nothing."""
    own = here.account
    where = ("127.0.0.1", str(here.settings.broker.port), own.username, own.secret, own.client_id)
    command = [sys.executable, "-m", "bench.peer_subscriber", *where, *(("answer",) if answering else ())]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            peer = Subscriber(process)
            if not peer.ready.wait(20):
                raise RuntimeError("the bare subscriber did not subscribe")
            let_in(here)
            yield peer
        finally:
            process.kill()
