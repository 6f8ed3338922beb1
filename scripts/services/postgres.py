"""PostgreSQL on this machine, made for the moment, with a synchronous standby when asked for one.

In: nothing, or a folder. Out: a `Server` on a free port with the durability settings of production, that can be
killed, started again, followed by a standby and replaced by it. Refuses to know: what is kept in it.
"""

from __future__ import annotations

import contextlib
import itertools
import secrets
import signal
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, LiteralString

import psycopg
from psycopg import sql

from scripts.services import cluster
from scripts.services.process import LOOPBACK, PATIENCE_S, Life, Process, Service, ServiceMissing, place, until

ROLE: Final = "constantes"
"""The ledger's: it owns its databases and has no other right, as in production."""
DATABASE: Final = "constantes"
SETTINGS: Final = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "timezone": "UTC",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
}
"""A commit is on the disk when it returns, here as in production: a quicker test would prove nothing. And the log names
no patient."""

ADMIN: Final = "postgres_password"
"""The file of the administrator's password, in the server's folder as in production."""


@dataclass
class Server(Service):
    """A server and its folder; a standby is one too, with the primary's accounts and passwords."""

    name: str = "primary"
    _standbys: list[Server] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    @property
    def password_file(self) -> Path:
        """A file of this process's user alone with the ledger's password and nothing else."""
        return self.folder / "ledger_password"

    @property
    def password(self) -> str:
        """The ledger's."""
        return self.password_file.read_text("utf-8")

    @property
    def url(self) -> str:
        """SQLAlchemy's URL of the first database, without the password."""
        return self.url_of(DATABASE)

    @property
    def environment(self) -> dict[str, str]:
        """The project's settings that lead here."""
        return {"CONSTANTES_LEDGER__URL": self.url, "CONSTANTES_LEDGER__PASSWORD_FILE": str(self.password_file)}

    def url_of(self, database: str) -> str:
        """SQLAlchemy's URL of a database, without the password."""
        return f"postgresql+psycopg://{ROLE}@{LOOPBACK}:{self.port}/{database}"

    def database(self) -> str:
        """Make an empty database and return its URL."""
        name = f"{DATABASE}_{next(self._numbers)}_{secrets.token_hex(3)}"
        self.execute("CREATE DATABASE {} OWNER {}", sql.Identifier(name), sql.Identifier(ROLE))
        return self.url_of(name)

    def execute(self, statement: LiteralString, *parts: sql.Composable) -> list[tuple[object, ...]]:
        """Run one statement on the database `postgres` as the administrator, outside a transaction; return its rows."""
        with self._connect() as connection:
            cursor = connection.execute(sql.SQL(statement).format(*parts))
            return cursor.fetchall() if cursor.description else []

    def standby(self, folder: Path | None = None) -> Server:
        """Start a streaming standby; from its return on, each commit here waits for the standby's disk.

        Its folder lies in this server's unless one is named; it ends with this server's block.
        """
        name = f"standby{len(self._standbys) + 1}"
        home = folder or self.folder / name
        primary = f"host={LOOPBACK} port={self.port} user={cluster.ADMINISTRATOR} application_name={name}"
        cluster.copy(home, primary, self._secret(ADMIN), name)
        for secret in (ADMIN, *cluster.SECRETS):
            _write(home / secret, self._secret(secret))
        standby = Server(home, name)
        self._standbys.append(standby)
        standby.start()
        self.wait_for(f"FIRST 1 ({name})")
        until(lambda: self._is_synchronous(name), f"{name} is the synchronous standby")
        return standby

    def wait_for(self, standbys: str) -> None:
        """Set `synchronous_standby_names`: whose disk a commit waits for; empty for nobody's."""
        self.execute("ALTER SYSTEM SET synchronous_standby_names = {}", sql.Literal(standbys))
        self.execute("SELECT pg_reload_conf()")

    def promote(self) -> None:
        """Make this standby a primary that waits for no other; return when it takes writes."""
        self.execute("SELECT pg_promote(true, {})", sql.Literal(int(PATIENCE_S)))
        self.wait_for("")

    def close(self) -> None:
        """End it and its standbys at once."""
        for server in (*self._standbys, self):
            server.kill(signal.SIGQUIT)

    def _made(self) -> Life:
        settings = [f"--{name}={value}" for name, value in {**SETTINGS, "port": self.port}.items()]
        command = [cluster.program("postgres"), "-D", str(self.folder / "data"), *settings]
        other = cluster.user()
        user = f"{other.pw_uid}:{other.pw_gid}" if other else "-"
        # SIGINT: in good order without waiting for clients to leave ("fast")
        return Process(
            f"PostgreSQL ({self.name})",
            command,
            self._answers,
            self.folder / "log",
            user=user,
            stops_with=signal.SIGINT,
        )

    def _secret(self, name: str) -> str:
        return (self.folder / name).read_text("utf-8")

    def _is_synchronous(self, name: str) -> bool:
        state = "SELECT 1 FROM pg_stat_replication WHERE application_name = {} AND sync_state = 'sync'"
        return bool(self.execute(state, sql.Literal(name)))

    def _answers(self) -> bool:
        try:
            self._connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def _connect(self) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(
            host=LOOPBACK,
            port=self.port,
            user=cluster.ADMINISTRATOR,
            dbname="postgres",
            password=self._secret(ADMIN),
            autocommit=True,
            connect_timeout=5,
        )


@contextlib.contextmanager
def running(folder: Path | None = None) -> Iterator[Server]:
    """Run a server: made anew in a new folder, started again in one that it was made in.

    Raises `ServiceMissing` when PostgreSQL is not installed, `ServiceFailed` when it does not start.
    """
    cluster.program("postgres")
    with place("postgres", folder) as home:
        is_new = not cluster.is_made(home)
        if is_new:
            write_secrets(home)
            cluster.make(home, (home / ADMIN).read_text("utf-8"))
        server = Server(home)
        try:
            server.start()
            if is_new:
                cluster.lay_out(home, server.port, (home / ADMIN).read_text("utf-8"))
            yield server
        finally:
            server.close()


def missing() -> str:
    """Say what this machine lacks; empty when it has all."""
    try:
        cluster.program("postgres")
    except ServiceMissing as words:
        return str(words)
    return ""


def write_secrets(home: Path) -> None:
    """Make the passwords that a new server needs."""
    for secret in (ADMIN, *cluster.SECRETS):
        _write(home / secret, secrets.token_urlsafe(18))


def _write(path: Path, secret: str) -> None:
    path.touch(0o600)
    path.write_text(secret, "utf-8")
