"""Verdicts as messages to devices (device contract, section 8). Pure.

Comes in: what the ledger kept. Goes out: payloads of at most so many bytes, many verdicts in one. Refuses to know:
topics.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from gateway.flood import Refused
from ingest.ledger.port import Answer, Confirmation, Item, Kept, Known, Later, PieceKept
from ingest.model import Judged, Outcome, Piece
from ingest.reasons import REGISTRY, Reason

MOST_BYTES = 1024
"""Longest message to a device that has not named another length (contract, section 8)."""
_POINTER = 256  # characters: with it, every receipt fits into a message of ``MOST_BYTES`` by itself
_SHA = 16  # hex digits of the payload's SHA-256 (contract, section 8)
_RANGES = 16  # missing ranges told at a time: they fit beside the rest, and a device asks again when it has sent them
RETRY_AFTER_S = 60
"""Seconds after which a device whose part was refused tries again: its older blobs may be finished by then."""
_NOTHING = Known()
_encode = json.JSONEncoder(separators=(",", ":")).encode


def receipt(judged: Judged | Piece, kept: Kept) -> str:
    """One verdict as JSON; without stream and seq for a message that had none.

    Written out, because it is done for every message and all but the pointer is made of hex digits and words of ours.
    """
    key, parts = judged.key if isinstance(judged, Judged) else None, ["{"]
    if judged.raw.hub is not None:
        parts.append(f'"device":"{judged.raw.device}",')
    if key is not None:
        parts.append(f'"stream":"{key.stream}","seq":{key.seq},')
    parts.append(f'"sha":"{judged.sha.hex()[:_SHA]}",')
    if kept.reading is not None:
        parts.append(f'"reading":"{kept.reading}",')
    parts.append(f'"verdict":"{kept.outcome.value}"')
    if kept.reason is not None:
        parts.append(f',"reason":"{kept.reason.value}"')
        if kept.pointer is not None:
            parts.append(f',"pointer":{_encode(_short(kept.pointer))}')
        parts.append(f',"action":"{REGISTRY[kept.reason].action.value}"')
    if kept.missing is not None:
        parts.append(f',"missing":{_encode(kept.missing[:_RANGES])}')
    if kept.repeat:
        parts.append(',"repeat":true')
    parts.append("}")
    return "".join(parts)


def part(piece: Piece, kept: PieceKept) -> str:
    """A part of a blob was kept, or refused for now; without stream and seq (contract, section 8)."""
    told: dict[str, Any] = {"device": piece.raw.device} if piece.raw.hub is not None else {}
    told |= {"sha": piece.sha.hex()[:_SHA], "verdict": "kept", "blob": piece.sha256, "offset": piece.start}
    if kept.refused:
        told |= {"verdict": "refused", "reason": Reason.BLOB_QUOTA.value, "retry_after_s": RETRY_AFTER_S}
    return _encode(told)


def refused(reading: Refused, retry_after_s: int) -> str:
    """A reading that was not kept, for now (contract, section 8)."""
    told: dict[str, Any] = {"device": reading.raw.device} if reading.raw.hub is not None else {}
    if reading.key is not None:
        told |= {"stream": reading.key[0], "seq": reading.key[1]}
    told |= {"sha": reading.sha.hex()[:_SHA], "verdict": "refused", "reason": Reason.FLOW_SLOW_DOWN.value}
    return _encode(told | {"action": REGISTRY[Reason.FLOW_SLOW_DOWN].action.value, "retry_after_s": retry_after_s})


def by_sender(items: Sequence[Item], answers: Sequence[Answer], known: Mapping[str, Known]) -> dict[str, list[str]]:
    """The receipts of a batch, by the connection that each goes to."""
    found: dict[str, list[str]] = {}
    for item, answer in zip(items, answers, strict=True):
        if isinstance(item, Piece) and isinstance(answer, PieceKept):
            found.setdefault(item.raw.sender, []).append(part(item, answer))
        elif isinstance(item, Piece) and isinstance(answer, Kept):  # set aside, as it was seen in the ledger
            found.setdefault(item.raw.sender, []).append(receipt(item, answer))
        elif isinstance(item, Judged) and isinstance(answer, Kept) and item.raw.sender:
            texts = found.setdefault(item.raw.sender, [])
            texts.append(receipt(item, answer))
            if answer.confirmed and known.get(item.raw.device, _NOTHING).wants_record:
                again = confirmed_again(item, answer)
                texts.extend(() if again is None else (again,))
    return found


def later(verdict: Later) -> str:
    """A verdict that was reached after the message had been answered."""
    told: dict[str, Any] = {"device": verdict.device} if verdict.hub is not None else {}
    told |= {"stream": verdict.stream, "seq": verdict.seq, "sha": verdict.sha.hex()[:_SHA]}
    told |= {"reading": verdict.reading, "verdict": verdict.outcome.value}
    if verdict.reason is not None:
        told["reason"] = verdict.reason.value
        told |= {"pointer": _short(verdict.pointer)} if verdict.pointer is not None else {}
        told["action"] = REGISTRY[verdict.reason].action.value
    if verdict.missing is not None:
        told["missing"] = verdict.missing[:_RANGES]
    return _encode(told)


def in_record(stream: str, seq: int, sha: bytes, reading: str, device: str | None = None) -> str:
    """The record has confirmed a reading; ``device`` only for a hub."""
    told: dict[str, Any] = {"device": device} if device is not None else {}
    told |= {"stream": stream, "seq": seq, "sha": sha.hex()[:_SHA], "reading": reading, "verdict": "in_record"}
    return _encode(told)


def confirmed(confirmation: Confirmation) -> str:
    """``in_record`` for a confirmation of the ledger."""
    served = confirmation.device if confirmation.hub else None
    return in_record(confirmation.stream, confirmation.seq, confirmation.sha, confirmation.reading, served)


def confirmed_again(judged: Judged, kept: Kept) -> str | None:
    """``in_record`` after the receipt of a repeat, None when the record has not confirmed it."""
    if not (kept.confirmed and kept.repeat and kept.outcome is Outcome.STORED and judged.key and kept.reading):
        return None
    served = judged.raw.device if judged.raw.hub else None
    return in_record(judged.key.stream, judged.key.seq, judged.sha, kept.reading, served)


def _short(pointer: str) -> str:
    """A pointer as it is, or to the nearest member around it that is not too deep to name."""
    while len(pointer) > _POINTER:
        pointer = pointer.rpartition("/")[0]
    return pointer


def messages(ledger: str, receipts: Iterable[str], most_bytes: int = MOST_BYTES) -> Iterator[bytes]:
    """Pack receipts into payloads of at most ``most_bytes``; one that is longer by itself goes alone."""
    head, tail = f'{{"v":1,"ledger":"{ledger}","receipts":[', "]}"
    room = most_bytes - len(head) - len(tail)
    packed: list[str] = []
    used = 0
    for text in receipts:
        size = len(text) + bool(packed)
        if packed and used + size > room:
            yield (head + ",".join(packed) + tail).encode()
            packed, used, size = [], 0, len(text)
        packed.append(text)
        used += size
    if packed:
        yield (head + ",".join(packed) + tail).encode()
