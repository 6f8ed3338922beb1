"""InfluxDB 2 on this machine: the server of tools/influxd, built once, with an organisation, a bucket and a token.

In: nothing, or a folder. Out: a `Server` on a free port that can be killed, started again, and asked for empty buckets.
Refuses to know: what is kept in it.
"""

from __future__ import annotations

import contextlib
import itertools
import secrets
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx

from scripts.services.process import LOOPBACK, Life, Process, Service, ServiceFailed, ServiceMissing, place

TOOL: Final = Path(__file__).parents[2] / "tools" / "influxd" / "build"
USER: Final = "constantes"
ORG: Final = "constantes"
BUCKET: Final = "constantes"
_CREATED: Final = 201
_PASSWORD_BYTES: Final = 18


@dataclass
class Server(Service):
    """A server and its folder."""

    token: str
    org: str = ORG
    bucket: str = BUCKET
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def token_file(self) -> Path:
        """A file of this process's user with the token and nothing else."""
        return self.folder / "token"

    @property
    def environment(self) -> dict[str, str]:
        """The project's settings that lead here."""
        return {
            "CONSTANTES_SERIES__URL": self.url,
            "CONSTANTES_SERIES__ORG": self.org,
            "CONSTANTES_SERIES__BUCKET": self.bucket,
            "CONSTANTES_SERIES__TOKEN_FILE": str(self.token_file),
        }

    def fresh_bucket(self, retention_s: int = 0) -> str:
        """Make an empty bucket that forgets after so many seconds (0: never) and return its name."""
        name = f"{self.bucket}-{next(self._numbers)}-{secrets.token_hex(3)}"
        make_bucket(self.url, self.token, self.org, name, retention_s)
        return name

    def set_up(self) -> None:
        """Make the first organisation, bucket and token."""
        self.token_file.touch(0o600)
        self.token_file.write_text(self.token, "utf-8")
        password = secrets.token_urlsafe(_PASSWORD_BYTES)
        who = {"username": USER, "password": password, "org": self.org, "bucket": self.bucket, "token": self.token}
        _post(f"{self.url}/api/v2/setup", who, {})

    def _made(self) -> Life:
        options = {
            "http-bind-address": f"{LOOPBACK}:{self.port}",
            "bolt-path": self.folder / "influxd.bolt",
            "engine-path": self.folder / "engine",
            "sqlite-path": self.folder / "influxd.sqlite",
            "log-level": "error",
        }
        command = [program(), *(f"--{name}={value}" for name, value in options.items()), "--reporting-disabled"]
        return Process("InfluxDB", command, self._answers, self.folder / "log")

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/health", timeout=5).is_success
        except httpx.TransportError:
            return False


@contextlib.contextmanager
def running(folder: Path | None = None) -> Iterator[Server]:
    """Run a server: made anew in a new folder, started again in one that it was made in.

    Raises `ServiceMissing` when it is not built and cannot be, `ServiceFailed` when it does not start.
    """
    program()
    with place("influxdb", folder) as home:
        kept = home / "token"
        is_new = not kept.exists()
        server = Server(home, secrets.token_urlsafe(32) if is_new else kept.read_text("utf-8"))
        try:
            server.start()
            if is_new:
                server.set_up()
            yield server
        finally:
            server.kill()


def make_bucket(url: str, token: str, org: str, name: str, retention_s: int = 0) -> None:
    """Make an empty bucket on any InfluxDB 2."""
    headers = {"Authorization": f"Token {token}"}
    found = httpx.get(f"{url}/api/v2/orgs", params={"org": org}, headers=headers).raise_for_status().json()
    rules = [{"type": "expire", "everySeconds": retention_s}] if retention_s else []
    bucket = {"orgID": found["orgs"][0]["id"], "name": name, "retentionRules": rules}
    _post(f"{url}/api/v2/buckets", bucket, headers)


def program() -> str:
    """Path of the server, built now if it was not: 5 to 8 minutes on two cores, once.

    Raises `ServiceMissing` when a tool of the build is not here, `ServiceFailed` when the build fails.
    """
    if missing() and (lacking := _told("--lacking")):
        raise ServiceMissing(f"InfluxDB is not built yet, and its build needs {' and '.join(lacking)}")
    built = subprocess.run([str(TOOL)], check=False, capture_output=True, text=True)
    if built.returncode:
        raise ServiceFailed(f"the build of InfluxDB ended with code {built.returncode}: {built.stderr[-2000:]}")
    return built.stdout.strip()


def missing() -> str:
    """Say what keeps it from running at once; empty when it is built."""
    if Path(_told("--path")[0]).exists():
        return ""
    lacking = " and ".join(_told("--lacking"))
    return f"InfluxDB is not built yet ({f'that needs {lacking}, not found here' if lacking else 'make services'})"


def _told(option: str) -> list[str]:
    return subprocess.run([str(TOOL), option], check=True, capture_output=True, text=True).stdout.split()


def _post(address: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> None:
    answer = httpx.post(address, json=body, headers=headers, timeout=30)
    if answer.status_code != _CREATED:
        raise ServiceFailed(f"InfluxDB answered {answer.status_code} at {address}")
