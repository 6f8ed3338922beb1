"""Commands about who: device, hub, patient, assign, client.

Comes in: words. Goes out: what the API answered. Refuses to know: rules.
"""

from __future__ import annotations

from typing import Annotated

import typer

from app.cli_output import Json, notice, session, show, show_items

_CREDENTIALS = ("device", "username", "secret", "mqtt_url")
_DEVICE_COLUMNS = ("device", "status", "site", "model", "simulated", "presence", "via", "hello_at")
_DEVICE_KEYS = (
    "device", "status", "site", "eui64", "method", "simulated", "manufacturer", "model", "serial", "firmware", "kinds",
    "hello_at", "online", "presence", "via",
)  # fmt: skip
_PATIENT_COLUMNS = ("patient", "family", "given", "birth_date", "gender", "test")
_ASSIGNMENT_COLUMNS = ("assignment", "device", "patient", "start", "end")
_SERVICE_COLUMNS = ("hub", "device", "start", "end")
_CLIENT_COLUMNS = ("client", "scopes", "sites", "added_at", "revoked_at")

DeviceId = Annotated[str, typer.Argument(help="The device's id.")]
From = Annotated[str | None, typer.Option("--from", help="RFC 3339 with an offset or Z; now when absent.")]
To = Annotated[str | None, typer.Option("--to", help="The same; until further notice when absent.")]
Time = Annotated[str | None, typer.Option(help="RFC 3339 with an offset or Z.")]

device = typer.Typer(help="Registration and credentials of devices.", no_args_is_help=True)
hub = typer.Typer(help="Which device speaks for which others.", no_args_is_help=True)
patient = typer.Typer(help="The people whose readings are taken.", no_args_is_help=True)
client = typer.Typer(help="Practice software that may pull.", no_args_is_help=True)


def add(app: typer.Typer) -> None:
    """Put the commands on ``app``."""
    app.add_typer(device, name="device")
    app.add_typer(hub, name="hub")
    app.add_typer(patient, name="patient")
    app.command()(assign)
    app.command()(unassign)
    app.command()(assignments)
    app.add_typer(client, name="client")


@device.command("add")
def add_device(
    device_id: Annotated[str, typer.Argument(metavar="ID", help="3 to 63 of a-z, 0-9, '_' and '-'.")],
    site: Annotated[str | None, typer.Option(help="Where it is used.")] = None,
    eui64: Annotated[str | None, typer.Option(help="FE-ED-AB-EE-DE-AD-77-C3, as on the device.")] = None,
    method: Annotated[str | None, typer.Option(help="How it measures: cuff, ecg...; another word lists them.")] = None,
    simulated: Annotated[bool, typer.Option("--simulated", help="Everything it sends is marked as a test.")] = False,
    as_json: Json = False,
) -> None:
    """Register a device; prints what to put on it. The secret is shown this once."""
    body = {"device": device_id, "site": site, "eui64": eui64, "method": method, "simulated": simulated}
    with session(new=True) as (api, _):
        made = api.post("/devices", body)
    notice(made["notice"])
    show(made, _CREDENTIALS, as_json=as_json)


@device.command("list")
def list_devices(as_json: Json = False) -> None:
    """Every registered device."""
    with session() as (api, _):
        items = api.get("/devices")["items"]
    show_items(items, _DEVICE_COLUMNS, as_json=as_json, empty="No device is registered: `constantes device add ID`.")


@device.command("show")
def show_device(device_id: DeviceId, as_json: Json = False) -> None:
    """One device, with what its latest hello said."""
    with session() as (api, _):
        found = api.get(f"/devices/{_segment(device_id)}")
    show(found, _DEVICE_KEYS, as_json=as_json)


@device.command("revoke")
def revoke_device(device_id: DeviceId, as_json: Json = False) -> None:
    """Shut a device out. What it sent before stays."""
    with session() as (api, _):
        done = api.post(f"/devices/{_segment(device_id)}/revoke")
    notice(done["notice"])
    show(done, ("device", "status"), as_json=as_json)


@device.command("rotate")
def rotate_device(device_id: DeviceId, as_json: Json = False) -> None:
    """Give a device another secret, shown this once; its connection is cut."""
    with session() as (api, _):
        made = api.post(f"/devices/{_segment(device_id)}/rotate")
    notice(made["notice"])
    show(made, _CREDENTIALS, as_json=as_json)


@hub.command("serve")
def serve(
    hub_id: Annotated[str, typer.Argument(metavar="HUB", help="The hub's id, registered with `device add`.")],
    device_id: Annotated[str, typer.Argument(metavar="DEVICE")],
    start: From = None,
    end: To = None,
    as_json: Json = False,
) -> None:
    """Let a hub speak for a device, from when to when. Several hubs may speak for one device."""
    with session() as (api, _):
        made = api.post("/hubs", {"hub": hub_id, "device": device_id, "start": start, "end": end})
    show(made, _SERVICE_COLUMNS, as_json=as_json)


