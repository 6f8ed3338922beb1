"""A registered device as FHIR ``Device``: a PhdDevice when it has an EUI-64, else a plain one.

Comes in: a ``registry.model.Device``. Goes out: its resource. Refuses to know: readings, credentials, and any
identifier that the device or its registration does not have: none is made up to satisfy a profile.
"""

from __future__ import annotations

import hashlib

from fhir_export.mapping.datatypes import absent, concept, meta
from fhir_export.model import Body, Deployment, Resource
from fhir_export.profiles import (
    DEVICE_STATUS,
    GENERIC_SPECIALIZATION,
    MDC,
    PHD_DEVICE,
    SPECIALIZATIONS,
    SPECIALIZATIONS_BY_METHOD,
    Coding,
)
from registry.model import Device

_SYSTEM_ID_TYPE = Coding("http://hl7.org/fhir/uv/phd/CodeSystem/ContinuaDeviceIdentifiers", "SYSID")
_EUI64 = "urn:oid:1.2.840.10004.1.1.1.0.0.1.0.0.1.2680"
_PHD_TYPE = Coding(MDC, "65573")
_FIRMWARE = Coding(MDC, "531976")


def device_id(device: str) -> str:
    """FHIR id of a device: a device id may hold ``_``, a FHIR id may not, so it is hashed."""
    return hashlib.sha256(f"constantes/v1|device|{device}".encode()).hexdigest()[:32] + "-device"


def is_phd(device: Device) -> bool:
    """True when the device is exported as PhdDevice, which Mesures de santé profiles ask of their device."""
    return device.eui64 is not None


def device_resource(device: Device, deployment: Deployment) -> Resource:
    """The device as its registration and latest hello describe it (PHD 1.0.0 form, which Mesures pins)."""
    phd = is_phd(device)
    body: Body = {
        "resourceType": "Device",
        "id": device_id(device.device),
        "meta": meta(deployment, PHD_DEVICE if phd else None, test=device.simulated),
        "identifier": _identifiers(device, deployment),
        "status": DEVICE_STATUS[device.status],
        **_told("manufacturer", device.identity.manufacturer, required=phd),
        **_told("serialNumber", device.identity.serial),
        **_told("modelNumber", device.identity.model, required=phd),
    }
    if phd:
        body["type"] = concept((_PHD_TYPE,))
        body["specialization"] = _specializations(device)
    if device.identity.firmware:
        body["version"] = [{"type": concept((_FIRMWARE,)), "value": device.identity.firmware}]
    return Resource.of(body)


def _identifiers(device: Device, deployment: Deployment) -> list[Body]:
    own = {"system": deployment.system(2), "value": device.device}
    if device.eui64 is None:
        return [own]
    return [{"type": concept((_SYSTEM_ID_TYPE,)), "system": _EUI64, "value": device.eui64}, own]


def _told(element: str, value: str | None, *, required: bool = False) -> Body:
    """The element if the device told it; where the profile requires it, that it is unknown."""
    if value and value.strip():
        return {element: value}
    return {f"_{element}": absent()} if required else {}


def _specializations(device: Device) -> list[Body]:
    """One entry a specialization, its version unknown: PHD requires it and ``hello`` does not say it."""
    codes = dict.fromkeys(_specialization(kind, device.method) for kind in device.identity.kinds)
    return [
        {"systemType": concept((Coding(MDC, code),)), "_version": absent()}
        for code in codes or (GENERIC_SPECIALIZATION,)
    ]


def _specialization(kind: str, method: str | None) -> str:
    by_kind = SPECIALIZATIONS.get(kind, GENERIC_SPECIALIZATION)
    return SPECIALIZATIONS_BY_METHOD.get((kind, method or ""), by_kind)
