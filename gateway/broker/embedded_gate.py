"""The gate of the embedded broker: writes its accounts, makes it read them, and sees that it did.

In: all accounts that shall be let in. Out: a running broker that lets in these and nobody else, or, while
none runs, files that hold at its next start. Refuses to know: how the broker is started, who is asking (any
process may).

Devices are let in only once the gateway has subscribed in the present store: what they published before would
be acknowledged and kept for nobody. Until then the list waits in its file, and the gateway's first call after
its subscription lets them in.
"""

import json
import os
import signal
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from gateway.broker.accounts import BCRYPT, WITNESS, BrokerUser, checked, hash_for, hash_of_kind, new_secret
from gateway.broker.credentials import gateway_account, steward_account
from gateway.broker.faults import ListNotWritten, ReloadNotSeen
from gateway.broker.knock import knock_until
from gateway.broker.nats_config import Doors, mqtt_address, with_doors
from gateway.broker.nats_process import CONFIGURATION, running_broker
from gateway.broker.nats_store import has_subscription
from gateway.broker.private_files import folder_lock, write_private

STORE = "store"

_ACCOUNTS = "accounts.json"
_RELOAD_S = 10.0  # 2 to 13 ms with few users, 75 ms with 2,000; the rest is for a machine that is busy
_LOCK_S = 40.0  # a starting broker holds the lock until it answers


class EmbeddedGate:
    """A `DeviceGate` for the broker of `folder`, usable from any process of the same user."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()

    def admit(self, users: Sequence[BrokerUser]) -> None:
        """See `DeviceGate.admit`. The gateway's own account is let in always and need not be listed."""
        kept = checked(users)
        for user in kept:
            hash_of_kind(user, BCRYPT)
        try:
            with folder_lock(self._folder, _LOCK_S):
                write_private(self._folder / _ACCOUNTS, json.dumps([asdict(user) for user in kept]))
                if pid := running_broker(self._folder):
                    self._reload(pid)
        except TimeoutError:
            raise _not_seen("is being started or told of other accounts") from None
        except OSError as failed:  # a full disk
            raise ListNotWritten(failed) from failed

    def _reload(self, pid: int) -> None:
        path = self._folder / CONFIGURATION
        admitted, witness_secret = doors(self._folder)
        configuration = with_doors(path.read_text("utf-8"), admitted)
        write_private(path, configuration)
        try:
            os.kill(pid, signal.SIGHUP)
        except ProcessLookupError:
            return  # it ended meanwhile; the files hold at its next start
        if not knock_until(mqtt_address(configuration), WITNESS, witness_secret, _RELOAD_S):
            raise _not_seen(f"did not use them within {_RELOAD_S:.0f} s")


def doors(folder: Path) -> tuple[Doors, str]:
    """Return who may connect now, by what lies in `folder`, and the secret of the new witness."""
    gateway = gateway_account(folder)
    is_safe = has_subscription(folder / STORE, gateway.client_id)
    admitted = [user for user in _listed(folder) if is_safe or user.role == "gateway"]
    secret = new_secret()
    steward_hash = steward_account(folder).secret_hash
    return Doors([gateway.user(), *admitted], steward_hash, hash_for(secret)), secret


def _listed(folder: Path) -> list[BrokerUser]:
    try:
        return [BrokerUser(**entry) for entry in json.loads((folder / _ACCOUNTS).read_text("utf-8"))]
    except FileNotFoundError:
        return []


def _not_seen(how: str) -> ReloadNotSeen:
    return ReloadNotSeen(
        f"The new accounts were written, but the embedded broker {how}.",
        "The readings of devices already let in go on; the new list holds at the broker's next start.",
        "Repeat the command; if it fails again, look at broker.log in the data folder and start again.",
    )