@hub.command("end")
def end_service(
    hub_id: Annotated[str, typer.Argument(metavar="HUB")],
    device_id: Annotated[str, typer.Argument(metavar="DEVICE")],
    at: Time = None,
    as_json: Json = False,
) -> None:
    """Let a hub no longer speak for a device, now or from a time on. What it brought before stays."""
    with session() as (api, _):
        ended = api.post(f"/hubs/{_segment(hub_id)}/devices/{_segment(device_id)}/end", {"at": at})
    show(ended, _SERVICE_COLUMNS, as_json=as_json)


@hub.command("list")
def list_services(
    hub_id: Annotated[str | None, typer.Option("--hub")] = None,
    device_id: Annotated[str | None, typer.Option("--device")] = None,
    as_json: Json = False,
) -> None:
    """Which hub speaks and spoke for which device."""
    with session() as (api, _):
        items = api.get("/hubs", hub=hub_id, device=device_id)["items"]
    show_items(items, _SERVICE_COLUMNS, as_json=as_json, empty="No hub serves a device: `constantes hub serve`.")


@patient.command("add")
def add_patient(
    family: Annotated[str, typer.Option(help="Family name.")],
    given: Annotated[list[str], typer.Option(help="Given name; may be repeated.")],
    birth_date: Annotated[str, typer.Option(help="YYYY-MM-DD.")],
    gender: Annotated[str, typer.Option(help="male, female, other or unknown.")],
    identifier: Annotated[list[str] | None, typer.Option(help="SYSTEM|VALUE; may be repeated.")] = None,
    test: Annotated[bool, typer.Option("--test", help="A test identity, marked so in the record.")] = False,
    as_json: Json = False,
) -> None:
    """Register a person under a random id, which is also the id of the FHIR Patient."""
    body = {
        "family": family,
        "given": given,
        "birth_date": birth_date,
        "gender": gender,
        "identifiers": identifier or [],
        "test": test,
    }
    with session(new=True) as (api, _):
        made = api.post("/patients", body)
    show(made, ("patient",), as_json=as_json)


@patient.command("list")
def list_patients(as_json: Json = False) -> None:
    """Everybody registered."""
    with session() as (api, _):
        items = api.get("/patients")["items"]
    show_items(items, _PATIENT_COLUMNS, as_json=as_json, empty="Nobody is registered: `constantes patient add`.")


def assign(
    device_id: Annotated[str, typer.Argument(metavar="DEVICE")],
    patient_id: Annotated[str, typer.Argument(metavar="PATIENT")],
    start: From = None,
    end: To = None,
    as_json: Json = False,
) -> None:
    """Say whose readings a device takes, from when to when. Readings that waited for it are looked at again."""
    with session() as (api, _):
        made = api.post("/assignments", {"device": device_id, "patient": patient_id, "start": start, "end": end})
    show(made, ("assignment",), as_json=as_json)


def unassign(assignment: str, at: Time = None, as_json: Json = False) -> None:
    """Let an assignment end, now or at a time inside it."""
    with session() as (api, _):
        ended = api.post(f"/assignments/{_segment(assignment)}/end", {"at": at})
    show(ended, _ASSIGNMENT_COLUMNS, as_json=as_json)


def assignments(
    device_id: Annotated[str | None, typer.Option("--device")] = None,
    patient_id: Annotated[str | None, typer.Option("--patient")] = None,
    as_json: Json = False,
) -> None:
    """Whose readings each device takes and took, newest first."""
    with session() as (api, _):
        items = api.get("/assignments", device=device_id, patient=patient_id)["items"]
    show_items(items, _ASSIGNMENT_COLUMNS, as_json=as_json, empty="No device is assigned: `constantes assign`.")


@client.command("add")
def add_client(
    name: Annotated[str, typer.Argument(help="1 to 64 letters, digits and . _ -")],
    scope: Annotated[list[str], typer.Option(help="`system/*.rs`, `operations`...; may be repeated.")],
    site: Annotated[list[str] | None, typer.Option(help="Sees only this site; may be repeated.")] = None,
    as_json: Json = False,
) -> None:
    """Let practice software in; prints its token, shown this once."""
    with session(new=True) as (api, _):
        made = api.post("/clients", {"client": name, "scopes": scope, "sites": site or []})
    show(made, ("client", "token"), as_json=as_json)


@client.command("list")
def list_clients(as_json: Json = False) -> None:
    """Every client, the revoked ones included."""
    with session() as (api, _):
        items = api.get("/clients")["items"]
    show_items(items, _CLIENT_COLUMNS, as_json=as_json, empty="No client may pull: `constantes client add`.")


@client.command("revoke")
def revoke_client(name: Annotated[str, typer.Argument(help="The client's name.")], as_json: Json = False) -> None:
    """End a client's access with its next request."""
    with session() as (api, _):
        api.post(f"/clients/{_segment(name)}/revoke")
    show({"client": name, "status": "revoked"}, ("client", "status"), as_json=as_json)


def _segment(word: str) -> str:
    """A word as one segment of a path."""
    from urllib.parse import quote

    return quote(word, safe="") or "-"
