"""Who readings refer to (patients, devices, the gateway): a version of each before the first one, and at each change.

Comes in: the patients and devices of a round, the deployment. Goes out: versions of those that are not in the feed as
they are, and the ones that cannot be told in FHIR. Refuses to know: readings, who belongs to whom.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from sqlalchemy import Connection, select

from fhir_export import mapping
from fhir_export.feed import Version
from fhir_export.model import Deployment, Resource, encode
from fhir_export.structure import NotFhir, validated
from ingest.ledger.schema import FEED, RESOURCE
from registry.model import Device, Patient

Noun: TypeAlias = Patient | Device | Deployment
"""A deployment stands for its gateway."""


@dataclass(frozen=True, slots=True)
class Referred:
    """Remembers which ones the feed has as they are: those need not be built to be compared."""

    deployment: Deployment
    _unchanged: dict[str, Noun] = field(default_factory=dict)

    def versions(self, connection: Connection, nouns: Iterable[Noun]) -> tuple[list[Version], set[str]]:
        """Versions to append, and the ids of nouns that are no FHIR: nothing may refer to those."""
        made = [(noun, self._resource(noun)) for noun in nouns if self._unchanged.get(_place(noun)) != noun]
        bodies = _newest(connection, [resource for _, resource in made])
        found: list[Version] = []
        refused: set[str] = set()
        for noun, resource in made:
            if bodies.get(resource.reference) == encode(resource):
                self._unchanged[_place(noun)] = noun
                continue
            self._unchanged.pop(_place(noun), None)
            try:
                found.append(Version(validated(resource), site=noun.site if isinstance(noun, Device) else None))
            except NotFhir:
                refused.add(_place(noun))
        return found, refused

    def _resource(self, noun: Noun) -> Resource:
        if isinstance(noun, Patient):
            return mapping.patient_resource(noun, self.deployment)
        if isinstance(noun, Deployment):
            return mapping.gateway_resource(noun)
        return mapping.device_resource(noun, self.deployment)


def refers_to(patient: str, device: str, deployment: Deployment) -> set[str]:
    """What a reading of this patient and device refers to, named as in the refusals of ``Referred``."""
    return {f"Patient/{patient}", f"Device/{device}", _place(deployment)}


def _place(noun: Noun) -> str:
    match noun:
        case Patient():
            return f"Patient/{noun.patient}"
        case Device():
            return f"Device/{noun.device}"
        case Deployment():
            return f"Gateway/{noun.gateway}"


def _newest(connection: Connection, resources: Sequence[Resource]) -> dict[str, bytes]:
    """The bytes of the newest version of each of these that has one, by reference."""
    ids: dict[str, list[str]] = {}
    for resource in resources:
        ids.setdefault(resource.type, []).append(resource.id)
    newest = select(RESOURCE.c.id, FEED.c.body).join_from(RESOURCE, FEED, FEED.c.position == RESOURCE.c.position)
    return {
        f"{type_}/{id_}": body
        for type_, wanted in ids.items()
        for id_, body in connection.execute(newest.where(RESOURCE.c.type == type_, RESOURCE.c.id.in_(wanted)))
    }
