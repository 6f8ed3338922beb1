"""The nouns of the export: a deployment, a resource, its bytes.

Comes in: a resource built by ``fhir_export.mapping``. Goes out: its bytes with every digit kept. Refuses to know: what
the resource means, whether it is FHIR (``structure``), where it is kept or sent.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Self, TypeAlias

import simplejson

Body: TypeAlias = dict[str, Any]
"""A FHIR element or resource: ``dict``, ``list``, ``str``, ``int``, ``bool``, ``Decimal``, no ``float``."""
_PLACEHOLDER = re.compile(r"@sha256:[0-9a-f]{64}").fullmatch


@dataclass(frozen=True, slots=True)
class Deployment:
    """One installation; ``oid`` is its root, dotted (``2.999.1``): all it makes is named under it.

    ``gateway`` names the installation as a FHIR Device, ``version`` is that of its software, if it is to be told.
    """

    oid: str
    gateway: str = "constantes"
    version: str | None = None

    @property
    def source(self) -> str:
        """URI of the installation, for ``meta.source``."""
        return f"urn:oid:{self.oid}"

    def system(self, branch: int) -> str:
        """URI of a branch: 1 resources made of readings, 2 devices, 3 exams, 4 local patient numbers.

        5 SHA-256 of raw messages, 6 versions of the mapping.
        """
        return f"urn:oid:{self.oid}.{branch}"


@dataclass(frozen=True, slots=True)
class Resource:
    """A FHIR resource: ``body`` is complete, ``type`` and ``id`` repeat what it says of itself.

    The one thing a body does not hold is the content of a Binary: its ``data`` is ``placeholder``.
    """

    type: str
    id: str
    body: Body
    _content: list[bytes] = field(default_factory=list, init=False, repr=False, compare=False)

    @classmethod
    def of(cls, body: Body) -> Self:
        """Wrap a body that holds ``resourceType`` and ``id``."""
        return cls(body["resourceType"], body["id"], body)

    @property
    def reference(self) -> str:
        """How another resource points to this one: ``Observation/...``."""
        return f"{self.type}/{self.id}"


def placeholder(sha256: str) -> str:
    """What stands in a Binary for the base64 of the blob of this hex SHA-256 until the bytes leave.

    No base64 holds ``@``, so it cannot be mistaken for any; the bytes lie in the blob store, once.
    """
    return f"@sha256:{sha256}"


def is_placeholder(data: str) -> bool:
    """Whether this is what ``placeholder`` gives."""
    return _PLACEHOLDER(data) is not None


def encode(resource: Resource) -> bytes:
    """Compact UTF-8 JSON, members in the body's order, decimals with their digits (36.60, 0.0000001); made once."""
    if not resource._content:  # noqa: SLF001 - its own memory
        resource._content.append(_encoded(resource.body))  # noqa: SLF001
    return resource._content[0]  # noqa: SLF001


def _encoded(body: Body) -> bytes:
    text: str = simplejson.dumps(
        body,
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


def _plain(value: object) -> simplejson.RawJSON:
    if not isinstance(value, Decimal) or not value.is_finite():
        raise TypeError(f"a FHIR body holds no {type(value).__name__}")
    return simplejson.RawJSON(format(value, "f"))
