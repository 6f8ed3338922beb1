"""The project's own two accounts on a broker: the gateway's, and the steward's of the embedded one.

In: the broker's folder. Out: names and secrets, made once and kept there in files of mode 0600.
Refuses to know: who connects with them.

Their hashes are kept too: a broker cuts the connections of an account whose hash changed, and every hash is
salted. The gateway's client id is random and secret, because nats-server lets any account take over any
client id, and a clean connection under the gateway's would delete what waits for it.
"""

import json
import secrets
from dataclasses import asdict, dataclass, field
from pathlib import Path

from gateway.broker.accounts import STEWARD, BrokerUser, hash_for, new_secret
from gateway.broker.private_files import create_private


@dataclass(frozen=True, slots=True)
class GatewayCredentials:
    """How the gateway connects. A broker with `use_username_as_clientid` takes the name for the client id."""

    username: str
    secret: str = field(repr=False)
    client_id: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class OwnAccount:
    """An account of the project itself, as it lies in its file."""

    username: str
    secret: str = field(repr=False)
    client_id: str = field(repr=False)
    secret_hash: str = field(repr=False)

    def user(self) -> BrokerUser:
        """Return what the broker needs to know of it."""
        return BrokerUser(self.username, self.secret_hash, "gateway")


def gateway_credentials(folder: Path) -> GatewayCredentials:
    """Return the name, the secret and the client id of the gateway; make them at the first call."""
    own = gateway_account(folder)
    return GatewayCredentials(own.username, own.secret, own.client_id)


def gateway_account(folder: Path) -> OwnAccount:
    """Return the gateway's account; the random name matters where the broker makes it the client id."""
    return _kept(folder / "gateway.json", f"gateway-{secrets.token_hex(4)}")


def steward_account(folder: Path) -> OwnAccount:
    """Return the account by which the supervisor looks after the embedded broker's store."""
    return _kept(folder / "steward.json", STEWARD)


def _kept(path: Path, name: str) -> OwnAccount:
    secret = new_secret()
    # A client id of nats-server has no dot; 16 random bytes cannot be guessed.
    made = OwnAccount(name, secret, f"gateway-{secrets.token_hex(16)}", hash_for(secret))
    return OwnAccount(**json.loads(create_private(path, json.dumps(asdict(made)))))
