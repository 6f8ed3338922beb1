"""Two accounts at the broker that exist for the length of a look, with a topic of their own that nobody else reads.

Comes in: settings. Goes out: a ``Pair`` while the look lasts; afterwards the broker's accounts are what they were.
Refuses to know: what is tried with them. They are added to the list on disk as it stands, under the lock of its
writers, so that devices that are shut out stay out; whoever writes the list meanwhile removes them, and loses nothing.

The gateway's own account is never used: at a Mosquitto that makes the name the client id, a second connection takes
over its session, and a clean one deletes what waits in it.
"""

from __future__ import annotations

import json
import os
import secrets
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from app.doctor.place import Place
from app.settings import Settings
from gateway.broker.accounts import BCRYPT, PBKDF2, BrokerUser, hash_for, hash_of_kind, new_secret
from gateway.broker.knock import ACCEPTED, knock
from gateway.broker.mosquitto import ACL, PASSWORDS
from gateway.broker.nats_process import CONFIGURATION, running_broker
from gateway.broker.private_files import folder_lock, write_private
from gateway.topics import ROOT

PREFIX = "_doctor-"
"""No device's name begins with an underscore."""
_LOCK_S, _COMMAND_S, _SEEN_S, _PAUSE_S = 3.0, 5.0, 3.0, 0.05


class NoGuests(Exception):  # noqa: N818 - it names what was found, and is caught by that name
    """Accounts cannot be had; ``code`` is the finding that tells why."""

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(code)


@dataclass(frozen=True, slots=True)
class Login:
    """A name and a secret; both None at a broker that asks for none."""

    name: str | None = None
    secret: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Pair:
    """``writer`` may publish below ``topic``, ``reader`` may subscribe there, and neither may do more."""

    key: str
    reader: Login
    writer: Login

    @property
    def topic(self) -> str:
        """What both are about."""
        return f"{ROOT}/doctor/{self.key}"

    @property
    def has_accounts(self) -> bool:
        """Whether the broker tells them apart."""
        return self.reader.name is not None


def anonymous() -> Pair:
    """Two that need no account."""
    return Pair(secrets.token_hex(6), Login(), Login())


@contextmanager
def admitted(settings: Settings, place: Place) -> Iterator[Pair]:
    """Two accounts that the broker was seen to let in; raises NoGuests. They are gone with the block."""
    if not (settings.has_embedded_broker or settings.mqtt.reload_command.strip() or settings.mqtt.reloads_itself):
        raise NoGuests("broker.no_account")
    key = secrets.token_hex(6)
    reader, writer = (Login(f"{PREFIX}{key}-{end}", new_secret()) for end in "rw")
    pair = Pair(key, reader, writer)
    try:
        _change(settings, pair, add=True)
        _see(place, reader)
        yield pair
    finally:
        _change(settings, pair, add=False)


def _see(place: Place, login: Login) -> None:
    end = time.monotonic() + _SEEN_S
    while knock(place.address, login.name or "", login.secret or "", tls=place.tls) != ACCEPTED:
        if time.monotonic() > end:
            raise NoGuests("broker.reload_not_seen")
        time.sleep(_PAUSE_S)


def _change(settings: Settings, pair: Pair, *, add: bool) -> None:
    folder = settings.broker_folder.resolve()
    change = _embedded if settings.has_embedded_broker else _mosquitto
    try:
        with folder_lock(folder, _LOCK_S):
            change(folder, pair, add=add)
            if settings.mqtt.reload_command.strip():
                words = shlex.split(settings.mqtt.reload_command)
                subprocess.run(words, capture_output=True, timeout=_COMMAND_S, check=True)
    except (TimeoutError, subprocess.SubprocessError) as failed:
        raise NoGuests("broker.reload_not_seen") from failed
    except OSError as failed:
        raise NoGuests("broker.no_account") from failed


def _embedded(folder: Path, pair: Pair, *, add: bool) -> None:
    path = folder / CONFIGURATION
    document = json.loads(path.read_text("utf-8"))
    users = document["authorization"]["users"]
    kept = [user for user in users if not user["user"].startswith(f"{PREFIX}{pair.key}")]
    subject = pair.topic.replace("/", ".") + ".>"
    if add:
        kept += [_nats_user(pair.reader, "subscribe", subject), _nats_user(pair.writer, "publish", subject)]
    document["authorization"]["users"] = kept
    write_private(path, json.dumps(document, indent=1, ensure_ascii=False))
    if pid := running_broker(folder):
        os.kill(pid, signal.SIGHUP)


def _nats_user(login: Login, may: str, subject: str) -> dict[str, object]:
    other = "subscribe" if may == "publish" else "publish"
    return {
        "user": login.name,
        "password": _hash(login, BCRYPT),
        "permissions": {may: [subject], other: {"deny": [">"]}},
        "allowed_connection_types": ["MQTT"],
    }


def _mosquitto(folder: Path, pair: Pair, *, add: bool) -> None:
    passwords, rights = ((folder / name).read_text("utf-8") for name in (PASSWORDS, ACL))
    mark = f"{PREFIX}{pair.key}"
    passwords = "".join(line for line in passwords.splitlines(keepends=True) if not line.startswith(mark))
    rights = rights.partition(f"\n# {mark}")[0]
    if add:
        passwords += "".join(f"{one.name}:{_hash(one, PBKDF2)}\n" for one in (pair.reader, pair.writer))
        rights += f"\n# {mark}\nuser {pair.reader.name}\ntopic read {pair.topic}/#\n"
        rights += f"\nuser {pair.writer.name}\ntopic write {pair.topic}/#\n"
    write_private(folder / PASSWORDS, passwords)
    write_private(folder / ACL, rights)


def _hash(login: Login, kind: str) -> str:
    return hash_of_kind(BrokerUser(login.name or "", hash_for(login.secret or ""), "gateway"), kind)
