"""The nouns of the export: a deployment, a resource, its bytes, and the check that it is FHIR R4.

Comes in: a resource built by ``fhir_export.mapping``. Goes out: its bytes with every digit kept, or
``NotFhir``. Refuses to know: what the resource means, where it is kept or sent, national profiles (the
offline validator knows those).
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Self, TypeAlias

import simplejson
from pydantic import ValidationError

Body: TypeAlias = dict[str, Any]
"""A FHIR element or resource: ``dict``, ``list``, ``str``, ``int``, ``bool``, ``Decimal``, no ``float``."""


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


@dataclass(frozen=True, slots=True)
class Deployment:
    """One installation; ``oid`` is its root, dotted (``2.999.1``): all it makes is named under it."""

    oid: str

    @property
    def source(self) -> str:
        """URI of the installation, for ``meta.source``."""
        return f"urn:oid:{self.oid}"

    def system(self, branch: int) -> str:
        """URI of a branch: 1 resources made of readings, 2 devices, 3 exams, 4 local patient numbers."""
        return f"urn:oid:{self.oid}.{branch}"


@dataclass(frozen=True, slots=True)
class Resource:
    """A FHIR resource: ``body`` is complete, ``type`` and ``id`` repeat what it says of itself."""

    type: str
    id: str
    body: Body

    @classmethod
    def of(cls, body: Body) -> Self:
        """Wrap a body that holds ``resourceType`` and ``id``."""
        return cls(body["resourceType"], body["id"], body)

    @property
    def reference(self) -> str:
        """How another resource points to this one: ``Observation/...``."""
        return f"{self.type}/{self.id}"


def encode(resource: Resource) -> bytes:
    """Compact UTF-8 JSON, members in the body's order, decimals with their digits (36.60, 0.0000001)."""
    text: str = simplejson.dumps(
        resource.body,
        use_decimal=False,  # it would write 0.0000001 as 1E-7
        default=_plain,
        ensure_ascii=False,
        separators=(",", ":"),
        allow_nan=False,
    )
    return text.encode()


def decode(content: bytes) -> Resource:
    """What ``encode`` made, with every digit it had: ``encode`` gives the same bytes again."""
    return Resource.of(simplejson.loads(content, use_decimal=True))


def validated(resource: Resource) -> Resource:
    """The same resource, if fhir.resources' model of its type takes it; raises NotFhir for the first fault.

    Structure only: elements, types, cardinalities, one value[x]. Codes and profiles are for the
    offline validator.
    """
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
    return resource


def _plain(value: object) -> simplejson.RawJSON:
    if not isinstance(value, Decimal) or not value.is_finite():
        raise TypeError(f"a FHIR body holds no {type(value).__name__}")
    return simplejson.RawJSON(format(value, "f"))
