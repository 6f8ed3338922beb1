"""The gate of a Mosquitto that somebody else runs: writes its accounts and rights, and has it read them.

In: all accounts that shall be let in, a folder, a reload command. Out: `passwords` and `acl` in the folder,
which deploy/mosquitto/constantes.conf includes, and a Mosquitto that was seen to follow. Refuses to know: how
it is started, its other settings.
"""

import ssl
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gateway.broker.accounts import (
    PBKDF2,
    WITNESS,
    BrokerUser,
    checked,
    hash_for,
    hash_of_kind,
    new_secret,
)
from gateway.broker.credentials import gateway_account
from gateway.broker.faults import ListNotWritten, ReloadNotSeen
from gateway.broker.knock import knock_until
from gateway.broker.private_files import folder_lock, write_private

PASSWORDS, ACL = "passwords", "acl"

_COMMAND_S = 15.0
_RELOAD_S = 10.0
_LOCK_S = 40.0  # longer than another caller's command and knocks
_DEVICE_RIGHTS = (
    "pattern write constantes/v1/up/%u/#",
    "pattern read constantes/v1/down/%u",
)
_GATEWAY_RIGHTS = (
    "topic read constantes/v1/up/#",
    "topic write constantes/v1/down/#",
)


@dataclass(frozen=True, slots=True)
class Reload:
    """How Mosquitto comes to read its files again, and how that is seen.

    `command` makes it, for instance ("systemctl", "reload", "mosquitto"). `by_itself`: whoever runs it looks at the
    files, as deploy/mosquitto/start does, and no command is needed. With neither, the files are only written.
    `address` is where Mosquitto can be asked safely, on this machine or over `tls`: with it the reload is proven by a
    witness account whose secret is new each time; without it the command's exit code has to do.
    """

    command: Sequence[str] = ()
    by_itself: bool = False
    address: tuple[str, int] | None = None
    tls: ssl.SSLContext | None = None


class MosquittoGate:
    """A `DeviceGate` for a Mosquitto; usable from any process that may write `folder`."""

    def __init__(self, folder: Path, reload: Reload | Sequence[str], address: tuple[str, int] | None = None) -> None:
        """`reload` may be the command alone; `address` then is where Mosquitto listens without TLS on this machine."""
        self._folder = folder.resolve()
        self._how = reload if isinstance(reload, Reload) else Reload(reload, address=address)

    def admit(self, users: Sequence[BrokerUser]) -> None:
        """See `DeviceGate.admit`. The gateway's own account is let in always and need not be listed.

        `admit(())` shuts every device out: for the time before the gateway's first subscription.
        """
        secret = new_secret()
        witness = BrokerUser(WITNESS, hash_for(secret), "gateway")
        try:
            with folder_lock(self._folder, _LOCK_S):
                everybody = checked([gateway_account(self._folder).user(), *users])
                write_private(self._folder / PASSWORDS, passwords([*everybody, witness]))
                write_private(self._folder / ACL, rights(everybody))
                self._reload(secret)
        except TimeoutError:
            raise _not_seen("Another process is telling Mosquitto of other accounts.") from None
        except OSError as failed:  # a full disk
            raise ListNotWritten(failed) from failed

    def _reload(self, witness_secret: str) -> None:
        how = self._how
        if how.command:
            _command(how.command)
        elif not how.by_itself:
            return
        if how.address and not knock_until(how.address, WITNESS, witness_secret, _RELOAD_S, tls=how.tls):
            raise _not_seen(f"Mosquitto did not use the new accounts within {_RELOAD_S:.0f} s.")


def _command(words: Sequence[str]) -> None:
    """Run the reload command; raises ReloadNotSeen."""
    try:
        done = subprocess.run(words, capture_output=True, timeout=_COMMAND_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as failed:
        raise _not_seen(f"The reload command failed: {type(failed).__name__}.") from failed
    if done.returncode != 0:
        raise _not_seen(f"The reload command ended with code {done.returncode}.")


def passwords(users: Sequence[BrokerUser]) -> str:
    """Return Mosquitto's `password_file`; `ValueError` when an account has no hash that Mosquitto reads."""
    return "".join(f"{user.name}:{hash_of_kind(user, PBKDF2)}\n" for user in users)


def rights(users: Sequence[BrokerUser]) -> str:
    """Return Mosquitto's `acl_file`: two patterns for all devices, two lines for each gateway."""
    lines = list(_DEVICE_RIGHTS)
    for user in users:
        if user.role == "gateway":
            lines += ["", f"user {user.name}", *_GATEWAY_RIGHTS]
    return "\n".join([*lines, ""])


def _not_seen(what: str) -> ReloadNotSeen:
    return ReloadNotSeen(
        what,
        "The new list is on disk and holds at Mosquitto's next start; devices already let in go on.",
        "Reload Mosquitto by hand, look at its log, and repeat the command.",
    )
