"""How a row of the bad-input catalogue becomes bytes: a recipe is a list of pieces, written one after the other.

Comes in: ``<id>.json`` beside this module, and a ``Scene`` (who sends, under which stream, at what time). Goes out:
``Row`` with its ``Variant`` objects, and the bytes of each message. Refuses to know: what becomes of them.

A piece has one of these members, and may have ``times``:

``text``       as it stands, in UTF-8
``hex``        bytes
``random``     so many bytes of a generator started with ``seed``
``keys``       so many members ``"k0":0,"k1":0,…``, without braces
``reading``    the kind's message in ``messages/plain.json``: ``with`` puts JSON at a pointer, ``without`` takes members
               away, ``literal`` puts text there, unquoted and unchecked (or a list of texts, each with its times)
``hello``      a hello of the device, changed in the same way
``state``      a state message, likewise
``file``       a file of ``simulators/recordings``: ``before`` and ``from`` (hex) cut at what they name (``drop``: and
               so many bytes more), ``skip`` and ``cut`` at a length; ``replace`` puts bytes for bytes
``png``        a grey PNG of ``[width, height]`` whose rows are so many zeros: ``rows``

``"@now-60 +04:00"`` in JSON is the time a minute ago in that zone (``Z`` when it is left out); ``"@stream"`` the
stream; ``"@device"`` who sends.
"""

from __future__ import annotations

import json
import random
import re
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
RECORDINGS = HERE.parents[2] / "simulators" / "recordings"
Json = Any
Piece = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Scene:
    """Where a recipe is played: ``now`` in microseconds, ``stream`` 32 hex digits, ``names`` the roles' device ids."""

    now: int
    stream: str
    names: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Variant:
    """One input of a row; ``told`` is its JSON."""

    row: str
    name: str
    told: Mapping[str, Any]

    @property
    def messages(self) -> Sequence[Mapping[str, Any]]:
        """What is sent, in order."""
        found: Sequence[Mapping[str, Any]] = self.told.get("messages", [self.told])
        return found


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the catalogue. Without variants it says why: ``retired``, ``excused``, or run ``elsewhere``."""

    id: str
    input: str
    variants: tuple[Variant, ...] = ()
    retired: str = ""
    excused: str = ""
    elsewhere: tuple[str, ...] = ()
    note: str = ""


def rows() -> list[Row]:
    """The whole catalogue, in its order."""
    found = [_row(json.loads(path.read_text("utf-8"))) for path in HERE.glob("[A-Z]*.json")]
    return sorted(found, key=lambda row: ("JTSZVPIC".index(row.id[0]), int(row.id[1:])))


def _row(told: dict[str, Any]) -> Row:
    variants = tuple(Variant(told["id"], each["name"], each) for each in told.pop("variants", []))
    return Row(**told | {"variants": variants, "elsewhere": tuple(told.get("elsewhere", ()))})


def topic(message: Mapping[str, Any], scene: Scene) -> str:
    """Where it is published: below the sender's own name, unless it names a whole ``topic``."""
    if "topic" in message:
        more, times = message.get("topic_more", ("", 0))
        return f"{_filled(message['topic'], scene)}{more * times}"
    device = scene.names[message.get("from", "device")]
    way = f"{scene.names[message['through']]}/for/{device}" if "through" in message else device
    return f"constantes/v1/up/{way}/{message.get('to', 'reading')}"


def written(pieces: Sequence[Piece] | Piece, scene: Scene, encoding: str = "utf-8") -> bytes:
    """The bytes of a recipe."""
    each = [pieces] if isinstance(pieces, Mapping) else pieces
    whole = b"".join(_piece(piece, scene) * piece.get("times", 1) for piece in each)
    return whole if encoding == "utf-8" else whole.decode().encode(encoding)


def payloads(message: Mapping[str, Any], scene: Scene) -> Iterator[bytes]:
    """The bytes to send: once, ``times`` times, or, with ``cut``, every proper beginning of them."""
    whole = written(message.get("payload", ()), scene, message.get("encoding", "utf-8"))
    if message.get("cut") == "everywhere":
        yield from (whole[:length] for length in range(len(whole)))
    else:
        yield from [whole] * message.get("times", 1)


def _piece(piece: Piece, scene: Scene) -> bytes:
    (name,) = piece.keys() & _MAKERS.keys()
    made: bytes = _MAKERS[name](piece, scene)
    return made


