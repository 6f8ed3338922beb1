"""Whether a resource is FHIR R4 by structure: elements, types, cardinalities, one value[x].

Comes in: a resource built by ``fhir_export.mapping``. Goes out: the same resource, or ``NotFhir``. Refuses to know:
codes and profiles (the offline validator knows those), what the resource means.

The model of fhir.resources decides, and takes about 0.25 ms. Readings of one kind make resources that differ in a few
leaves only: an id, a time, a number. So the answer is remembered by *shape*: the bytes without those leaves (10 us). A
leaf is left out only where it holds what its FHIR type always takes (R4, datatypes, "Primitive Types"); one that does
not stays in the shape, and the model sees it. Only shapes that were taken are remembered: a fault is found every time.
"""

from __future__ import annotations

import re

from pydantic import ValidationError

from fhir_export.model import Resource, encode

_MOST = 4096  # shapes remembered: an installation has a few dozen for each kind and profile
_taken: dict[bytes, None] = {}


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
    shape = _LEAF.sub(_name, encode(resource))
    if shape not in _taken:
        _validate(resource)
        if len(_taken) >= _MOST:
            _taken.pop(next(iter(_taken)))
        _taken[shape] = None
    return resource


def load_models() -> None:
    """Load what the first resources would wait for: 0.15 s, and most of the objects of the process."""
    from fhir.resources.R4B import get_fhir_model_class

    for type_ in ("Observation", "Patient", "Device"):
        get_fhir_model_class(type_)


def _validate(resource: Resource) -> None:
    from fhir.resources.R4B import get_fhir_model_class

    try:
        model = get_fhir_model_class(resource.type)
    except ValueError:
        raise NotFhir(resource.type, "", "unknown_type") from None
    try:
        model.model_validate(resource.body)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_context=False, include_input=False)[0]
        path = ".".join(str(part) for part in fault["loc"])
        raise NotFhir(resource.type, path, fault["type"]) from None


def _leaves() -> re.Pattern[bytes]:
    string = rb'"[^"\\\x00-\x20](?:[^"\\\x00-\x1f]{0,200}[^"\\\x00-\x20])?"'
    day = rb"(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)"
    clock = rb"(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,9})?"
    rows = (
        (rb"id", rb'"[A-Za-z0-9.-]{1,64}"'),
        (rb"reference", rb'"[A-Za-z]{1,32}/[A-Za-z0-9.-]{1,64}"'),
        (rb"effectiveDateTime|issued", rb'"(?:19|20)\d\d-%sT%s(?:Z|[+-](?:0\d|1[0-3]):[0-5]\d)"' % (day, clock)),
        (rb"value|valueString|text", string),
        (rb"value", rb"-?\d{1,18}(?:\.\d{1,18})?(?=[,}])"),
        (rb"data", rb'"[A-Za-z0-9+/=-](?:[A-Za-z0-9+/= -]*[A-Za-z0-9+/=-])?"'),
    )
    begins = rb'"(?=[%s])' % bytes({row[0][0] for row in rows} | set(b"itv"))
    return re.compile(begins + rb"(?:" + rb"|".join(rb'((?:%s)":)%s' % row for row in rows) + rb")")


_LEAF = _leaves()
"""Leaves by name, each where it holds what its type always takes. A name inside a string is none: its quotes are
escaped."""


def _name(leaf: re.Match[bytes]) -> bytes:
    """The name stays, and which row it was: a number is no text."""
    row = leaf.lastindex or 0
    return b"%d%s" % (row, leaf[row])
