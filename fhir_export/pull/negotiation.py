"""What the headers and the URL of a request say, before anyone looks at patients.

Comes in: headers, query, form. Goes out: pairs of names and values, a token, yes or no; or ``Refused``. Refuses to
know: what the parameters mean.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import parse_qsl

from starlette.datastructures import Headers
from starlette.requests import Request

from fhir_export.pull.outcome import Problem, Refused
from fhir_export.pull.parameters import MOST_PARAMETERS

MOST_QUERY_BYTES = 16_384
MOST_FORM_BYTES = 65_536
_FORM = "application/x-www-form-urlencoded"
# hl7.org/fhir/R4/http.html#mime-type; a plus that was not escaped arrives as a space
_FORMATS = {"json", "application/json", "application/fhir+json", "application/fhir json", "text/json"}
_FHIR = ("application/fhir+json", "application/json", "text/json")
_ACCEPTED = {"*/*", "application/*", *_FHIR}
_WEIGHT = re.compile(r"[01](?:\.[0-9]{0,3})?", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_BEARER = re.compile(r"bearer +([^ ]+) *", re.IGNORECASE | re.ASCII)

Pairs = list[tuple[str, str]]


def pairs(query: bytes, form: bytes = b"") -> Pairs:
    """Names and values of a query and a form, in their order; raises Refused."""
    if len(query) > MOST_QUERY_BYTES:
        raise Refused(Problem.TOO_LONG)
    return _decoded(query) + _decoded(form)


def _decoded(text: bytes) -> Pairs:
    if not text:
        return []
    if text.count(b"&") >= MOST_PARAMETERS:
        raise Refused(Problem.TOO_MANY)
    try:
        found = parse_qsl(text.decode(), keep_blank_values=True, errors="strict", max_num_fields=MOST_PARAMETERS)
    except ValueError:
        raise Refused(Problem.NOT_READABLE) from None
    if any(_CONTROL.search(part) for pair in found for part in pair):
        raise Refused(Problem.NOT_READABLE)
    return found


def spoken(headers: Headers, given: Pairs) -> None:
    """Raise Refused when the client takes no FHIR R4 JSON: by ``_format``, which goes first, or by Accept."""
    formats = [value for name, value in given if name == "_format"]
    if formats:
        if any(_media(value)[0] not in _FORMATS for value in formats):
            raise Refused(Problem.FORMAT)
        return
    accepted = ",".join(headers.getlist("accept"))
    if accepted and not any(_acceptable(item) for item in accepted.split(",")):
        raise Refused(Problem.FORMAT)


def native(headers: Headers, given: Pairs, media: str) -> bool:
    """Whether a Binary is wanted in its own media type, which R4 gives to whoever asks for no FHIR (binary.html).

    Raises Refused when it is wanted in a third one.
    """
    if any(name == "_format" for name, _ in given):
        spoken(headers, given)
        return False
    accepted = ",".join(headers.getlist("accept")) or "*/*"
    items = [_weighed(item) for item in accepted.split(",")]
    own = _best(items, (media, media.partition("/")[0] + "/*", "*/*"))
    fhir = max(_best(items, (one, "application/*", "*/*")) for one in _FHIR)
    if max(own, fhir)[0] <= 0:
        raise Refused(Problem.MEDIA)
    return own >= fhir


def _best(items: Sequence[tuple[str, float]], ranges: Sequence[str]) -> tuple[float, int]:
    """Weight of the most specific item that fits, and how specific that is (RFC 9110, 12.5.1)."""
    for n, wanted in enumerate(ranges):
        weights = [weight for media, weight in items if media == wanted]
        if weights:
            return max(weights), -n
    return 0.0, -len(ranges)


def _weighed(item: str) -> tuple[str, float]:
    media, parameters = _media(item)
    if not _of_r4(parameters):
        return media, 0.0
    weights = [one[2:] for one in parameters if one.startswith("q=")]
    return media, float(weights[0]) if weights and _WEIGHT.fullmatch(weights[0]) else 1.0


def _acceptable(item: str) -> bool:
    media, parameters = _media(item)
    unwanted = {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return media in _ACCEPTED and not unwanted & set(parameters) and _of_r4(parameters)


def _of_r4(parameters: Sequence[str]) -> bool:
    return all(one.partition("=")[2] == "4.0" for one in parameters if one.startswith("fhirversion="))


def _media(text: str) -> tuple[str, Sequence[str]]:
    media, *parameters = (part.strip().lower() for part in text.split(";"))
    return media, parameters


def strict(headers: Headers) -> bool:
    """Whether ``Prefer: handling=strict`` is asked for."""
    wished = re.split("[,;]", ",".join(headers.getlist("prefer")))
    return any(re.sub(r'[\s"]', "", one).lower() == "handling=strict" for one in wished)


def token(headers: Headers) -> str:
    """The bearer token; raises Refused."""
    given = headers.getlist("authorization")
    match = _BEARER.fullmatch(given[0]) if len(given) == 1 else None
    if match is None:
        raise Refused(Problem.NO_TOKEN, headers={"WWW-Authenticate": "Bearer"})
    return match[1]


def unchanged(headers: Headers, tag: str) -> bool:
    """Whether the client already has the version of an entity tag (weak comparison, RFC 9110, 13.1.2)."""
    known = [one.strip() for one in ",".join(headers.getlist("if-none-match")).split(",")]
    return "*" in known or tag.removeprefix("W/") in {one.removeprefix("W/") for one in known}


async def form(request: Request) -> bytes:
    """The body of a search by POST, at most 64 KiB; raises Refused before more than that is kept."""
    coded = request.headers.get("content-encoding", "identity").lower()
    if _media(request.headers.get("content-type", ""))[0] != _FORM or coded != "identity":
        raise Refused(Problem.MEDIA_TYPE)
    kept = bytearray()
    async for chunk in request.stream():
        kept += chunk
        if len(kept) > MOST_FORM_BYTES:
            raise Refused(Problem.TOO_LARGE, headers={"Connection": "close"})
    return bytes(kept)
