"""Whether a resource is FHIR R4 by structure: elements, types, cardinalities, one value[x].

Comes in: a resource built by ``fhir_export.mapping``. Goes out: the same resource, or ``NotFhir``. Refuses to know:
codes and profiles (the offline validator knows those), what the resource means.

The model of fhir.resources decides, and takes about 0.25 ms. Readings of one kind make resources that differ in a few
leaves only: an id, a time, a number. So the answer is remembered by *shape*: the bytes without those leaves (10 us). A
leaf is left out only where it holds what its FHIR type always takes (R4, datatypes, "Primitive Types"); one that does
not stays in the shape, and the model sees it. Only shapes that were taken are remembered: a fault is found every time.

A Binary holds a placeholder instead of its content, which no base64Binary takes: the model sees one with no content.
"""

from __future__ import annotations

import re

from pydantic import ValidationError

from fhir_export.model import Body, Resource, encode, is_placeholder

_MOST = 4096  # shapes remembered: an installation has a few dozen for each kind and profile
_taken: dict[bytes, None] = {}
_TYPES = (
    "Patient", "Device", "Observation", "DiagnosticReport", "Media", "ImagingStudy", "DocumentReference", "Binary",
    "Provenance",
)  # fmt: skip


class NotFhir(Exception):  # noqa: N818 - it names what was found, and is caught by that name
    """A resource breaks FHIR's own structure: a defect of the mapping, never of a device.

    ``type`` is the resource's type, ``path`` the element (``component.0.code``), ``kind`` the rule broken
    (``missing``, ``extra_forbidden``, ``value_error``...). No value is ever carried: exceptions end up in
    logs.
    """

    def __init__(self, type_: str, path: str, kind: str) -> None:
        super().__init__(
            f"{type_}{'.' if path else ''}{path}: {kind}. The resource was not built; the reading is kept "
            "unchanged. Correct the mapping, then publish again."
        )
        self.type = type_
        self.path = path
        self.kind = kind


def validated(resource: Resource) -> Resource:
    """The same resource, if fhir.resources' model of its type takes it; raises NotFhir for the first fault."""
    shape = _shape(encode(resource))
    if shape not in _taken:
        _validate(resource)
        if len(_taken) >= _MOST:
            _taken.pop(next(iter(_taken)))
        _taken[shape] = None
    return resource


def load_models() -> None:
    """Load what the first resources would wait for: 0.15 s, and most of the objects of the process."""
    from fhir.resources.R4B import get_fhir_model_class

    for type_ in _TYPES:
        get_fhir_model_class(type_)


def _validate(resource: Resource) -> None:
    from fhir.resources.R4B import get_fhir_model_class

    try:
        model = get_fhir_model_class(resource.type)
    except ValueError:
        raise NotFhir(resource.type, "", "unknown_type") from None
    try:
        model.model_validate(_with_content(resource))
    except ValidationError as error:
        fault = error.errors(include_url=False, include_context=False, include_input=False)[0]
        path = ".".join(str(part) for part in fault["loc"])
        raise NotFhir(resource.type, path, fault["type"]) from None
    except (AttributeError, TypeError):  # fhir-core takes any url for text
        raise NotFhir(resource.type, "", "url_type") from None


def _with_content(resource: Resource) -> Body:
    """The body as it leaves, as far as structure goes: some base64 where a Binary's placeholder stands."""
    data = resource.body.get("data")
    if resource.type == "Binary" and isinstance(data, str) and is_placeholder(data):
        return {**resource.body, "data": "AA=="}
    return resource.body


def _shape(content: bytes) -> bytes:
    """The bytes without those leaves; where each stood, its name, and whether it was text. No JSON holds a raw NUL."""
    return b"\0".join(_LEAF.split(content))


_MOMENTS = (
    b"effectiveDateTime", b"createdDateTime", b"occurredDateTime", b"valueDateTime", b"issued", b"recorded",
    b"started", b"creation", b"date", b"start", b"end",
)  # fmt: skip
"""Elements that R4 types dateTime or instant wherever a resource of ours has them."""


def _leaves() -> re.Pattern[bytes]:
    string = rb'"[^"\\\x00-\x20](?:[^"\\\x00-\x1f]{0,200}[^"\\\x00-\x20])?"'
    day = rb"(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)"
    clock = rb"(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,9})?"
    moment = rb'"(?:19|20)\d\d-%sT%s(?:Z|[+-](?:0\d|1[0-3]):[0-5]\d)"' % (day, clock)
    rows = (
        ((b"id", b"uid"), rb'"[A-Za-z0-9.-]{1,64}"'),
        ((b"reference",), rb'"[A-Za-z]{1,32}/[A-Za-z0-9.-]{1,64}"'),
        (_MOMENTS, moment),
        ((b"value", b"valueString", b"text"), string),
        ((b"value",), rb"-?\d{1,18}(?:\.\d{1,18})?[,}]"),
        ((b'dimensions":1,"data',), rb'"[A-Za-z0-9+/=-](?:[A-Za-z0-9+/= -]*[A-Za-z0-9+/=-])?"'),
        ((b"url",), rb'"Binary/[A-Za-z0-9.-]{1,64}"'),
        ((b"hash",), rb'"[A-Za-z0-9+/]{26}[AEIMQUYcgkosw048]="'),
        ((b"size", b"height", b"width"), rb"[1-9]\d{0,8}[,}]"),
    )
    # SampledData's text, not the base64 of other elements of that name, stands behind its dimensions.
    # One alternative a name, each beginning with a letter: those that begin otherwise are passed over at once.
    named = [
        rb'%s":%s' % (name, rb'"(?=%s)' % leaf[1:] if leaf.startswith(b'"') else rb"(?=%s)" % leaf)
        for names, leaf in rows
        for name in names
    ]
    named.append(rb'data":"@(?=sha256:[0-9a-f]{64}")')  # the letter that no base64 has stays
    return re.compile(rb'"(%s)(?:(?<!:)[^"]*|[^,}]*)' % b"|".join(named))


_LEAF = _leaves()
"""A leaf's name and opening, then what it holds, where it holds what its type always takes. A name inside a string is
none: its quotes are escaped."""
