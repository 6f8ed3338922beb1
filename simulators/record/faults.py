"""Faults on demand, as a table: what each does, to which requests, and the draw that decides.

In: texts such as `cut:0.15` or `late:0.1:5`, and a seed. Out: for each request, what happens to it.
It knows nothing of sockets: the server carries out what is drawn here.
"""

import random
from collections import Counter
from dataclasses import dataclass
from enum import Enum
from typing import Final, Literal

from simulators.record.answers import Answer, Headers, Refused, refusal

Asked = Literal["metadata", "read", "write", "entry"]
_ALL: Final[tuple[Asked, ...]] = ("metadata", "read", "write")
_DATA: Final[tuple[Asked, ...]] = ("read", "write")
_WRITES: Final[tuple[Asked, ...]] = ("write",)
_ENTRIES: Final[tuple[Asked, ...]] = ("entry",)


class Manner(Enum):
    """What happens to an answer on its way."""

    WHOLE = "sent as it is"
    CUT = "the line is cut instead"
    SLOW = "one byte at a time"
    TRUNCATED = "shorter than its Content-Length, then closed"


@dataclass(frozen=True, slots=True)
class Kind:
    """A row of the table.

    `instead` is answered, and nothing stored; `refuses` is the same for one entry of a batch;
    `after` is the default of the third part of the text, in seconds.
    """

    meaning: str
    to: tuple[Asked, ...] = _ALL
    instead: Answer | None = None
    manner: Manner = Manner.WHOLE
    refuses: Refused | None = None
    after: float | None = None


def _says(status: int, code: str, why: str, headers: Headers = ()) -> Answer:
    return refusal(Refused(status, code, why, headers))


_REFUSED: Final = Refused(422, "invalid", "A rule of this server is not met.")
_CONFLICT: Final = Refused(409, "conflict", "A version conflict.")
_PORTAL: Final = b"<!DOCTYPE html><html><head><title>Connexion</title></head><body><h1>Portail</h1></body></html>"
_ELSEWHERE: Final = (("Location", "http://record.invalid/fhir"),)  # RFC 2606: never resolves

KINDS: Final[dict[str, Kind]] = {
    "late": Kind("stores; answers after so many seconds", after=2.0),
    "wrong": Kind("a portal answers 200 with HTML", instead=Answer(200, _PORTAL, (), "text/html")),
    "wrong_id": Kind("stores; the answer names another id", _WRITES),
    "cut": Kind("stores; cuts the line without an answer", manner=Manner.CUT),
    "cut_before": Kind("cuts the line without storing", instead=Answer(500), manner=Manner.CUT),
    "slow": Kind("stores; so many seconds between two bytes of the answer", manner=Manner.SLOW, after=0.01),
    "truncated": Kind("stores; the answer ends before its Content-Length", manner=Manner.TRUNCATED),
    "error500": Kind("an error of the server", instead=_says(500, "exception", "The server failed.")),
    "busy503": Kind("busy, Retry-After so many seconds", after=1, instead=_says(503, "transient", "Busy.")),
    "throttle429": Kind(
        "slow down, Retry-After so many seconds", after=1, instead=_says(429, "throttled", "Slow down.")
    ),
    "refuse422": Kind("this resource is refused", _WRITES, refusal(_REFUSED)),
    "unauthorized401": Kind(
        "the token is not taken",
        _DATA,
        _says(401, "login", "No valid token.", (("WWW-Authenticate", "Bearer"),)),
    ),
    "gone410": Kind("the resource was erased here", _WRITES, _says(410, "deleted", "The resource is gone.")),
    "conflict409": Kind("another version is in the way", _WRITES, refusal(_CONFLICT)),
    "too_large413": Kind("the body is too large", _WRITES, _says(413, "too-long", "The body is too large.")),
    "entry422": Kind("this entry of a batch is refused", _ENTRIES, refuses=_REFUSED),
    "entry409": Kind("another version is in the way of this entry of a batch", _ENTRIES, refuses=_CONFLICT),
    "redirect302": Kind("sent to another host", instead=Answer(302, b"", _ELSEWHERE)),
}


