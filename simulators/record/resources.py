"""A resource on its way in and out: the checks of a strict server, and the two members of `meta` it owns.

In: the tree of a PUT, or a stored version. Out: a `Resource` to store, or the tree to show. Pure.
It checks the frame (type, id, references), never a profile: profiles are the validator's work.
"""

import re
from binascii import a2b_base64
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from simulators.record import exact
from simulators.record.answers import Refused
from simulators.record.exact import Json

TYPES: Final = (
    *("AuditEvent", "Binary", "Device", "DeviceMetric", "DiagnosticReport", "DocumentReference", "Encounter"),
    *(
        "ImagingStudy",
        "Location",
        "Media",
        "Observation",
        "Organization",
        "Patient",
        "Practitioner",
        "PractitionerRole",
    ),
    *("Provenance", "RelatedPerson", "ServiceRequest"),
)
_ID: Final = re.compile(r"[A-Za-z0-9\-.]{1,64}")  # FHIR R4, datatypes.html#id
_MEDIA: Final = re.compile(r"[A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+(?:;.*)?")  # RFC 6838, 4.2
_REFERENCE: Final = re.compile(rf"({'|'.join(TYPES)})/({_ID.pattern})(?:/_history/[0-9]+)?")
_ATTACHED: Final = re.compile(rf"(Binary)/({_ID.pattern})")
_SERVERS_OWN: Final = frozenset({"versionId", "lastUpdated"})

Key = tuple[str, str]
"""A resource's type and id."""


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource as it came, less the server's members of `meta`: compact JSON, and what the store needs."""

    key: Key
    body: bytes
    identifiers: tuple[tuple[str, str], ...]
    references: tuple[Key, ...]


@dataclass(frozen=True, slots=True)
class Version:
    """A stored version of a resource; `number` counts from 1, `updated` is a FHIR instant."""

    key: Key
    number: int
    updated: str
    body: bytes

    @property
    def etag(self) -> str:
        """The weak entity tag of FHIR R4, http.html#versioning."""
        return f'W/"{self.number}"'

    @property
    def location(self) -> str:
        """Where this version is, below the base."""
        return f"{'/'.join(self.key)}/_history/{self.number}"


def checked_key(type_: str, id_: str) -> Key:
    """The key, when the type is one we take and the id is a FHIR id; raises `Refused`."""
    if type_ not in TYPES:
        raise Refused(404, "not-supported", "This resource type is not taken here.")
    if not _ID.fullmatch(id_):
        raise Refused(400, "value", "The id is not 1 to 64 of A-Z a-z 0-9 - and full stop.")
    return type_, id_


def checked_tree(raw: bytes) -> dict[str, Json]:
    """The JSON object of a body; raises `Refused`."""
    try:
        tree = exact.read(raw)
    except exact.NotJson as why:
        raise Refused(400, "structure", f"Not taken: {why}.") from None
    if not isinstance(tree, dict):
        raise Refused(400, "structure", "Not taken: the body is not an object.")
    return tree


def checked(key: Key, tree: Json, base: str) -> Resource:
    """The resource to store under `key`; `base` is our own address, which a reference may begin with."""
    if not isinstance(tree, dict) or tree.get("resourceType") != key[0]:
        raise Refused(400, "invalid", "The resourceType in the body is not the type in the address.")
    if tree.get("id") != key[1]:
        raise Refused(400, "invalid", "The id in the body is not the id in the address.")
    if key[0] == "Binary":
        _check_binary(tree)
    try:
        references = tuple(_references(tree, base))
        body = exact.write(_content(tree))
    except exact.NotJson as why:
        raise Refused(400, "structure", f"Not taken: {why}.") from None
    return Resource(key, body, tuple(_identifiers(tree)), references)


def same_content(one: bytes, other: bytes) -> bool:
    """Whether two bodies say the same; the order of names does not count, the digits of a number do."""
    return one == other or _canonical(one) == _canonical(other)


def shown(version: Version) -> dict[str, Json]:
    """The stored resource with the server's `meta.versionId` and `meta.lastUpdated`."""
    tree = exact.read(version.body)
    if not isinstance(tree, dict):
        raise TypeError("only objects are stored")
    meta = tree.get("meta")
    kept = meta if isinstance(meta, dict) else {}
    ours: dict[str, Json] = {"versionId": str(version.number), "lastUpdated": version.updated}
    return {"resourceType": tree["resourceType"], "id": tree["id"], "meta": kept | ours} | {
        name: value for name, value in tree.items() if name != "meta"
    }


def _canonical(body: bytes) -> bytes:
    return exact.write(exact.read(body), ordered=True)


def _content(tree: dict[str, Json]) -> dict[str, Json]:
    meta = tree.get("meta")
    if not isinstance(meta, dict) or meta.keys().isdisjoint(_SERVERS_OWN):
        return tree
    kept: Json = {name: value for name, value in meta.items() if name not in _SERVERS_OWN}
    return {name: value for name, value in (tree | {"meta": kept}).items() if name != "meta" or kept}


def _check_binary(tree: dict[str, Json]) -> None:
    """Refuse what could not be given back as bytes."""
    content_type, data = tree.get("contentType"), tree.get("data")
    if (
        not isinstance(content_type, str)
        or isinstance(content_type, exact.Number)
        or not _MEDIA.fullmatch(content_type)
    ):
        raise Refused(400, "required", "A Binary has a contentType such as image/jpeg.")
    if data is None:
        return
    if not isinstance(data, str) or isinstance(data, exact.Number) or not data:
        raise Refused(400, "structure", "The data of a Binary is a text.")
    content(data)


def content(data: str) -> bytes:
    """The bytes that a Binary's data stands for; raises `Refused`."""
    try:
        return a2b_base64(data, strict_mode=True)
    except ValueError:  # no ASCII, too
        raise Refused(400, "value", "The data of a Binary is not base64.") from None


def _references(tree: Json, base: str) -> Iterator[Key]:
    """References, and addresses of attached Binaries; not what a Binary names, which HAPI FHIR takes unchecked too."""
    if isinstance(tree, dict) and tree.get("resourceType") == "Binary":
        return
    for node in exact.nodes(tree):
        for name, form in (("reference", _REFERENCE), ("url", _ATTACHED)):
            reference = node.get(name)
            if isinstance(reference, str) and (match := form.fullmatch(reference.removeprefix(f"{base}/"))):
                yield match[1], match[2]


def _identifiers(tree: dict[str, Json]) -> Iterator[tuple[str, str]]:
    given = tree.get("identifier")
    for identifier in given if isinstance(given, list) else [given]:
        if isinstance(identifier, dict) and isinstance(value := identifier.get("value"), str):
            system = identifier.get("system")
            yield system if isinstance(system, str) else "", value
