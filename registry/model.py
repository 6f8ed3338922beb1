"""The nouns of the registry: frozen, plain, free of any library.

Comes in: nothing. Goes out: the types that mapping, operations and the command line pass on. Refuses to know: where
they are kept, how they look in FHIR.
"""

from __future__ import annotations

from dataclasses import dataclass

from ingest.content.found import Found
from ingest.model import DeviceStatus, Instant, Reading


@dataclass(frozen=True, slots=True)
class Identity:
    """What a device's latest hello says of itself; None where it said nothing (device contract, section 9)."""

    manufacturer: str | None = None
    model: str | None = None
    serial: str | None = None
    firmware: str | None = None
    kinds: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Device:
    """A registered device.

    ``eui64`` is ``FE-ED-AB-EE-DE-AD-77-C3``-style or None; ``method`` a word of ``fhir_export.profiles.METHODS`` or
    None; ``simulated`` puts HTEST on everything made of its readings.
    """

    device: str
    status: DeviceStatus
    site: str | None = None
    eui64: str | None = None
    method: str | None = None
    simulated: bool = False
    identity: Identity = Identity()


@dataclass(frozen=True, slots=True)
class Identifier:
    """A patient's number: ``system`` is a URI (``urn:oid:...``), ``value`` the number in it."""

    system: str
    value: str


@dataclass(frozen=True, slots=True)
class Patient:
    """A person whose readings are taken. ``patient`` is random and doubles as FHIR id; dates are ``YYYY-MM-DD``.

    ``gender`` is a word of FHIR's administrative-gender (male, female, other, unknown). ``test`` marks a test identity.
    """

    patient: str
    family: str
    given: tuple[str, ...]
    birth_date: str
    gender: str
    identifiers: tuple[Identifier, ...] = ()
    test: bool = False


@dataclass(frozen=True, slots=True)
class Assignment:
    """A device belongs to a patient from ``start`` (inclusive) to ``end`` (exclusive; None: until further notice)."""

    assignment: str
    device: str
    patient: str
    start: Instant
    end: Instant | None = None


@dataclass(frozen=True, slots=True)
class Attributed:
    """A reading with the patient it belongs to: everything that mapping may know.

    ``accepted_at`` is when the ledger accepted it; ``attribution`` counts the patients it was given to, from 1, and
    ``given_at`` is when that was, for all but the first. ``sha`` is the SHA-256 of the message (32 bytes), ``hub`` the
    device that spoke for this one, ``found`` what looking into its blob told.
    """

    reading: Reading
    accepted_at: Instant
    patient: str
    device: Device
    sha: bytes
    attribution: int = 1
    hub: str | None = None
    found: Found | None = None
    given_at: Instant | None = None
