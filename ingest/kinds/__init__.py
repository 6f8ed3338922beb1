"""The table of device kinds, found by looking: every module of this package that defines ``KIND`` is a kind.

Comes in: the modules beside this one. Goes out: ``KINDS``. Refuses to know: any kind by name. So a new kind is one
file here, with no list to enter it in; what a wheel leaves out is no kind either, and nothing else is searched.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Iterable
from importlib import import_module

from ingest.kinds.kind import Kind


def found(package: str, path: Iterable[str]) -> dict[str, Kind]:
    """The kinds of a package by their names, in the order of its modules' names; a module without ``KIND`` is none.

    Raises ValueError when two modules define one kind: neither may win by its place in the alphabet.
    """
    kinds: dict[str, Kind] = {}
    for name in sorted(module.name for module in pkgutil.iter_modules(path)):
        kind = getattr(import_module(f"{package}.{name}"), "KIND", None)
        if not isinstance(kind, Kind):
            continue
        if kind.name in kinds:
            raise ValueError(f"Two modules of {package} define the kind {kind.name}.")
        kinds[kind.name] = kind
    return kinds


KINDS: dict[str, Kind] = found(__name__, __path__)
