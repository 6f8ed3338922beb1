"""Care for the embedded broker's message store, through the JetStream API.

In: the API's address, the steward's secret, the limits, the gateway's client id. Out: streams that refuse new
messages when they are full, sessions that use the present window, and nothing kept for a gateway that no
longer exists. Refuses to know: MQTT, what the messages are.

Why it is needed: a full store refuses every CONNECT, the gateway's too, so nothing could ever drain it, and
the `mqtt` block cannot limit a stream. A session's window and `ack_wait` are frozen when the session is first
made. And a session whose client id is lost would hold every message for ever.

The requests are sent as they stand, not through nats-py's stream classes: those drop the fields that they do
not know.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from gateway.broker.accounts import STEWARD
from gateway.broker.faults import KEPT_BY_DEVICES, StoreRefused
from gateway.broker.nats_config import ACK_WAIT_S, CANARY, WINDOW, Limits
from gateway.broker.nats_store import MESSAGES, RETAINED, belongs_to

if TYPE_CHECKING:
    from nats.aio.client import Client

T = TypeVar("T")

_GATEWAYS = "$MQTT.msgs.constantes.v1.up"  # only a gateway's account may subscribe below it
_TIMEOUT_S = 5
_FROZEN = {"ack_wait": ACK_WAIT_S * 1_000_000_000, "max_ack_pending": WINDOW}


@dataclass(frozen=True, slots=True)
class Tended:
    """How many sessions were brought up to date, and how many of lost gateways were removed."""

    refreshed: int
    removed: int


def tend_store(port: int, secret: str, limits: Limits, gateway_client_id: str) -> Tended:
    """Set the limits and mend the sessions; `StoreRefused` when the API does not do it in time.

    Needs the streams, which nats-server makes at the first MQTT connection.
    """

    async def work(client: "Client") -> Tended:
        await _limit_streams(client, limits)
        return await _mend_sessions(client, gateway_client_id)

    return _ask_all(port, secret, work)


def store_is_stuck(port: int, secret: str) -> bool:
    """Say whether the store has stopped to take messages for good, after a write that failed (a full disk).

    nats-server then answers no publisher any more, even when the disk has room again, and hands out what it holds;
    a restart mends it. A store at its limit is not stuck: it takes messages again once the gateway has drained it.
    """

    async def work(client: "Client") -> bool:
        answer = json.loads((await client.request(CANARY, b"", timeout=_TIMEOUT_S)).data)
        return "error" not in answer and answer["seq"] == 0  # a message that was stored has a number from 1 up

    return _ask_all(port, secret, work)


async def _limit_streams(client: "Client", limits: Limits) -> None:
    for stream, most in ((MESSAGES, limits.messages), (RETAINED, limits.retained)):
        config = (await _ask(client, f"STREAM.INFO.{stream}", {}))["config"]
        wanted = config | {"max_bytes": most, "discard": "new"}
        if wanted != config:
            await _ask(client, f"STREAM.UPDATE.{stream}", wanted)


async def _mend_sessions(client: "Client", gateway_client_id: str) -> Tended:
    sessions = [config async for config in _sessions(client)]
    lost = [config for config in sessions if _is_of_lost_gateway(config, gateway_client_id)]
    for config in lost:
        await _ask(client, f"CONSUMER.DELETE.{MESSAGES}.{config['durable_name']}", {})
    outdated = [config for config in sessions if config not in lost and config | _FROZEN != config]
    for config in outdated:
        request = {"stream_name": MESSAGES, "config": config | _FROZEN, "action": "update"}
        await _ask(client, f"CONSUMER.DURABLE.CREATE.{MESSAGES}.{config['durable_name']}", request)
    return Tended(refreshed=len(outdated), removed=len(lost))


def _is_of_lost_gateway(config: dict[str, Any], gateway_client_id: str) -> bool:
    ours = belongs_to(config["durable_name"], gateway_client_id)
    return config.get("filter_subject", "").startswith(_GATEWAYS) and not ours


async def _sessions(client: "Client") -> AsyncIterator[dict[str, Any]]:
    offset, total = 0, 1
    while offset < total:
        page = await _ask(client, f"CONSUMER.LIST.{MESSAGES}", {"offset": offset})
        total, found = page["total"], page["consumers"] or []
        for entry in found:
            if "durable_name" in entry["config"]:
                yield entry["config"]
        offset += max(len(found), 1)


async def _ask(client: "Client", subject: str, request: dict[str, Any]) -> dict[str, Any]:
    message = await client.request(f"$JS.API.{subject}", json.dumps(request).encode(), timeout=_TIMEOUT_S)
    answer: dict[str, Any] = json.loads(message.data)
    if "error" in answer:
        raise _refused(f"{subject.rpartition('.')[0]}: {answer['error'].get('description', 'no reason')}")
    return answer


def _ask_all(port: int, secret: str, work: Callable[["Client"], Awaitable[T]]) -> T:
    return asyncio.run(_connected(port, secret, work))


async def _connected(port: int, secret: str, work: Callable[["Client"], Awaitable[T]]) -> T:
    from nats.aio.client import Client
    from nats.errors import Error

    client = Client()
    try:
        await client.connect(
            f"nats://127.0.0.1:{port}",
            user=STEWARD,
            password=secret,
            allow_reconnect=False,
            connect_timeout=_TIMEOUT_S,
            error_cb=_said_by_the_exception,
        )
        return await work(client)
    except (Error, OSError, TimeoutError) as silent:
        raise _refused(str(silent) or type(silent).__name__) from silent
    finally:
        await client.close()


async def _said_by_the_exception(error: Exception) -> None:
    """Stay quiet: what failed is raised as well."""


def _refused(reason: str) -> StoreRefused:
    return StoreRefused(
        f"The broker's message store did not take its limits: {reason}.",
        KEPT_BY_DEVICES,
        "Look at broker.log in the data folder, see that the disk has room, and start again.",
    )
