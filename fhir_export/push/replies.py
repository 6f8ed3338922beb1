"""From the bytes of an HTTP answer to ``Answer``: one for a single PUT, one for each entry of a Bundle. Pure.

Comes in: status, headers, body, what was sent. Goes out: facts, in which nothing of the server's own words is left.
Refuses to know: what they mean, and how they came.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any

from fhir_export.push.answers import ISSUES
from fhir_export.push.port import Answer, Ending, Identity, Outgoing

_NAMED = re.compile(r"(?:^|/)([A-Z][A-Za-z]+)/([A-Za-z0-9.-]{1,64})(?:/_history/([A-Za-z0-9.-]{1,64}))?$")
_TAG = re.compile(r'(?:W/)?"([A-Za-z0-9.-]{1,64})"')  # FHIR R4, http.html#versioning
_STATUS = re.compile(r"[1-9][0-9]{2}")
_NUMBER = re.compile(r"(?:HAPI-[0-9]{4}: )*(HAPI-[0-9]{4}): ")  # the last one in front of the words is the cause
_TOGETHER = ("batch-response", "transaction-response")
_FAILED = 400


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer that was read to its end; header names are lower case, ``now`` is seconds since 1970."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    now: float

    def document(self) -> dict[str, Any]:
        """The FHIR resource in the body; empty when it is none."""
        return _document(self.body) if "json" in self.headers.get("content-type", "") else {}


def single(reply: Reply) -> Answer:
    """The answer to one PUT."""
    document = reply.document()
    stored = document if document.get("resourceType") != "OperationOutcome" else {}
    location = reply.headers.get("location") or reply.headers.get("content-location") or ""
    named, version = _named(location) if document or not reply.body else (None, None)
    return Answer(
        Ending.ANSWERED,
        reply.status,
        fhir=bool(document),
        named=_agreed(named, _identity(stored), told=bool(stored)),
        empty=not reply.body,
        version=version or _tag(reply.headers.get("etag")),
        issues=_issues(document),
        number=_number(document),
        retry_after=_retry_after(reply),
    )


def batch(reply: Reply, sent: Sequence[Outgoing]) -> list[Answer]:
    """The answers to a Bundle: an entry's own where there is one for each, else that of the whole request."""
    document = reply.document()
    entries = document.get("entry")
    if reply.status == 200 and document.get("type") in _TOGETHER and isinstance(entries, list):  # noqa: PLR2004
        if len(entries) == len(sent):
            return [_entry(entry) for entry in entries]
        document = {}
    whole = replace(single(reply), shared=True, fhir=bool(document), named=None, empty=False)
    return [whole] * len(sent)


def _entry(entry: object) -> Answer:
    fields = _object(entry)
    response, resource = _object(fields.get("response")), _object(fields.get("resource"))
    match = _STATUS.match(str(response.get("status")))
    status = int(match[0]) if match else 500  # an entry without a status says nothing: as a failing server
    named, version = _named(response.get("location") or (fields.get("fullUrl") if not resource else ""))
    stored = {} if resource.get("resourceType") == "OperationOutcome" else resource
    named = _agreed(named, _identity(stored), told=bool(stored))
    outcome = _object(response.get("outcome", resource)) if status >= _FAILED else {}
    return Answer(
        Ending.ANSWERED,
        status,
        fhir=True,
        named=named,
        empty=named is None and not stored and "location" not in response,
        version=version or _tag(response.get("etag")),
        issues=_issues(outcome) if outcome else (),
        number=_number(outcome) if outcome else None,
    )


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _document(body: bytes) -> dict[str, Any]:
    try:
        tree = _object(json.loads(body))
    except (ValueError, RecursionError):
        return {}
    return tree if isinstance(tree.get("resourceType"), str) else {}


def _named(location: object) -> tuple[Identity | None, str | None]:
    match = _NAMED.search(location) if isinstance(location, str) else None
    return ((match[1], match[2]), match[3]) if match else (None, None)


def _identity(resource: Mapping[str, Any]) -> Identity | None:
    type_, id_ = resource.get("resourceType"), resource.get("id")
    return (type_, id_) if isinstance(type_, str) and isinstance(id_, str) else None


def _agreed(location: Identity | None, body: Identity | None, *, told: bool) -> Identity | None:
    """The identity that address and body both give; none when they differ."""
    if not told:
        return location
    return body if location in (None, body) else None


def _tag(text: object) -> str | None:
    match = _TAG.fullmatch(text) if isinstance(text, str) else None
    return match[1] if match else None


def _issues(outcome: Mapping[str, Any]) -> tuple[str, ...]:
    issues = outcome.get("issue") if outcome.get("resourceType") == "OperationOutcome" else None
    codes = [_object(issue).get("code") for issue in issues] if isinstance(issues, list) else []
    return tuple(code if isinstance(code, str) and code in ISSUES else "unknown" for code in codes)


def _number(outcome: Mapping[str, Any]) -> str | None:
    """The number of the first issue, where a HAPI server wrote it; nothing else of the text leaves here."""
    issues = outcome.get("issue")
    first = _object(issues[0]) if isinstance(issues, list) and issues else {}
    words = first.get("diagnostics")
    match = _NUMBER.match(words) if isinstance(words, str) else None
    return match[1] if match else None


def _retry_after(reply: Reply) -> float | None:
    """Seconds of Retry-After; a date is held against the server's own clock where it tells it (RFC 9110, 10.2.3)."""
    text = reply.headers.get("retry-after", "").strip()
    if re.fullmatch("[0-9]{1,9}", text):
        return float(text)
    until = _seconds(text)
    if until is None:
        return None
    since = _seconds(reply.headers.get("date", ""))
    return max(0.0, until - (reply.now if since is None else since))


def _seconds(date: str) -> float | None:
    try:
        moment = parsedate_to_datetime(date)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
