"""The gate of a Mosquitto that somebody else runs: writes its accounts and rights, and has it read them.

In: all accounts that shall be let in, a folder, a reload command. Out: `passwords` and `acl` in the folder,
which deploy/mosquitto/constantes.conf includes, and a Mosquitto that was seen to follow. Refuses to know: how
it is started, its other settings.
"""

import subprocess
from collections.abc import Sequence
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


class MosquittoGate:
    """A `DeviceGate` for a Mosquitto; usable from any process that may write `folder`.

    `reload_command` makes Mosquitto read its files again, for instance ("systemctl", "reload", "mosquitto");
    an empty one only writes them. `address` is where Mosquitto listens without TLS on this machine: with it
    the reload is proven by a witness account whose secret is new each time; without it the command's exit
    code has to do.
    """

    def __init__(self, folder: Path, reload_command: Sequence[str], address: tuple[str, int] | None = None) -> None:
        self._folder = folder.resolve()
        self._reload_command = list(reload_command)
        self._address = address

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
        if not self._reload_command:
            return
        try:
            done = subprocess.run(self._reload_command, capture_output=True, timeout=_COMMAND_S, check=False)
        except (OSError, subprocess.TimeoutExpired) as failed:
            raise _not_seen(f"The reload command failed: {type(failed).__name__}.") from failed
        if done.returncode != 0:
            raise _not_seen(f"The reload command ended with code {done.returncode}.")
        if self._address and not knock_until(self._address, WITNESS, witness_secret, _RELOAD_S):
            raise _not_seen(f"Mosquitto did not use the new accounts within {_RELOAD_S:.0f} s.")


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
