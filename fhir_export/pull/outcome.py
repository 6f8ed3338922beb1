"""What can be wrong with a request, and how that is said: one table, one OperationOutcome.

Comes in: a row of the table. Goes out: the bytes of the answer. Refuses to know: what was sent; no text of a client is
ever repeated, only names of parameters that the interface itself has.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum


@dataclass(frozen=True, slots=True)
class _Row:
    """``status`` of HTTP, ``issue`` of FHIR's issue-type codes, ``text`` for a person."""

    status: int
    issue: str
    text: str


class Problem(Enum):
    """Everything that is refused. The member's name, in lower case with hyphens, is the code in the answer."""

    NOT_READABLE = _Row(
        400, "invalid", "The query or the form is not UTF-8 in URL encoding, or holds a control character."
    )
    TOO_MANY = _Row(400, "too-costly", "Too many parameters or values: at most 64 parameters and 200 values a search.")
    UNKNOWN_PARAMETER = _Row(400, "not-supported", "A parameter is not supported for this type, see metadata.")
    UNKNOWN_MODIFIER = _Row(400, "not-supported", "A modifier or a chain on this parameter is not supported.")
    VALUE = _Row(400, "value", "The value of this parameter cannot be used.")
    VALUE_NOT_SUPPORTED = _Row(400, "not-supported", "This value of the parameter is not supported, see metadata.")
    REPEATED = _Row(400, "invalid", "This parameter may be given once.")
    CURSOR = _Row(400, "value", "The cursor was not issued for this search and this client: start from the first page.")
    NO_TOKEN = _Row(401, "login", "A bearer token is needed.")
    TOKEN = _Row(401, "login", "The bearer token is not valid.")
    SCOPE = _Row(403, "forbidden", "The token's scopes do not allow this.")
    NOT_FOUND = _Row(404, "not-found", "There is no such resource for this client.")
    UNKNOWN_ROUTE = _Row(404, "not-supported", "There is nothing at this address, see metadata.")
    METHOD = _Row(405, "not-supported", "This method is not supported at this address.")
    FORMAT = _Row(406, "not-supported", "Only FHIR R4 as JSON is spoken: application/fhir+json.")
    GONE = _Row(410, "deleted", "The resource was erased.")
    MEDIA = _Row(
        406,
        "not-supported",
        "A Binary is given in its own media type or as FHIR R4 JSON: see contentType in the latter.",
    )
    TOO_LARGE = _Row(413, "too-long", "The form is longer than 64 KiB.")
    TOO_LONG = _Row(414, "too-long", "The query is longer than 16 KiB: send the search as a form to _search.")
    MEDIA_TYPE = _Row(415, "not-supported", "A search is sent as application/x-www-form-urlencoded, not compressed.")
    BLOB_MISSING = _Row(
        500,
        "exception",
        "The content of this Binary is not available here: its file is missing or altered. Nothing else is concerned. "
        "Tell the operator, who can bring it back from the backup.",
    )
    UNAVAILABLE = _Row(
        503, "transient", "The ledger or its audit trail cannot be used now, so nothing is shown: try again."
    )

    @property
    def code(self) -> str:
        """The stable name of the problem."""
        return self.name.lower().replace("_", "-")


@dataclass
class Refused(Exception):  # noqa: N818 - it is what became of the request
    """A request that is not answered. ``parameter`` is a name of the interface's own table, never the client's text."""

    problem: Problem
    parameter: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


def outcome(problem: Problem, parameter: str | None = None) -> bytes:
    """The OperationOutcome of a problem."""
    row = problem.value
    text = row.text if parameter is None else f"{parameter}: {row.text}"
    issue = {"severity": "error", "code": row.issue, "details": {"coding": [{"code": problem.code}], "text": text}}
    return json.dumps({"resourceType": "OperationOutcome", "issue": [issue]}, separators=(",", ":")).encode()
