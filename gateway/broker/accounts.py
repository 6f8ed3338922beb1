"""Accounts of the broker: who may connect, and how a secret is kept.

In: names and secrets. Out: frozen `BrokerUser` values that carry hashes only.
Refuses to know: configuration files, the registry, where a secret is written down.

A device's secret is made once and shown once; afterwards only hashes of it exist. Each broker reads one kind
of hash (nats-server bcrypt, Mosquitto its own PBKDF2), so `hash_for` makes both, one after the other on one
line: a site may change its broker without visiting every device. Secrets are 24 random bytes, so slow hashing
protects nothing and would only make each connection slow: the cheapest parameters are used on purpose.
"""

import base64
import hashlib
import os
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

BCRYPT = "$2a$"  # the spelling of bcrypt's version that every nats-server release recognises
PBKDF2 = "$7$"  # Mosquitto 1.6 and later: PBKDF2 with SHA-512

STEWARD, WITNESS = "_steward", "_witness"  # the broker's own care; no device id begins with an underscore

_BCRYPT_COST = 4  # bcrypt's least, and the least that nats-server's library accepts
_PBKDF2_ROUNDS = 101  # what mosquitto_passwd uses when it is not told otherwise
_PBKDF2_SALT_BYTES = 12  # likewise
_SECRET_BYTES = 24
_DEVICE = re.compile(r"[a-z0-9][a-z0-9_-]{2,62}")  # C-CON-2
_OTHER = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class BrokerUser:
    """One account: `secret_hash` is what `hash_for` returned for its secret."""

    name: str
    secret_hash: str
    role: Literal["gateway", "device"]


def new_secret() -> str:
    """Return a fresh secret: 24 random bytes as 32 URL-safe characters."""
    return secrets.token_urlsafe(_SECRET_BYTES)


def hash_for(secret: str) -> str:
    """Return the hashes of `secret` that brokers read, separated by one space: bcrypt, then PBKDF2."""
    return f"{_bcrypt(secret)} {_pbkdf2(secret)}"


def hash_of_kind(user: BrokerUser, kind: str) -> str:
    """Return the one hash of `user` that begins with `kind` (`BCRYPT` or `PBKDF2`).

    Raises `ValueError` naming the user when there is none.
    """
    for candidate in user.secret_hash.split(" "):
        if candidate.startswith(kind):
            return candidate
    raise ValueError(f"the account {user.name} has no secret in the form {kind} that this broker reads")


def checked(users: Iterable[BrokerUser]) -> tuple[BrokerUser, ...]:
    """Return `users` as a tuple; raise `ValueError` for a name twice or one that could widen a permission."""
    kept = tuple(users)
    for user in kept:
        if not (_DEVICE if user.role == "device" else _OTHER).fullmatch(user.name):
            raise ValueError(f"an account of role {user.role} cannot be named {user.name!r}")
    if len({user.name for user in kept}) != len(kept):
        raise ValueError("two accounts of the broker have one name")
    return kept


def _bcrypt(secret: str) -> str:
    import bcrypt

    return bcrypt.hashpw(secret.encode(), bcrypt.gensalt(_BCRYPT_COST, prefix=b"2a")).decode()


def _pbkdf2(secret: str) -> str:
    salt = os.urandom(_PBKDF2_SALT_BYTES)
    digest = hashlib.pbkdf2_hmac("sha512", secret.encode(), salt, _PBKDF2_ROUNDS)
    encoded = (base64.b64encode(part).decode() for part in (salt, digest))
    return f"{PBKDF2}{_PBKDF2_ROUNDS}${'$'.join(encoded)}"
