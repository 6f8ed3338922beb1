"""The verbs: everything that changes who is registered, whose a device is, who speaks for it, and who may pull.

Comes in: requests from the command line and from ``/api/v1``. Goes out: what was made, or ``Refused``. Refuses to
know: HTTP, how the broker is told.

The ledger comes first and the broker second: a registration that is committed holds, and a broker that is away is
told of it later.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ingest.ledger.engine import named_faults
from ingest.ledger.files import OpenLedger
from ingest.model import Instant
from registry import assignments, clients, devices, hubs, people
from registry.devices import Account, NewDevice
from registry.faults import Conflict
from registry.hubs import Service
from registry.model import Assignment, Patient
from registry.people import NewPatient


class GateSilent(Exception):  # noqa: N818 - the request is kept; the broker does not know yet
    """The broker was not seen to follow; the text says what holds meanwhile and what to do, for a person."""


class Gate(Protocol):
    """The broker's door."""

    def admit(self, users: Sequence[Account]) -> None:
        """Let in exactly these devices from now on.

        Called after the registration is committed, with every device that is not revoked. Raises GateSilent when the
        broker was not seen to follow.
        """


@dataclass(frozen=True, slots=True)
class Secret:
    """A fresh secret and what is kept of it."""

    plain: str = field(repr=False)
    hashed: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Credentials:
    """What to put on a device: shown once, kept nowhere; with ``notice``, the broker does not know it yet."""

    device: str
    secret: str = field(repr=False)
    notice: str | None


@dataclass(frozen=True, slots=True)
class Registrar:
    """The only writer of the registry. Made once a process, by the composition root; may be used by any thread.

    ``new_secret`` makes a device's secret, ``methods`` are the words that FHIR has codes for, ``production`` says
    whether real national numbers are taken.
    """

    file: OpenLedger
    gate: Gate
    now: Callable[[], Instant]
    new_secret: Callable[[], Secret]
    methods: Collection[str] = ()
    production: bool = False
    simulated: bool = True
    """Whether simulated devices are taken: not where a record that is not on this machine would get their readings."""
    _telling: threading.Lock = field(default_factory=threading.Lock)

    # ------------------------------------------------------------ devices

    def add_device(self, new: NewDevice) -> Credentials:
        """Register a device and let it in; raises Unfit or Conflict."""
        devices.check(new, self.methods)
        if new.simulated and not self.simulated:
            raise Conflict(
                "device.simulated",
                "A simulated device cannot be added: readings go to a record that is not on this machine.",
                "Use an installation without that record, or set CONSTANTES_RECORD__ALLOW_SIMULATED=true.",
            )
        secret, now = self.new_secret(), self.now()
        self.file.writer.write(lambda connection: devices.add(connection, new, secret.hashed, now))
        return Credentials(new.device, secret.plain, self.tell_gate())

    def rotate_device(self, device: str) -> Credentials:
        """Give a device another secret; its connection is cut. Raises Unknown, or Conflict when it is revoked."""
        secret = self.new_secret()
        self.file.writer.write(lambda connection: devices.rotate(connection, device, secret.hashed))
        return Credentials(device, secret.plain, self.tell_gate())

    def revoke_device(self, device: str) -> str | None:
        """Shut a device out; returns a notice when the broker does not know it yet. Raises Unknown."""
        now = self.now()
        self.file.writer.write(lambda connection: devices.revoke(connection, device, now))
        return self.tell_gate()

    def tell_gate(self) -> str | None:
        """Set the broker's door to what is registered now; returns what to do when it did not follow."""
        with self._telling:  # a list read earlier may not be the last one told
            with named_faults(), self.file.readers.connect() as connection:
                admitted = devices.accounts(connection)
            try:
                self.gate.admit(admitted)
            except GateSilent as silent:
                return str(silent)
        return None

    # ------------------------------------------------------------ people and assignments

    def add_patient(self, new: NewPatient) -> Patient:
        """Register a person under a random id; raises Unfit."""
        now = self.now()
        patient = people.checked(new, people.new_id(), now, production=self.production)
        self.file.writer.write(lambda connection: people.add(connection, patient, now))
        return patient

    def assign(self, device: str, patient: str, start: Instant | None = None, end: Instant | None = None) -> Assignment:
        """Give a device to a patient from ``start`` (now when None) to ``end``; raises Unknown, Unfit or Conflict."""
        now = self.now()
        made = Assignment(assignments.new_id(), device, patient, now if start is None else start, end)
        self.file.writer.write(lambda connection: assignments.assign(connection, made, now))
        return made

    def unassign(self, assignment: str, at: Instant | None = None) -> None:
        """Let an assignment end at ``at`` (now when None); raises Unknown, Unfit or Conflict."""
        end = self.now() if at is None else at
        self.file.writer.write(lambda connection: assignments.end(connection, assignment, end))

    # ------------------------------------------------------------ hubs

    def serve(self, hub: str, device: str, start: Instant | None = None, end: Instant | None = None) -> Service:
        """Let a hub speak for a device from ``start`` (now when None); raises Unknown, Unfit or Conflict."""
        now = self.now()
        begin = now if start is None else start
        return self.file.writer.write(lambda connection: hubs.serve(connection, hub, device, begin, end, now))

    def end_service(self, hub: str, device: str, at: Instant | None = None) -> Service:
        """Let a hub no longer speak for a device from ``at`` (now when None); raises Unknown or Unfit."""
        until = self.now() if at is None else at
        return self.file.writer.write(lambda connection: hubs.end(connection, hub, device, until))

    # ------------------------------------------------------------ clients

    def add_client(self, name: str, scopes: Iterable[str], sites: Iterable[str]) -> str:
        """Let practice software in; returns its token, shown once. Raises Unfit or Conflict."""
        asked, places, now = tuple(scopes), tuple(sites), self.now()
        return self.file.writer.write(lambda connection: clients.add(connection, name, asked, places, now))

    def revoke_client(self, name: str) -> None:
        """End a client's access; raises Unknown."""
        now = self.now()
        self.file.writer.write(lambda connection: clients.revoke(connection, name, now))
