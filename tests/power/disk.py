"""A disk that keeps of unflushed writes what it likes, as a power cut leaves it.

Comes in: events, in order; a source of chance. Goes out: images of the folder, as one may find it after a cut at this
moment. Refuses to know: what the files mean.

What the model lets happen (and no more):

- bytes and lengths of a file are sure once a flush of it has ended that began after them; of the others each write is
  lost, there, or torn: any of its sectors of 512 bytes;
- a name (made, linked, moved or taken away) is sure once its folder was flushed; of the others each is there or not,
  as one step: a file that is moved is at one of its two places;
- a folder whose own name is not sure may be gone with all that is in it.
"""

from __future__ import annotations

import os
import random
from dataclasses import dataclass, field
from pathlib import Path

from tests.power.traced import Cut, Event, Flushed, Linked, Made, Moved, Removed, Said, Wrote

SECTOR = 512
_LOST, _TORN = 0.4, 0.6  # of 1: lost, torn, else there


@dataclass(slots=True)
class _File:
    sure: bytearray = field(default_factory=bytearray)
    later: list[tuple[int, Wrote | Cut]] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class _Folder:
    now: dict[str, _Node] = field(default_factory=dict)
    sure: dict[str, _Node] = field(default_factory=dict)


_Node = _File | _Folder
_Change = tuple[_Folder, str, "_Node | None"]


@dataclass(slots=True)
class _Step:
    """Names that change together; sure once ``folder`` was flushed."""

    number: int
    folder: _Folder
    changes: list[_Change]


class Disk:
    """The folder at ``root``, which and whose present files are sure; ``apply`` events, then draw an ``image``."""

    def __init__(self, root: Path) -> None:
        self._root = str(root)
        self._top = _found(root)
        self._steps: list[_Step] = []
        self._number = 0

    def apply(self, event: Event) -> None:
        """One more thing has happened."""
        match event:
            case Said():
                pass
            case Wrote() | Cut():
                self._file(event.path).later.append((self._number, event))
            case Flushed():
                self._flush(event)
            case Made():
                made = _Folder() if event.is_folder else _File()
                self._names(event.path, (event.path, made))
            case Linked():
                self._names(event.new, (event.new, self._node(event.path)))
            case Moved():
                self._names(event.new, (event.path, None), (event.new, self._node(event.path)))
            case Removed():
                self._names(event.path, (event.path, None))
        self._number += 1

    def image(self, chance: random.Random, goal: Path) -> None:
        """Write into the new folder ``goal`` what one may find after a cut now; the same for the same chance."""
        entries: dict[int, dict[str, _Node]] = {}

        def of(folder: _Folder) -> dict[str, _Node]:
            return entries.setdefault(id(folder), dict(folder.sure))

        for step in self._steps:
            if chance.random() < 0.5:
                for folder, name, node in step.changes:
                    _set(of(folder), name, node)

        def write(folder: _Folder, where: Path) -> None:
            where.mkdir()
            for name, node in sorted(of(folder).items()):
                if isinstance(node, _Folder):
                    write(node, where / name)
                elif not name.endswith("-shm"):  # SQLite's shared memory, made anew by whoever opens the file first
                    (where / name).write_bytes(_survivor(node, chance))

        write(self._top, goal)

    # ------------------------------------------------------------ names

    def _names(self, sure_by: str, *changes: tuple[str, _Node | None]) -> None:
        done: list[_Change] = []
        for path, node in changes:
            folder, name = self._place(path)
            _set(folder.now, name, node)
            done.append((folder, name, node))
        self._steps.append(_Step(self._number, self._place(sure_by)[0], done))

    def _flush(self, event: Flushed) -> None:
        node = self._node(event.path)
        if isinstance(node, _File):
            for number, change in node.later:
                if number < event.began:
                    _write(node.sure, change)
            node.later = [each for each in node.later if each[0] >= event.began]
            return
        sure = [step for step in self._steps if step.folder is node and step.number < event.began]
        for step in sure:
            self._settle(step)

    def _settle(self, step: _Step) -> None:
        """Its changes are on the disk; older ones of the same names can no longer come back."""
        self._steps.remove(step)
        for folder, name, node in step.changes:
            _set(folder.sure, name, node)
            for older in self._steps:
                if older.number < step.number:
                    older.changes = [each for each in older.changes if (each[0], each[1]) != (folder, name)]

    # ------------------------------------------------------------ paths

    def _place(self, path: str) -> tuple[_Folder, str]:
        parent, name = os.path.split(path)
        folder = self._node(parent)
        if not isinstance(folder, _Folder):
            raise TypeError(f"{parent} is no folder")
        return folder, name

    def _node(self, path: str) -> _Node:
        node: _Node = self._top
        for name in path.removeprefix(self._root).split("/")[1:]:
            if not isinstance(node, _Folder):
                raise TypeError(f"{path} lies in a file")
            node = node.now[name]
        return node

    def _file(self, path: str) -> _File:
        node = self._node(path)
        if not isinstance(node, _File):
            raise TypeError(f"{path} is no file")
        return node


def _found(path: Path) -> _Folder:
    """A folder of a real disk, which has had all the time it wanted."""
    folder = _Folder()
    for each in path.iterdir():
        node = _found(each) if each.is_dir() else _File(bytearray(each.read_bytes()))
        folder.now[each.name] = folder.sure[each.name] = node
    return folder


def _set(names: dict[str, _Node], name: str, node: _Node | None) -> None:
    if node is None:
        names.pop(name, None)
    else:
        names[name] = node


def _survivor(file: _File, chance: random.Random) -> bytes:
    """The bytes that one may find."""
    content = bytearray(file.sure)
    for _, change in file.later:
        drawn = chance.random()
        if drawn < _LOST:
            continue
        if isinstance(change, Cut) or drawn >= _TORN:
            _write(content, change)
        else:
            for piece in _sectors(change):
                if chance.random() < 0.5:
                    _write(content, piece)
    return bytes(content)


def _sectors(write: Wrote) -> list[Wrote]:
    """A write, cut where the disk's sectors end."""
    found, at, end = [], write.at, write.at + len(write.data)
    while at < end:
        stop = min(end, (at // SECTOR + 1) * SECTOR)
        found.append(Wrote(write.path, at, write.data[at - write.at : stop - write.at]))
        at = stop
    return found


def _write(content: bytearray, change: Wrote | Cut) -> None:
    if isinstance(change, Cut):
        del content[change.size :]
        content.extend(bytes(change.size - len(content)))
        return
    end = change.at + len(change.data)
    content.extend(bytes(max(0, end - len(content))))
    content[change.at : end] = change.data
