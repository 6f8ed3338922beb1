"""A FHIR R4 server on this machine: HAPI's JPA server of tools/fhir-server, over a database in a folder.

In: nothing, or a folder. Out: a `Server` on a free port that can be killed and started again with its data.
Refuses to know: what is written to it.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from scripts.services.process import LOOPBACK, Life, Process, Service, ServiceFailed, ServiceMissing, place

TOOL: Final = Path(__file__).parents[2] / "tools" / "fhir-server"
NEEDED: Final = ("java", "mvn")
_PATIENCE_S: Final = 180.0
"""Spring, Hibernate and the first CapabilityStatement on a machine that is busy."""


@dataclass
class Server(Service):
    """A server and its folder."""

    reference_checks: bool = True
    """Whether a reference to a resource that is not there is refused."""

    @property
    def url(self) -> str:
        """Its FHIR base."""
        return f"http://{LOOPBACK}:{self.port}/fhir"

    @property
    def environment(self) -> dict[str, str]:
        """The project's setting that leads here."""
        return {"CONSTANTES_RECORD__URL": self.url}

    def _made(self) -> Life:
        options = [] if self.reference_checks else ["--no-reference-checks"]
        command = [str(TOOL / "serve"), *options, str(self.port), str(self.folder / "data")]
        return Process("HAPI", command, self._answers, self.folder / "log", patience_s=_PATIENCE_S)

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/metadata", timeout=_PATIENCE_S).is_success
        except httpx.TransportError:
            return False


@contextlib.contextmanager
def running(folder: Path | None = None, *, reference_checks: bool = True) -> Iterator[Server]:
    """Run a server on the data of the folder, if it has any.

    Raises `ServiceMissing` when Java or Maven is not installed, `ServiceFailed` when it is not built or does not start.
    """
    build()
    with place("hapi", folder) as home:
        server = Server(home, reference_checks)
        try:
            server.start()
            yield server
        finally:
            server.kill()


def build() -> None:
    """Build the server when it is not there or older than its sources; half a minute, and the downloads once."""
    if lacking := _lacking():
        raise ServiceMissing(f"HAPI needs {lacking} (scripts/apt-install)")
    built = subprocess.run([str(TOOL / "build")], check=False, capture_output=True, text=True)
    if built.returncode:
        raise ServiceFailed(f"the build of HAPI ended with code {built.returncode}: {built.stderr[-2000:]}")


def missing() -> str:
    """Say what keeps it from running at once; empty when it is built."""
    if lacking := _lacking():
        return f"HAPI needs {lacking}, not found here (scripts/apt-install)"
    is_built = subprocess.run([str(TOOL / "build"), "--is-done"], check=False).returncode == 0
    return "" if is_built else "HAPI is not built yet (make services)"


def _lacking() -> str:
    return " and ".join(tool for tool in NEEDED if shutil.which(tool) is None)
