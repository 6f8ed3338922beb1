"""JSON whose numbers keep the digits they came with: `36.60` is read, compared and written as `36.60`.

In: bytes. Out: a tree, and bytes again. It never makes a float, and it refuses what strict servers refuse:
other encodings than UTF-8, names given twice, NaN and Infinity, half surrogates, bottomless nesting.
It knows nothing of FHIR.
"""

import json
from collections.abc import Iterator
from json.encoder import encode_basestring
from typing import Final, NoReturn, TypeAlias

DEEPEST: Final = 100  # levels; the deepest resource of the examples has 8


class Number(str):
    """A number as its sender wrote it: the text is the value."""

    __slots__ = ()


Json: TypeAlias = "bool | str | Number | list[Json] | dict[str, Json] | None"


class NotJson(ValueError):  # noqa: N818 - it says what the bytes are
    """The bytes are not strict JSON. The text says which rule is broken, never what the bytes were."""


def read(raw: bytes) -> Json:
    """The tree of `raw`; raises `NotJson`."""
    try:
        tree: Json = _DECODER.decode(raw.decode("utf-8"))
    except UnicodeDecodeError:
        raise NotJson("the body is not UTF-8") from None
    except json.JSONDecodeError:
        raise NotJson("the body is not JSON") from None
    except RecursionError:
        raise NotJson("the body is nested too deep") from None
    return tree


def nodes(tree: Json) -> Iterator[dict[str, Json]]:
    """Every object in `tree`, outermost first; raises `NotJson` below `DEEPEST` levels."""
    level: list[Json] = [tree]
    for _ in range(DEEPEST):
        inner: list[Json] = []
        for node in level:
            if isinstance(node, dict):
                yield node
                inner.extend(value for value in node.values() if isinstance(value, dict | list))
            elif isinstance(node, list):
                inner.extend(value for value in node if isinstance(value, dict | list))
        if not inner:
            return
        level = inner
    raise NotJson("the body is nested too deep")


def write(tree: Json, *, ordered: bool = False) -> bytes:
    """`tree` as compact UTF-8; `ordered` sorts the names, which makes equal contents equal bytes."""
    try:
        return _text(tree, ordered).encode("utf-8")
    except UnicodeEncodeError:
        raise NotJson("the body has half a surrogate pair") from None
    except RecursionError:
        raise NotJson("the body is nested too deep") from None


def _text(tree: Json, ordered: bool) -> str:  # noqa: FBT001 - called once a node; a keyword costs a tenth of the time
    if isinstance(tree, Number):
        return str(tree)
    if isinstance(tree, str):
        return encode_basestring(tree)
    if isinstance(tree, dict):
        pairs = sorted(tree.items()) if ordered else tree.items()
        return "{" + ",".join([f"{encode_basestring(name)}:{_text(value, ordered)}" for name, value in pairs]) + "}"
    if isinstance(tree, list):
        return "[" + ",".join([_text(value, ordered) for value in tree]) + "]"
    return {None: "null", True: "true", False: "false"}[tree]


def _once(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise NotJson("the body gives one name twice in one object")
    return members


def _no_constant(_name: str) -> NoReturn:
    raise NotJson("the body has a number that JSON does not know")


_DECODER: Final = json.JSONDecoder(
    parse_float=Number, parse_int=Number, parse_constant=_no_constant, object_pairs_hook=_once
)
