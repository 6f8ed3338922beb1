"""The words of the device contract, from the device's side. Pure: bytes in, bytes out.

Comes in: facts about the device, and what the gateway sends down. Goes out: topics and bodies to publish; receipts and
commands to act on. Refuses to know: sockets, outbox, time.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

Json: TypeAlias = "str | int | float | bool | Sequence[Json] | Mapping[str, Json]"

CONTRACT = "1.0"
UP, DOWN = "constantes/v1/up", "constantes/v1/down"


@dataclass(frozen=True, slots=True)
class Identity:
    """What hello says of the device beside its readings (device contract, section 9)."""

    device: str
    manufacturer: str
    model: str
    serial: str
    firmware: str
    kinds: tuple[str, ...]
    eui64: str | None = None
    asks_record: bool = False


@dataclass(frozen=True, slots=True)
class Receipt:
    """One verdict as it came down (device contract, section 8); what was absent is None."""

    verdict: str
    sha: str
    stream: str | None = None
    seq: int | None = None
    reading: str | None = None
    reason: str | None = None
    action: str | None = None
    retry_after_s: float | None = None
    repeat: bool = False
    device: str | None = None
    """Of which served device this speaks; only a hub is told (section 12)."""
    missing: tuple[tuple[int, int], ...] = ()
    """[from, to) in bytes."""
    blob: str | None = None
    offset: int | None = None


@dataclass(frozen=True, slots=True)
class Command:
    """Anything else that came down: `welcome`, `resend`, `slow_down`; `body` is the whole message."""

    name: str
    body: Mapping[str, Any]

    @property
    def device(self) -> str | None:
        """Of which served device it speaks; None for the connection's own."""
        return self.body.get("device")


def up(device: str, channel: str) -> str:
    """The topic a device publishes on."""
    return f"{UP}/{device}/{channel}"


def down(device: str) -> str:
    """The one topic a device subscribes to."""
    return f"{DOWN}/{device}"


def encode(message: Mapping[str, Json]) -> bytes:
    """Compact JSON in UTF-8."""
    return json.dumps(message, separators=(",", ":"), ensure_ascii=False).encode()


def hello(
    who: Identity, conn: str, held: tuple[str, int, int], clock: Mapping[str, Json], *, counts: bool = True
) -> bytes:
    """The first message of a connection; `held` is (stream, oldest held, next), `counts` whether seq tells of gaps."""
    stream, oldest, following = held
    message: dict[str, Json] = {
        "v": 1,
        "conn": conn,
        "stream": stream,
        "oldest": oldest,
        "next": following,
        "contract": CONTRACT,
        "manufacturer": who.manufacturer,
        "model": who.model,
        "serial": who.serial,
        "firmware": who.firmware,
        "kinds": who.kinds,
        "clock": clock,
    }
    if not counts:
        message["counts"] = False
    if who.eui64:
        message["eui64"] = who.eui64
    if who.asks_record:
        message["receipts"] = "record"
    return encode(message)


def offline(conn: str) -> bytes:
    """The will, and what a device says itself before a clean disconnect (C-CON-4)."""
    return encode({"v": 1, "conn": conn, "state": "offline"})


def echo(conn: str, epoch: int, now: str, gateway_time: str) -> bytes:
    """The clock echo: the device's time beside the gateway's, as the welcome gave it."""
    return encode({"v": 1, "conn": conn, "clock": {"epoch": epoch, "now": now, "echo": gateway_time}})


def lost(conn: str, stream: str, ranges: Sequence[tuple[int, int]]) -> bytes:
    """Readings that will never come; both ends of a range are lost."""
    return encode({"v": 1, "conn": conn, "stream": stream, "lost": ranges})


def ranges(numbers: Sequence[int]) -> list[tuple[int, int]]:
    """Ascending numbers as ranges that include both ends."""
    found: list[tuple[int, int]] = []
    for number in numbers:
        if found and found[-1][1] == number - 1:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return found


def received(payload: bytes) -> tuple[str | None, Iterator[Receipt | Command]]:
    """(ledger, what to act on) of one message from the gateway; (None, nothing) when it cannot be read."""
    try:
        body = json.loads(payload)
    except ValueError:
        return None, iter(())
    if not isinstance(body, dict):
        return None, iter(())
    ledger = body.get("ledger")
    return ledger if isinstance(ledger, str) else None, _items(body)


def _items(body: Mapping[str, Any]) -> Iterator[Receipt | Command]:
    if "command" in body:
        yield Command(str(body["command"]), body)
    for receipt in body.get("receipts", ()):
        yield Receipt(
            verdict=str(receipt.get("verdict")),
            sha=str(receipt.get("sha")),
            stream=receipt.get("stream"),
            seq=receipt.get("seq"),
            reading=receipt.get("reading"),
            reason=receipt.get("reason"),
            action=receipt.get("action"),
            retry_after_s=receipt.get("retry_after_s"),
            repeat=receipt.get("repeat", False) is True,
            device=receipt.get("device", body.get("device")),
            missing=tuple((int(begins), int(ends)) for begins, ends in receipt.get("missing", ())),
            blob=receipt.get("blob"),
            offset=receipt.get("offset"),
        )
