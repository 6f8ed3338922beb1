"""What InfluxDB's refusals mean, for a person: a table.

Comes in: a status. Goes out: what happened, what to do. Refuses to know: what was asked.

Statuses: docs.influxdata.com, InfluxDB 2 API, response codes; what stands in the bodies of 2.7 was tried.
"""

from __future__ import annotations

FULL = 0
"""Not an HTTP status: a 500 whose body says that the disk is full."""
TOO_LARGE = 413

_FILE = "CONSTANTES_SERIES__TOKEN_FILE"
_WORDS: dict[int, tuple[str, str]] = {
    FULL: ("has no room left on its disk.", "Make room there; writing goes on by itself."),
    400: (
        "does not understand what it was asked.",
        "See that CONSTANTES_SERIES__URL leads to an InfluxDB 2, and that it has CONSTANTES_SERIES__ORG.",
    ),
    401: (
        "does not accept the token.",
        f"Put a valid one into the file that {_FILE} names; it is read again by itself.",
    ),
    403: (
        "does not let this token do what is needed.",
        f"Put one that may read and write the buckets {{bucket}} and {{bucket}}_hourly into the file of {_FILE}.",
    ),
    404: (
        "has no such organisation or bucket.",
        "See CONSTANTES_SERIES__ORG and CONSTANTES_SERIES__BUCKET; a bucket is made by itself when the token may.",
    ),
    413: ("refuses a single line as too large.", "Raise the limit for requests of whatever stands before InfluxDB."),
    422: (
        "refuses what the bucket {bucket} cannot hold.",
        (
            "Another program has written to it, or its retention is not that of CONSTANTES_SERIES__KEEP_DAYS:"
            " give Constantes a bucket of its own, then `constantes series rebuild`."
        ),
    ),
    429: ("is too busy.", "Nothing has to be done; it is asked again."),
    503: ("is too busy or not ready yet.", "Nothing has to be done; it is asked again."),
}
_LINES = frozenset({400, 422})


def words(status: int, bucket: str, position: int | None = None) -> tuple[str, str]:
    """What happened and what to do; ``position``: the journal row whose point was refused."""
    happened, remedy = _WORDS.get(status, (f"answered {status}.", "See its log."))
    if position is not None and status in _LINES:
        happened = f"refuses the point of journal row {position} ({status})."
        remedy = _WORDS[422][1]
    return happened.replace("{bucket}", bucket), remedy.replace("{bucket}", bucket)