def _message(base: Json, piece: Piece, scene: Scene) -> bytes:
    message = json.loads(json.dumps(base))
    for at in piece.get("without", []):
        inside, name = _place(message, at)
        del inside[name]
    for at, value in piece.get("with", {}).items():
        inside, name = _place(message, at)
        inside[name] = _filled(value, scene)
    literals = list(piece.get("literal", {}).items())
    for number, (at, _) in enumerate(literals):
        inside, name = _place(message, at)
        inside[name] = f"@@{number}@@"
    text = json.dumps(message, ensure_ascii=False)
    for number, (_, literal) in enumerate(literals):
        spelled = literal if isinstance(literal, str) else "".join(part * times for part, times in literal)
        text = text.replace(f'"@@{number}@@"', spelled)
    return text.encode("utf-8", "surrogatepass")


def _place(message: Json, pointer: str) -> tuple[Json, str | int]:
    """The object or list that holds the member at ``pointer``, and its name there; objects on the way are made."""
    *way, last = [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]
    for part in way:
        message = message[int(part)] if isinstance(message, list) else message.setdefault(part, {})
    return message, int(last) if isinstance(message, list) else last


_TIME = re.compile(r"@now([+-]\d+)?(?: (Z|[+-]\d\d:\d\d))?").fullmatch


def _filled(value: Json, scene: Scene) -> Json:
    if isinstance(value, Mapping):
        return {name: _filled(each, scene) for name, each in value.items()}
    if isinstance(value, list):
        return [_filled(each, scene) for each in value]
    if not isinstance(value, str):
        return value
    if match := _TIME(value):
        return _time(scene.now + int(match[1] or 0) * 1_000_000, match[2] or "Z")
    for role, name in {"stream": scene.stream, **scene.names}.items():
        value = value.replace(f"@{role}", name)
    return value


def _time(at: int, zone: str) -> str:
    shift = timedelta(0)
    if zone != "Z":
        shift = timedelta(hours=int(zone[1:3]), minutes=int(zone[4:])) * (-1 if zone[0] == "-" else 1)
    return f"{datetime.fromtimestamp(at // 1_000_000, UTC) + shift:%Y-%m-%dT%H:%M:%S}{zone}"


def _reading(piece: Piece, scene: Scene) -> bytes:
    plain = json.loads((HERE / "messages" / "plain.json").read_text("utf-8"))
    base = _filled(plain["envelope"] | {"kind": piece["reading"]} | plain[piece["reading"]], scene)
    return _message(base, piece, scene)


def _file(piece: Piece, _scene: Scene) -> bytes:
    whole = (RECORDINGS / piece["file"]).read_bytes()
    if "replace" in piece:
        old, new = (bytes.fromhex(text) for text in piece["replace"])
        assert old in whole
        whole = whole.replace(old, new, 1)
    start = (
        whole.index(bytes.fromhex(piece["from"])) + piece.get("drop", 0) if "from" in piece else piece.get("skip", 0)
    )
    end = whole.index(bytes.fromhex(piece["before"])) if "before" in piece else piece.get("cut", len(whole))
    cut: bytes = whole[start:end]
    return cut


def _png(piece: Piece, _scene: Scene) -> bytes:
    head = struct.pack(">IIBBBBB", *piece["png"], 8, 0, 0, 0, 0)
    packing = zlib.compressobj(9)
    rows = b"".join(packing.compress(bytes(1 << 20)) for _ in range(piece.get("rows", 0) >> 20)) + packing.flush()
    chunks = ((b"IHDR", head), (b"IDAT", rows), (b"IEND", b""))
    cut = (struct.pack(">I", len(of)) + name + of + struct.pack(">I", zlib.crc32(name + of)) for name, of in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(cut)


_HELLO = {"v": 1, "conn": "a1b2c3d4", "stream": "@stream", "next": 0}
_MAKERS = {
    "text": lambda piece, scene: _filled(piece["text"], scene).encode(),
    "hex": lambda piece, _scene: bytes.fromhex(piece["hex"]),
    "random": lambda piece, _scene: random.Random(piece["seed"]).randbytes(piece["random"]),
    "keys": lambda piece, _scene: ",".join(f'"k{number}":0' for number in range(piece["keys"])).encode(),
    "reading": _reading,
    "hello": lambda piece, scene: _message(_filled(_HELLO, scene), piece, scene),
    "state": lambda piece, scene: _message({"v": 1, "conn": "a1b2c3d4"}, piece, scene),
    "file": _file,
    "png": _png,
}
