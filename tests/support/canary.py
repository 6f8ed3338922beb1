"""Words that no log, metric, error, address, topic or file name may ever hold: the health data of the tests.

Every test identity has a family name in `EXEMPLE`, many are born on a day that few are, and every message that
`tests.support.ledgers` and `tests.ingest.messages` make carries a word and a number of its own.
"""

from __future__ import annotations

from typing import Any

NOTE, NUMBER = "CANARI-7Q4X-MESSAGE", 73.190465128
"""In every message: a text and a number that cannot occur by chance."""
WORDS = ("EXEMPLE", "CANARI-", "ENCORE-FICTIF", "1980-02-29", "19800229", "73.190465128", "73190465128")
"""As they are written; beside them the number of an identity, see ``NUMBERS``."""
NUMBERS = ("280019741199930", "2800197411999")
"""A national identity number as tests give it, with and without its key."""
CANARIES = tuple(each.encode() for each in (*WORDS, *NUMBERS))


def carrying(message: dict[str, Any]) -> dict[str, Any]:
    """A message with the canaries in a member that nobody knows, which is kept and passed over (C-RD-11)."""
    return {"note": {"text": NOTE, "number": NUMBER}, **message}


def found(data: bytes) -> str | None:
    """The first canary in ``data``."""
    return next((each.decode() for each in CANARIES if each in data), None)
