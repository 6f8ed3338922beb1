"""The table of kinds that can be simulated, found by looking: a module beside this one that defines `INSTRUMENT`.

Comes in: the modules of this package. Goes out: `KINDS`, and what a device says of itself. Refuses to know: any kind by
name. So a new kind is one file here, with no list to enter it in.

Only the modules of instruments are imported: the others hold sockets, and some of them need this very table.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from simulators.devices.instrument import Make
from simulators.devices.messages import Identity

_DEFINES = re.compile(r"^INSTRUMENT\b", re.MULTILINE)


def found(package: str, folder: Path) -> dict[str, Make]:
    """The kinds of a package's folder, by their names in order; raises ValueError when two modules make one kind."""
    makes: dict[str, Make] = {}
    for make in _makes(package, folder):
        if make.kind in makes:
            raise ValueError(f"Two modules of {package} simulate the kind {make.kind}.")
        makes[make.kind] = make
    return dict(sorted(makes.items()))


def _makes(package: str, folder: Path) -> Iterator[Make]:
    for file in sorted(folder.glob("*.py")):
        if _DEFINES.search(file.read_text(encoding="utf-8")):
            make = import_module(f"{package}.{file.stem}").INSTRUMENT
            if not isinstance(make, Make):
                raise TypeError(f"INSTRUMENT of {package}.{file.stem} is no Make.")
            yield make


KINDS: dict[str, Make] = found(__package__ or "simulators.devices", Path(__file__).parent)


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
