"""The nats-server configuration as a pure function: accounts, ports and limits in, text out.

In: `Endpoints`, `Limits`, `Doors`. Out: a JSON document. nats-server reads it as its own format, which knows no
escapes of letters: what is not ASCII, as in a folder's name, stands as it is. Refuses to know: files, processes, time.

Users stand at the top level: a changed authorisation block inside `mqtt {}` makes a reload fail. Two accounts
belong to the broker's own care: the *steward*, the only one that may use the second, random port (JetStream
API), and the *witness*, which may do nothing at all and has a new secret at each reload, so that its being
let in proves the reload.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from gateway.broker.accounts import BCRYPT, STEWARD, WITNESS, BrokerUser, checked, hash_of_kind

Json: TypeAlias = "str | int | bool | Sequence[Json] | Mapping[str, Json]"

LOOPBACK = "127.0.0.1"
ACK_WAIT_S = 10  # unacked messages come back after this long, not at reconnect: 28.6 s at the default of 30
WINDOW = 4096  # unacked messages at a time; at least the gateway's commit batch of 1,000, at most 32,767

CANARY = "$MQTT.msgs._steward"  # where the steward asks whether the store still takes messages; kept for nobody

_UP, _DOWN = "constantes.v1.up", "constantes.v1.down"


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where the broker lives: its folder, and the port for MQTT on the loopback interface."""

    folder: Path
    mqtt_port: int


@dataclass(frozen=True, slots=True)
class Limits:
    """How much the broker may take; sizes in bytes.

    `messages` and `retained` are the parts of `store` that publishers can fill; what is left is for sessions,
    so that the gateway can still connect, and drain, when publishers have filled theirs.
    """

    store: int = 4 * 1024**3
    connections: int = 4096
    payload: int = 8 * 1024**2
    log: int = 4 * 1024**2
    log_files: int = 3

    @property
    def messages(self) -> int:
        """Bytes that waiting messages may fill."""
        return self.store * 3 // 4

    @property
    def retained(self) -> int:
        """Bytes that retained messages, which nothing here uses, may fill."""
        return self.store // 16


@dataclass(frozen=True, slots=True)
class Doors:
    """Who may connect: `users` by MQTT; the hashes (as of `hash_for`) are those of the broker's own care."""

    users: Sequence[BrokerUser]
    steward_hash: str
    witness_hash: str


def render(at: Endpoints, limits: Limits, doors: Doors) -> str:
    """Return the whole configuration; `ValueError` when an account has no bcrypt hash or an unfit name."""
    folder = at.folder
    document: dict[str, Json] = {
        "server_name": "constantes",
        "listen": f"{LOOPBACK}:-1",
        "ports_file_dir": str(folder),
        "pid_file": str(folder / "broker.pid"),
        "log_file": str(folder / "broker.log"),
        "logfile_size_limit": limits.log,
        "logfile_max_num": limits.log_files,
        "max_payload": limits.payload,
        "max_connections": limits.connections,
        "jetstream": {
            "store_dir": str(folder / "store"),
            "max_memory_store": 16 * 1024**2,
            "max_file_store": limits.store,
            "sync_interval": "1s",
        },
        "mqtt": {
            "listen": f"{LOOPBACK}:{at.mqtt_port}",
            "ack_wait": f"{ACK_WAIT_S}s",
            "max_ack_pending": WINDOW,
            "reject_qos2_publish": True,  # a release deletes the stored message before it is delivered
        },
        "authorization": _authorization(doors),
    }
    return _text(document)


def with_doors(configuration: str, doors: Doors) -> str:
    """Return `configuration`, as `render` made it, with other accounts and nothing else changed."""
    return _text(json.loads(configuration) | {"authorization": _authorization(doors)})


def mqtt_address(configuration: str) -> tuple[str, int]:
    """Return the host and the port that `configuration`, as `render` made it, listens on for MQTT."""
    host, _, port = json.loads(configuration)["mqtt"]["listen"].rpartition(":")
    return host, int(port)


def _text(document: Mapping[str, Json]) -> str:
    return json.dumps(document, indent=1, ensure_ascii=False)


def _authorization(doors: Doors) -> Json:
    tends: Json = {"publish": ["$JS.API.>", CANARY], "subscribe": ["_INBOX.>"]}
    does_nothing: Json = {"publish": {"deny": [">"]}, "subscribe": {"deny": [">"]}}
    own = (
        _own(STEWARD, doors.steward_hash, "STANDARD", tends),
        _own(WITNESS, doors.witness_hash, "MQTT", does_nothing),
    )
    return {"users": [*own, *map(_account, checked(doors.users))]}


def _account(user: BrokerUser) -> Json:
    if user.role == "gateway":
        publish, subscribe = [f"{_DOWN}.>"], [f"{_UP}.>", _UP]
    else:
        publish, subscribe = [f"{_UP}.{user.name}.>"], [f"{_DOWN}.{user.name}"]
    return {
        "user": user.name,
        "password": hash_of_kind(user, BCRYPT),
        "permissions": {"publish": publish, "subscribe": subscribe},
        "allowed_connection_types": ["MQTT"],
    }


def _own(name: str, secret_hash: str, connection: str, permissions: Json) -> Json:
    return {
        "user": name,
        "password": hash_of_kind(BrokerUser(name, secret_hash, "gateway"), BCRYPT),
        "permissions": permissions,
        "allowed_connection_types": [connection],
    }
