"""Routes about who: devices, hubs, patients, assignments, clients.

Comes in: requests whose form is right. Goes out: answers of the registry's verbs. Refuses to know: rules, tables.
"""

from __future__ import annotations

from fastapi import APIRouter

from console.api.access import Who, audited
from console.api.wire import (
    AssignmentIn,
    AssignmentMade,
    AssignmentOut,
    ClientIn,
    ClientMade,
    ClientOut,
    CredentialsOut,
    DeviceIn,
    DeviceOut,
    EndIn,
    PatientIn,
    PatientMade,
    PatientOut,
    RevokedOut,
    ServiceIn,
    ServiceOut,
    instant,
)
from console.office import Office
from registry import assignments, clients, devices, hubs, people, presence
from registry.devices import NewDevice
from registry.people import NewPatient


def add(router: APIRouter, office: Office) -> None:
    """Put the routes on ``router``."""
    _devices(router, office)
    _hubs(router, office)
    _patients(router, office)
    _assignments(router, office)
    _clients(router, office)


def _devices(router: APIRouter, office: Office) -> None:
    @router.post("/devices", status_code=201, tags=["devices"])
    def add_device(body: DeviceIn) -> CredentialsOut:
        """Register a device. The secret is shown this once."""
        made = office.registrar.add_device(
            NewDevice(body.device, body.site, body.eui64, body.method, simulated=body.simulated)
        )
        return CredentialsOut.of(made, office.mqtt_url)

    @router.get("/devices", tags=["devices"])
    def list_devices() -> dict[str, list[DeviceOut]]:
        """Every registered device, by id."""
        with office.snapshot() as connection:
            found = devices.listed(connection)
            heard = presence.heard(connection, [device.device for device in found])
        return {"items": [DeviceOut.of(device, heard.get(device.device, presence.NEVER)) for device in found]}

    @router.get("/devices/{device}", tags=["devices"])
    def show_device(device: str) -> DeviceOut:
        """One device."""
        with office.snapshot() as connection:
            found = devices.show(connection, device)
            return DeviceOut.of(found, presence.heard(connection, [device]).get(device, presence.NEVER))

    @router.post("/devices/{device}/revoke", tags=["devices"])
    def revoke_device(device: str) -> RevokedOut:
        """Shut a device out; what it sent before stays."""
        notice = office.registrar.revoke_device(device)
        return RevokedOut(device=device, status="revoked", notice=notice)

    @router.post("/devices/{device}/rotate", tags=["devices"])
    def rotate_device(device: str) -> CredentialsOut:
        """Give a device another secret, shown this once."""
        return CredentialsOut.of(office.registrar.rotate_device(device), office.mqtt_url)


def _hubs(router: APIRouter, office: Office) -> None:
    @router.post("/hubs", status_code=201, tags=["hubs"])
    def serve(body: ServiceIn) -> ServiceOut:
        """Let a hub speak for a device."""
        return ServiceOut.of(office.registrar.serve(body.hub, body.device, instant(body.start), instant(body.end)))

    @router.get("/hubs", tags=["hubs"])
    def list_services(hub: str | None = None, device: str | None = None) -> dict[str, list[ServiceOut]]:
        """Which hub speaks and spoke for which device; only those of a hub, or of a device, when asked."""
        with office.snapshot() as connection:
            if hub is not None:
                found = [held for held in hubs.of_hub(connection, hub) if device in (None, held.device)]
            else:
                found = hubs.listed(connection) if device is None else hubs.of_device(connection, device)
        return {"items": [ServiceOut.of(held) for held in found]}

    @router.post("/hubs/{hub}/devices/{device}/end", tags=["hubs"])
    def end_service(hub: str, device: str, body: EndIn) -> ServiceOut:
        """Let a hub no longer speak for a device; what it brought before stays."""
        return ServiceOut.of(office.registrar.end_service(hub, device, instant(body.at)))


def _patients(router: APIRouter, office: Office) -> None:
    @router.post("/patients", status_code=201, tags=["patients"])
    def add_patient(body: PatientIn) -> PatientMade:
        """Register a person under a random id."""
        new = NewPatient(
            body.family, tuple(body.given), body.birth_date, body.gender, tuple(body.identifiers), test=body.test
        )
        return PatientMade(patient=office.registrar.add_patient(new).patient)

    @router.get("/patients", tags=["patients"])
    def list_patients(who: Who) -> dict[str, list[PatientOut]]:
        """Everybody registered, by family name."""
        with office.snapshot() as connection:
            found = people.listed(connection)
        audited(office, who, "Patient", len(found))
        return {"items": [PatientOut.of(patient) for patient in found]}

    @router.get("/patients/{patient}", tags=["patients"])
    def show_patient(patient: str, who: Who) -> PatientOut:
        """One person."""
        with office.snapshot() as connection:
            found = people.show(connection, patient)
        audited(office, who, "Patient", 1, found.patient)
        return PatientOut.of(found)


def _assignments(router: APIRouter, office: Office) -> None:
    @router.post("/assignments", status_code=201, tags=["assignments"])
    def assign(body: AssignmentIn) -> AssignmentMade:
        """Give a device to a patient; readings that waited for it are looked at again."""
        made = office.registrar.assign(body.device, body.patient, instant(body.start), instant(body.end))
        return AssignmentMade(assignment=made.assignment)

    @router.get("/assignments", tags=["assignments"])
    def list_assignments(
        who: Who, device: str | None = None, patient: str | None = None
    ) -> dict[str, list[AssignmentOut]]:
        """Assignments, newest first."""
        with office.snapshot() as connection:
            found = assignments.listed(connection, device, patient)
        audited(office, who, "Patient", len(found), found[0].patient if patient is not None and found else None)
        return {"items": [AssignmentOut.of(made) for made in found]}

    @router.post("/assignments/{assignment}/end", tags=["assignments"])
    def end_assignment(assignment: str, body: EndIn, who: Who) -> AssignmentOut:
        """Let an assignment end."""
        office.registrar.unassign(assignment, instant(body.at))
        with office.snapshot() as connection:
            found = assignments.show(connection, assignment)
        audited(office, who, "Patient", 1, found.patient)
        return AssignmentOut.of(found)


def _clients(router: APIRouter, office: Office) -> None:
    @router.post("/clients", status_code=201, tags=["clients"])
    def add_client(body: ClientIn) -> ClientMade:
        """Let practice software in. The token is shown this once."""
        token = office.registrar.add_client(body.client, body.scopes, body.sites)
        return ClientMade(client=body.client, token=token)

    @router.get("/clients", tags=["clients"])
    def list_clients() -> dict[str, list[ClientOut]]:
        """Every client, the revoked ones included."""
        with office.snapshot() as connection:
            return {"items": [ClientOut.of(client) for client in clients.listed(connection)]}

    @router.post("/clients/{client}/revoke", status_code=204, tags=["clients"])
    def revoke_client(client: str) -> None:
        """End a client's access from the next request on."""
        office.registrar.revoke_client(client)
