"""What a program did to a folder's files, in order, as strace saw it.

Comes in: a command, the folder. Goes out: events: bytes written, lengths changed, names made, moved and taken away,
flushes, and what was said on standard output between them. Refuses to know: what the program is.

`strace -f -y -xx` prints each call with the path behind every descriptor, and all bytes. A call counts when it has
ended; a flush covers only what had ended before it began.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

CALLS = (
    "pwrite64", "pwritev", "pwritev2", "write", "writev", "fsync", "fdatasync", "ftruncate", "truncate", "fallocate",
    "unlink", "unlinkat", "rename", "renameat", "renameat2", "openat", "open", "creat", "mkdir", "mkdirat", "link",
    "linkat", "rmdir", "lseek", "copy_file_range", "sendfile", "symlink", "symlinkat",
)  # fmt: skip
"""All that may change a file by descriptor or name, so that a call that is not understood is not overlooked."""
_MOST = 4 << 20
"""Bytes of a string that strace prints: more than any write here has."""
_STDOUT = 1
_STEPS = "fsync,fdatasync,mkdir,rename,link,unlink"


@dataclass(frozen=True, slots=True)
class Wrote:
    """``data`` stands at ``at`` of a file."""

    path: str
    at: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Cut:
    """A file has this length now."""

    path: str
    size: int


@dataclass(frozen=True, slots=True)
class Made:
    """A file or a folder has a name."""

    path: str
    is_folder: bool


@dataclass(frozen=True, slots=True)
class Linked:
    """A file has a second name."""

    path: str
    new: str


@dataclass(frozen=True, slots=True)
class Moved:
    """A name became another one, in whose place nothing is left of what was there."""

    path: str
    new: str


@dataclass(frozen=True, slots=True)
class Removed:
    """A name is gone."""

    path: str


@dataclass(frozen=True, slots=True)
class Flushed:
    """A file or folder was flushed: what had happened to it before event number ``began`` is on the disk."""

    path: str
    began: int


@dataclass(frozen=True, slots=True)
class Said:
    """Somebody outside has read this."""

    text: bytes


Event: TypeAlias = Wrote | Cut | Made | Linked | Moved | Removed | Flushed | Said


@dataclass(frozen=True, slots=True)
class Trace:
    """Programs that run one after another on one folder; ``log`` is where strace writes."""

    folder: Path
    log: Path
    environment: Mapping[str, str]
    events: list[Event] = field(default_factory=list)

    def run(self, command: Sequence[str], killed_at: int = 0) -> None:
        """Run ``command`` and add what it does below the folder; kill -9 at its ``killed_at``-th flush or new name.

        Raises RuntimeError when it fails.
        """
        before = list(self.folder.rglob("*"))
        options = ["-f", "--seccomp-bpf", "-y", "-xx", "-s", str(_MOST), "-e", f"trace={','.join(CALLS)}"]
        if killed_at:
            options += ["-e", f"inject={_STEPS}:signal=KILL:when={killed_at}"]
        run = subprocess.run(
            ["strace", *options, "-o", str(self.log), "--", *command],
            env=self.environment,
            capture_output=True,
            check=False,
            timeout=300,
        )
        if run.returncode not in (0, -signal.SIGKILL if killed_at else 0):
            raise RuntimeError(f"the traced program ended with {run.returncode}: {run.stderr[-2000:].decode()}")
        with self.log.open("rb") as lines:
            self.events.extend(self.reader(before).events(lines))

    def reader(self, before: Iterable[Path]) -> Reader:
        """Reads what comes next; ``before``: the paths that are there."""
        return Reader(str(self.folder), before, len(self.events))


class Reader:
    """Puts calls that were interrupted together again, and keeps the place of each descriptor."""

    def __init__(self, folder: str, before: Iterable[Path], count: int) -> None:
        self._folder = folder
        self._begun: dict[bytes, tuple[bytes, int]] = {}
        self._places: dict[int, int] = {}
        self._seen = {folder, *map(str, before)}
        self._count = count

    def events(self, lines: Iterable[bytes]) -> Iterator[Event]:
        """Each event, once the call behind it has ended."""
        for line in lines:
            process, _, rest = line.rstrip(b"\n").partition(b" ")
            rest, began = rest.lstrip(), self._count
            if rest.endswith(b"<unfinished ...>"):
                self._begun[process] = rest.removesuffix(b"<unfinished ...>"), began
                continue
            if rest.startswith(b"<... "):
                head, began = self._begun.pop(process)
                rest = head + rest[rest.index(b" resumed>") + len(b" resumed>") :]
            for event in self._understood(rest, began):
                self._count += 1
                yield event

    def _understood(self, call: bytes, began: int) -> Iterator[Event]:
        found = _call(call)
        if found is None:
            return
        name, arguments, result = found
        value = re.match(rb"(-?\d+)", result)
        if value is None or int(value[1]) < 0:
            return
        yield from self._event(name, arguments, int(value[1]), result, began)

    def _event(self, name: str, given: list[bytes], value: int, result: bytes, began: int) -> Iterator[Event]:  # noqa: C901, PLR0912 - one case a call
        if name in ("open", "openat", "creat"):
            yield from self._opened(name, given, value, result)
        elif name in ("write", "pwrite64"):
            yield from self._wrote(name, given, value)
        elif name == "lseek":
            self._places[_number(given[0])] = value
        elif name in ("fsync", "fdatasync"):
            if self._is_ours(path := _path(given[0])):
                yield Flushed(path, began)
        elif name == "ftruncate":
            if self._is_ours(path := _path(given[0])):
                yield Cut(path, int(given[1]))
        elif name == "truncate":
            if self._is_ours(path := _text(given[0]).decode()):
                yield Cut(path, int(given[1]))
        elif name in ("mkdir", "mkdirat"):
            if self._is_ours(path := _named(given[:-1])):
                self._seen.add(path)
                yield Made(path, is_folder=True)
        elif name in ("unlink", "unlinkat", "rmdir"):
            if self._is_ours(path := _named(given[:2] if name == "unlinkat" else given)):
                self._seen.discard(path)
                yield Removed(path)
        elif name in ("rename", "renameat", "renameat2", "link", "linkat"):
            yield from self._renamed(name, given)
        elif any(self._is_ours(_path(each)) for each in given if b"<" in each):
            raise ValueError(f"a call that the reader does not know changed a file: {name}")

    def _opened(self, name: str, given: list[bytes], value: int, result: bytes) -> Iterator[Event]:
        self._places[value] = 0
        flags = given[1 if name == "open" else 2] if name != "creat" else b"O_CREAT|O_TRUNC"
        if not self._is_ours(path := _path(result)) or b"O_DIRECTORY" in flags:
            return
        if b"O_CREAT" in flags and path not in self._seen:
            self._seen.add(path)
            yield Made(path, is_folder=False)
        if b"O_APPEND" in flags:
            raise ValueError("the reader does not know where an appending write lands")
        if b"O_TRUNC" in flags:
            yield Cut(path, 0)

    def _wrote(self, name: str, given: list[bytes], value: int) -> Iterator[Event]:
        number, data = _number(given[0]), _text(given[1])[:value]
        if number == _STDOUT:
            yield Said(data)
        elif self._is_ours(path := _path(given[0])):
            at = int(given[3]) if name == "pwrite64" else self._places[number]
            if name == "write":
                self._places[number] = at + value
            yield Wrote(path, at, data)

    def _renamed(self, name: str, given: list[bytes]) -> Iterator[Event]:
        has_folders = name.endswith(("at", "at2"))
        old, new = (_named(given[:2]), _named(given[2:4])) if has_folders else (_named(given[:1]), _named(given[1:2]))
        if not self._is_ours(new):
            return
        self._seen.add(new)
        if name.startswith("link"):
            yield Linked(old, new)
        else:
            self._seen.discard(old)
            yield Moved(old, new)

    def _is_ours(self, path: str) -> bool:
        return f"{path}/".startswith(f"{self._folder}/") and not path.endswith(" (deleted)")


# ---------------------------------------------------------------- one line

_CALL = re.compile(rb"(\w+)\((.*)\) += (.+)", re.DOTALL)
_ARGUMENT = re.compile(rb'(?:"[^"]*"|<[^>]*>|[^,])+')


def _call(line: bytes) -> tuple[str, list[bytes], bytes] | None:
    """Name, arguments and result; None for what is no call."""
    found = _CALL.fullmatch(line)
    if found is None:
        return None
    return found[1].decode(), [each.strip() for each in _ARGUMENT.findall(found[2])], found[3]


def _text(argument: bytes) -> bytes:
    """The bytes of a printed string; raises ValueError for one that was cut short."""
    if not argument.endswith(b'"'):
        raise ValueError("strace cut a string short")
    return bytes.fromhex(argument.strip(b'"').replace(b"\\x", b"").decode())


def _number(argument: bytes) -> int:
    return int(argument.partition(b"<")[0])


def _path(argument: bytes) -> str:
    """The path behind a descriptor."""
    inside = argument.partition(b"<")[2].rpartition(b">")[0]
    hidden = re.sub(
        rb"(?:\\x[0-9a-f]{2})+", lambda found: bytes.fromhex(found[0].replace(b"\\x", b"").decode()), inside
    )
    return os.fsdecode(hidden)


def _named(given: Sequence[bytes]) -> str:
    """The path of (name) or (folder, name)."""
    name = os.fsdecode(_text(given[-1]))
    return name if len(given) == 1 else os.path.join(_path(given[0]), name)  # noqa: PTH118 - an absolute one stays
