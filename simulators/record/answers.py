"""What the record says: an answer, a refusal, and the OperationOutcome that carries it.

In: a status and an issue code of the FHIR value set `issue-type`. Out: an `Answer` ready for the wire.
It never repeats what was sent: a diagnostic is always one of our own sentences.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Final

from simulators.record import exact

FHIR_JSON: Final = "application/fhir+json; charset=utf-8"

_OTHER_ID: Final = "00000000-another-id"
_OWN_ID: Final = re.compile(rb'^(\{"resourceType":"\w+","id":")[^"]+')
_RENAMED: Final = rf"\g<1>{_OTHER_ID}\g<2>"
_LOCATION: Final = re.compile(r"(\b[A-Z]\w+/)[^/\"]+(/_history/[0-9]+)")

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer; a body that is an iterator is sent in chunks as it comes."""

    status: int
    body: bytes | Iterator[bytes] = b""
    headers: Headers = ()
    media_type: str = FHIR_JSON


class Refused(Exception):  # noqa: N818 - the project's word for it
    """The request is refused: `status` and `code` for the machine, `why` for the person."""

    def __init__(self, status: int, code: str, why: str, headers: Headers = ()) -> None:
        """`code` is of the FHIR value set issue-type; `why` must not contain anything that was sent."""
        super().__init__(why)
        self.status, self.code, self.why, self.headers = status, code, why, headers


def refusal(refused: Refused) -> Answer:
    """The answer that carries a refusal."""
    return Answer(refused.status, exact.write(outcome(refused.code, refused.why)), refused.headers)


def outcome(code: str, why: str) -> dict[str, exact.Json]:
    """An OperationOutcome with one issue."""
    return {
        "resourceType": "OperationOutcome",
        "issue": [{"severity": "error", "code": code, "diagnostics": why}],
    }


def misnamed(answer: Answer) -> Answer:
    """The same answer, naming another id wherever it names what was stored."""
    headers = tuple((name, _LOCATION.sub(_RENAMED, value)) for name, value in answer.headers)
    if not isinstance(answer.body, bytes):
        return replace(answer, headers=headers)
    body = _OWN_ID.sub(rb"\g<1>" + _OTHER_ID.encode(), answer.body).decode()
    return replace(answer, headers=headers, body=_LOCATION.sub(_RENAMED, body).encode())


def status_line(status: int) -> str:
    """`201 Created`, as Bundle.entry.response.status wants it."""
    return f"{status} {HTTPStatus(status).phrase}"
