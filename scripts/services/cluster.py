"""What makes a folder a PostgreSQL cluster: Debian's programs, the user that may run them, `initdb`, a base backup.

In: folders. Out: clusters that `postgres.py` starts. Refuses to know: processes that stay.

`initdb` and `postgres` refuse to run as root; then they run as the user `postgres`, or `nobody`, which has to be able
to reach the folder.
"""

from __future__ import annotations

import os
import pwd
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from scripts.services.process import LOOPBACK, ServiceFailed, ServiceMissing

ADMINISTRATOR: Final = "postgres"
"""The role that may do everything, of the same name as in the container image."""
INITDB: Final = ("--encoding=UTF8", "--locale=C.UTF-8", "--data-checksums", "--auth=scram-sha-256")
"""Text is compared by its bytes, as in SQLite; a page the disk changed is told; nobody gets in without a password."""
SHIPPED: Final = Path(__file__).parents[2] / "deploy" / "postgres" / "10-databases.sql"
SECRETS: Final = ("ledger_password", "record_password")
"""Files in the server's folder, as they are called in production."""
INSIDE: Final = "/run/secrets"
"""Where the container has them."""
_DEBIAN: Final = Path("/usr/lib/postgresql")
_USERS: Final = ("postgres", "nobody")
_OTHERS_MAY_PASS: Final = 0o001
_PATIENCE_S: Final = 120.0


def program(name: str) -> str:
    """Path of one of PostgreSQL's programs: Debian keeps them beside each other, off the PATH, by version.

    Raises `ServiceMissing`, saying where it was looked for.
    """
    versions = sorted(_DEBIAN.glob("*/bin/postgres"), key=lambda path: float(path.parent.parent.name))
    found = versions[-1] if versions else shutil.which("postgres")
    if found is None or not (path := Path(found).resolve().with_name(name)).exists():
        raise ServiceMissing(
            f"no PostgreSQL: {name} is neither in {_DEBIAN}/*/bin nor on the PATH (scripts/apt-install)"
        )
    return str(path)


def user() -> pwd.struct_passwd | None:
    """Whom PostgreSQL runs as, when this process is root."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    return next((names[name] for name in _USERS if name in names), None)


def is_made(home: Path) -> bool:
    """Whether a cluster is in `home/data`: `initdb` writes this file and removes it again when it fails."""
    return (home / "data" / "PG_VERSION").exists()


def make(home: Path, password: str) -> None:
    """Make an empty cluster in `home/data`, of an `ADMINISTRATOR` with this password."""
    _make_data(home)
    with tempfile.NamedTemporaryFile("w", dir=home, prefix="initdb-") as secret:
        secret.write(password)
        secret.flush()
        _give(Path(secret.name))
        _run("initdb", [*INITDB, "-U", ADMINISTRATOR, f"--pwfile={secret.name}", "-D", str(home / "data")], user())


def copy(home: Path, primary: str, password: str, slot: str) -> None:
    """Make a standby of a running primary (its connection string) in `home/data`, with a slot of its own there."""
    _make_data(home)
    options = ["--write-recovery-conf", "--wal-method=stream", "--checkpoint=fast", "--create-slot", f"--slot={slot}"]
    _run("pg_basebackup", ["-d", primary, "-D", str(home / "data"), *options], user(), PGPASSWORD=password)


def lay_out(home: Path, port: int, password: str) -> None:
    """Make the roles and databases of production, by the very file that makes them there."""
    text = SHIPPED.read_text("utf-8")
    for secret in SECRETS:
        inside, here = f"`cat {INSIDE}/{secret}`", f"`cat {shlex.quote(str(home / secret))}`"
        if inside not in text:
            raise ValueError(f"{SHIPPED.name} has no longer: {inside}")
        text = text.replace(inside, here)
    options = [
        "-h",
        LOOPBACK,
        "-p",
        str(port),
        "-U",
        ADMINISTRATOR,
        "-d",
        "postgres",
        "-X",
        "-q",
        "-v",
        "ON_ERROR_STOP=1",
    ]
    _run("psql", options, None, text, PGPASSWORD=password)


def _make_data(home: Path) -> None:
    """Make `home` (others may pass through it, not look into it) and the empty `home/data` of PostgreSQL's user."""
    home.mkdir(parents=True, exist_ok=True)
    if (other := user()) is not None:
        home.chmod(home.stat().st_mode | _OTHERS_MAY_PASS)
        closed = [folder for folder in home.resolve().parents if not folder.stat().st_mode & _OTHERS_MAY_PASS]
        if closed:
            raise ServiceFailed(
                f"PostgreSQL runs as {other.pw_name}, which may not pass through {closed[0]}: leave the folder out,"
                " or name one in a place that is open"
            )
    (home / "data").mkdir(mode=0o700, exist_ok=True)
    _give(home / "data")


def _give(path: Path) -> None:
    if (other := user()) is not None:
        os.chown(path, other.pw_uid, other.pw_gid)


def _run(
    name: str,
    arguments: Sequence[str],
    other: pwd.struct_passwd | None,
    words: str = "",
    **environment: str,
) -> None:
    done = subprocess.run(
        [program(name), *arguments],
        check=False,
        input=words,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_PATIENCE_S,
        cwd="/",
        env={"PATH": os.environ["PATH"], "LC_ALL": "C", **environment},
        user=other and other.pw_uid,
        group=other and other.pw_gid,
        extra_groups=[] if other else None,
    )
    if done.returncode:
        raise ServiceFailed(f"{name} ended with code {done.returncode}: {done.stdout[-2000:]}")
