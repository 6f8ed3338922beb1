"""What a test asks outside FHIR, below `/_inspect`: what was stored, how often it was sent, which faults.

In: a `Request`. Out: an `Answer` that is never subject to faults. It knows the store and the draw.
"""

import json
from collections.abc import Callable, Iterator
from typing import Final
from urllib.parse import parse_qs

from simulators.record import faults
from simulators.record.answers import Answer, Refused
from simulators.record.faults import Draw, FaultMalformed
from simulators.record.routes import Request
from simulators.record.store import Store

PREFIX: Final = "/_inspect"
_JSON, _LINES = "application/json", "application/x-ndjson"


class Inspection:
    """The inspector's side of the record."""

    def __init__(self, store: Store, draw: Draw) -> None:
        """Both are shared with the FHIR side."""
        self._store, self._draw = store, draw

    def answer(self, request: Request) -> Answer:
        """The answer to a request; raises `Refused`."""
        handler = _TABLE.get((request.method, request.path.removeprefix(PREFIX)))
        if handler is None:
            possible = ", ".join(f"{method} {PREFIX}{path}" for method, path in _TABLE)
            raise Refused(404, "not-found", f"Possible are {possible}.")
        return handler(self, request)

    def summary(self, _request: Request) -> Answer:
        """The totals: `resources` by type, `versions`, `puts`, `conflicting`, `shared_identifiers`."""
        return _json({"resources": self._store.counts(), **self._store.totals()})

    def resources(self, request: Request) -> Answer:
        """The newest body of every resource of `?type=`, as it came, one a line."""
        type_ = parse_qs(request.query).get("type", [""])[0]
        return Answer(200, (body + b"\n" for body in self._store.bodies(type_)), (), _LINES)

    def puts(self, _request: Request) -> Answer:
        """For every resource, one a line: how often it was sent, how many versions it has."""
        names = ("type", "id", "puts", "versions")
        lines: Iterator[bytes] = (
            json.dumps(dict(zip(names, row, strict=True))).encode() + b"\n" for row in self._store.sent()
        )
        return Answer(200, lines, (), _LINES)

    def faults(self, _request: Request) -> Answer:
        """The faults in force, and how often each happened since the start."""
        return _json({"faults": [str(fault) for fault in self._draw.faults], "fired": dict(self._draw.fired)})

    def set_faults(self, request: Request) -> Answer:
        """Replace the faults in force by `{"faults": [text, ...]}`."""
        try:
            texts: list[str] = json.loads(request.body)["faults"]
            self._draw.faults = tuple(faults.parse(text) for text in texts)
        except FaultMalformed as why:
            raise Refused(400, "value", str(why)) from None
        except (ValueError, KeyError, TypeError, AttributeError):
            raise Refused(400, "structure", 'The body is {"faults": ["name:probability", ...]}.') from None
        return self.faults(request)


def _json(document: dict[str, object]) -> Answer:
    return Answer(200, json.dumps(document).encode(), (), _JSON)


_TABLE: Final[dict[tuple[str, str], Callable[[Inspection, Request], Answer]]] = {
    ("GET", "/summary"): Inspection.summary,
    ("GET", "/resources"): Inspection.resources,
    ("GET", "/puts"): Inspection.puts,
    ("GET", "/faults"): Inspection.faults,
    ("POST", "/faults"): Inspection.set_faults,
}
