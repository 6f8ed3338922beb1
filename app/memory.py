"""How Python collects garbage in the processes that others wait for.

Comes in: nothing. Goes out: a collector that runs rarely and walks little. Refuses to know: what the process does.

A collection stops every thread of a process, also the one that holds the ledger. With a few hundred thousand objects
that live as long as the process (FHIR's models alone are most of them) a full one took 70 to 120 ms here.
"""

from __future__ import annotations

import gc

_COLLECT_AFTER = 100_000  # objects; Python's default is 700


def collect_rarely() -> None:
    """Call when everything that lives long is loaded: messages and resources make hardly any reference cycles."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER)
