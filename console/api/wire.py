"""The JSON of ``/api/v1``: what is taken and what is answered, as pydantic models.

Comes in: nouns of the registry. Goes out: the models that FastAPI checks and documents. Refuses to know: where they
come from.

Times are RFC 3339 in UTC on the way out; on the way in, RFC 3339 with an offset or ``Z``.
"""

from __future__ import annotations

from typing import Annotated, Self

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field

from ingest.clock import parse, utc_text
from ingest.model import Instant
from ingest.reasons import Rejected
from registry.clients import Client
from registry.faults import Unfit
from registry.hubs import Service
from registry.model import Assignment, Device, Patient
from registry.operations import Credentials
from registry.presence import Heard, Presence

Text = Annotated[str, Field(min_length=1, max_length=256, pattern=r"\A[^\x00]*\z")]
"""No table of PostgreSQL's takes the character NUL."""
Limit = Annotated[int, Query(ge=1, le=1000)]


def instant(text: str | None) -> Instant | None:
    """An RFC 3339 text as instant; raises Unfit."""
    try:
        return None if text is None else parse(text)
    except Rejected:
        raise Unfit(
            "time.format", "A time cannot be read.", "Write it as 2026-11-21T08:30:00+04:00, with offset or Z."
        ) from None


def shown(at: Instant | None) -> str | None:
    """An instant as RFC 3339 in UTC."""
    return None if at is None else utc_text(at)


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class DeviceIn(_In):
    """A device to be registered."""

    device: Text
    site: Text | None = None
    eui64: Text | None = None
    method: Text | None = None
    simulated: bool = False


class CredentialsOut(BaseModel):
    """What to put on a device: the secret is shown this once. ``notice``: the broker does not know it yet."""

    device: str
    username: str
    secret: str
    mqtt_url: str
    notice: str | None

    @classmethod
    def of(cls, made: Credentials, mqtt_url: str) -> Self:
        """The device's user name is its id (device contract, C-CON-2)."""
        return cls(device=made.device, username=made.device, secret=made.secret, mqtt_url=mqtt_url, notice=made.notice)


class DeviceOut(BaseModel):
    """A registered device; what its latest hello said; when that was, and ``via`` which hub, None without one.

    ``presence`` is the last word of its connection or of its hub's, not a probe: online, offline, unreachable (its hub
    is offline), never heard; ``online`` is true for the first.
    """

    device: str
    status: str
    site: str | None
    eui64: str | None
    method: str | None
    simulated: bool
    manufacturer: str | None
    model: str | None
    serial: str | None
    firmware: str | None
    kinds: list[str]
    hello_at: str | None
    online: bool
    presence: str
    via: str | None

    @classmethod
    def of(cls, device: Device, heard: Heard) -> Self:
        """The device as it stands."""
        said = device.identity
        return cls(
            device=device.device, status=device.status, site=device.site, eui64=device.eui64, method=device.method,
            simulated=device.simulated, manufacturer=said.manufacturer, model=said.model, serial=said.serial,
            firmware=said.firmware, kinds=list(said.kinds), hello_at=shown(heard.at),
            online=heard.presence is Presence.ONLINE, presence=heard.presence, via=heard.via,
        )  # fmt: skip


class RevokedOut(BaseModel):
    """A device that is shut out; ``notice``: the broker does not know it yet."""

    device: str
    status: str
    notice: str | None


class PatientIn(_In):
    """A person to be registered; ``identifiers`` are ``SYSTEM|VALUE``."""

    family: Text
    given: Annotated[list[Text], Field(min_length=1, max_length=10)]
    birth_date: Text
    gender: Text
    identifiers: Annotated[list[Text], Field(max_length=10)] = []
    test: bool = False


class PatientMade(BaseModel):
    """The random id of a person, which is also the id of the FHIR Patient."""

    patient: str


class PatientOut(BaseModel):
    """A registered person."""

    patient: str
    family: str
    given: list[str]
    birth_date: str
    gender: str
    identifiers: list[str]
    test: bool

    @classmethod
    def of(cls, patient: Patient) -> Self:
        """The person as registered."""
        numbers = [f"{number.system}|{number.value}" for number in patient.identifiers]
        return cls(
            patient=patient.patient, family=patient.family, given=list(patient.given), birth_date=patient.birth_date,
            gender=patient.gender, identifiers=numbers, test=patient.test,
        )  # fmt: skip


class AssignmentIn(_In):
    """A device for a patient, from ``start`` (now when absent) to ``end`` (exclusive; absent: until further notice)."""

    device: Text
    patient: Text
    start: Text | None = None
    end: Text | None = None


class EndIn(_In):
    """When an assignment, or a hub's service, ends; now when absent."""

    at: Text | None = None


class AssignmentMade(BaseModel):
    """The id of an assignment."""

    assignment: str


class AssignmentOut(BaseModel):
    """An assignment."""

    assignment: str
    device: str
    patient: str
    start: str
    end: str | None

    @classmethod
    def of(cls, made: Assignment) -> Self:
        """The assignment as it stands."""
        return cls(
            assignment=made.assignment, device=made.device, patient=made.patient, start=utc_text(made.start),
            end=shown(made.end),
        )  # fmt: skip


class ServiceIn(_In):
    """A hub that may speak for a device, from ``start`` (now when absent) to ``end`` (exclusive; absent: no end)."""

    hub: Text
    device: Text
    start: Text | None = None
    end: Text | None = None


class ServiceOut(BaseModel):
    """Which hub speaks for which device, from when to when."""

    hub: str
    device: str
    start: str
    end: str | None

    @classmethod
    def of(cls, held: Service) -> Self:
        """The service as it stands."""
        return cls(hub=held.hub, device=held.device, start=utc_text(held.start), end=shown(held.end))


class ClientIn(_In):
    """Practice software to be let in; no ``sites``: all of them."""

    client: Text
    scopes: Annotated[list[Text], Field(min_length=1, max_length=50)]
    sites: Annotated[list[Text], Field(max_length=100)] = []


class ClientMade(BaseModel):
    """The token is shown this once."""

    client: str
    token: str


class ClientOut(BaseModel):
    """A client."""

    client: str
    scopes: list[str]
    sites: list[str]
    added_at: str
    revoked_at: str | None

    @classmethod
    def of(cls, client: Client) -> Self:
        """The client as registered."""
        return cls(
            client=client.client, scopes=list(client.scopes), sites=list(client.sites),
            added_at=utc_text(client.added_at), revoked_at=shown(client.revoked_at),
        )  # fmt: skip
