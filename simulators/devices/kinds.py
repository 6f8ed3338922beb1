"""The table of kinds that can be simulated: one row a kind, as the device contract names it."""

from __future__ import annotations

import hashlib

from simulators.devices import blood_pressure, ecg_cart
from simulators.devices.instrument import Make
from simulators.devices.messages import Identity

KINDS: dict[str, Make] = {"blood_pressure": blood_pressure.MAKE, "ecg": ecg_cart.MAKE}


def identity(kind: str, device: str, *, eui64: str | None = None, asks_record: bool = False) -> Identity:
    """What a simulated device of this kind says of itself; serial and `auto` EUI-64 follow from its id."""
    make = KINDS[kind]
    return Identity(
        device=device,
        manufacturer=make.manufacturer,
        model=make.model,
        serial=hashlib.sha256(device.encode()).hexdigest()[:8].upper(),
        firmware=make.firmware,
        kinds=(kind,),
        eui64=eui64_of(device) if eui64 == "auto" else eui64,
        asks_record=asks_record,
    )


def eui64_of(device: str) -> str:
    """An EUI-64 of the locally administered, individual range (IEEE 802c): nobody's real device."""
    octets = bytearray(hashlib.sha256(f"eui64 {device}".encode()).digest()[:8])
    octets[0] = octets[0] & 0xFC | 0x02
    return "-".join(f"{octet:02X}" for octet in octets)