class FaultMalformed(ValueError):  # noqa: N818 - it says what the fault's text is
    """A fault's text cannot be read. The message says what is possible."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault asked for: how often (0 to 1), and its seconds where it has any."""

    name: str
    probability: float
    seconds: float | None

    def __str__(self) -> str:
        """The text this fault is made from."""
        return f"{self.name}:{self.probability:g}" + ("" if self.seconds is None else f":{self.seconds:g}")


@dataclass(frozen=True, slots=True)
class Fate:
    """What happens to one request. `delay_s` before the answer, `pace_s` between two bytes of a slow one."""

    instead: Answer | None = None
    manner: Manner = Manner.WHOLE
    delay_s: float = 0.0
    pace_s: float = 0.0
    wrong_id: bool = False


class Draw:
    """The faults in force and the seeded chance that lets them happen; counts those that did."""

    def __init__(self, faults: tuple[Fault, ...], seed: int) -> None:
        """Faults may be replaced later; the sequence of chance goes on."""
        self.faults = faults
        self.fired: Counter[str] = Counter()
        self._chance = random.Random(seed)

    def fate(self, asked: Asked) -> Fate:
        """What happens to the next request; of faults that contend for it, the first decides."""
        drawn = self._drawn(asked)
        kinds = [KINDS[fault.name] for fault in drawn]
        seconds = {fault.name: fault.seconds or 0.0 for fault in reversed(drawn)}
        return Fate(
            instead=next((_with_wait(f) for f in drawn if KINDS[f.name].instead), None),
            manner=next((kind.manner for kind in kinds if kind.manner is not Manner.WHOLE), Manner.WHOLE),
            delay_s=seconds.get("late", 0.0),
            pace_s=seconds.get("slow", 0.0),
            wrong_id="wrong_id" in seconds,
        )

    def refused_entry(self) -> Refused | None:
        """Why the next entry of a batch is refused, if it is."""
        return next((KINDS[fault.name].refuses for fault in self._drawn("entry")), None)

    def _drawn(self, asked: Asked) -> list[Fault]:
        meant = [fault for fault in self.faults if asked in KINDS[fault.name].to]
        drawn = [fault for fault in meant if self._chance.random() < fault.probability]
        self.fired.update(fault.name for fault in drawn)
        return drawn


def parse(text: str) -> Fault:
    """A fault from `name`, `name:probability` or `name:probability:seconds`; raises `FaultMalformed`."""
    name, *rest = text.split(":")
    if name not in KINDS:
        raise FaultMalformed(f"This fault is not known. Possible are: {', '.join(KINDS)}.")
    after = KINDS[name].after
    try:
        probability, seconds = (float(part) for part in (rest + ["1", str(after or 0)][len(rest) :]))
    except ValueError:
        raise FaultMalformed(f"A fault is written {name}:probability or {name}:probability:seconds.") from None
    if not 0 <= probability <= 1:
        raise FaultMalformed(f"The probability of {name} is a number from 0 to 1.")
    if after is None and len(rest) > 1:
        raise FaultMalformed(f"{name} has no seconds: write {name} or {name}:probability.")
    if not 0 <= seconds <= 3600:  # noqa: PLR2004 - also refuses nan and inf
        raise FaultMalformed(f"The seconds of {name} are a number from 0 to 3600.")
    return Fault(name, probability, None if after is None else seconds)


def _with_wait(fault: Fault) -> Answer:
    answer = KINDS[fault.name].instead or Answer(500)
    if fault.seconds is None:
        return answer
    # Retry-After is whole seconds (RFC 9110, 10.2.3).
    return Answer(answer.status, answer.body, (*answer.headers, ("Retry-After", f"{fault.seconds:.0f}")))
