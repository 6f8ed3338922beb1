"""A line between two programs that misbehaves when told to: it waits, trickles, slices, cuts, or leads nowhere.

Comes in: the address of whoever listens, then at any time a `Fault`. Goes out: a port to connect to, and counts.
Refuses to know: what crosses it. Bytes are never changed, lost or put in another order: TCP sees to that on a real line
too, so packets that are lost are bytes that come late.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

LOOPBACK = "127.0.0.1"
_PIECE = 16_384
_PAUSE_S = 0.02


@dataclass(frozen=True, slots=True)
class Fault:
    """How a line misbehaves; with nothing set, it does not. `up` is from who connects to who listens."""

    half_open: bool = False
    """Connections are taken, and nobody answers."""
    silent_up: bool = False
    silent_down: bool = False
    """What is sent this way stays on the way, and comes when the line is well again."""
    slice: int = _PIECE
    """Bytes at a time."""
    rate: float | None = None
    """Bytes a second, each way."""
    cut_every: int | None = None
    """A connection is cut when so many bytes have come up on it, in the middle of whatever that is."""
    stalls: float = 0.0
    """Seconds for which each piece waits: packets that were lost and are sent again."""


@dataclass
class Line:
    """A running line. `fault` may be set at any time, from any thread."""

    to: tuple[str, int]
    fault: Fault = field(default_factory=Fault)
    port: int = 0
    taken: int = 0
    """Connections that were made to it."""
    cuts: int = 0
    """Connections that it cut."""
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _ends: set[asyncio.StreamWriter] = field(default_factory=set)

    @contextlib.contextmanager
    def running(self) -> Iterator[Line]:
        """Listen on a free port until the block ends; then every connection is cut."""
        thread = threading.Thread(target=self._run, name="line", daemon=True)
        server = self._loop.run_until_complete(asyncio.start_server(self._take, LOOPBACK, self.port))
        self.port = server.sockets[0].getsockname()[1]
        thread.start()
        try:
            yield self
        finally:
            asyncio.run_coroutine_threadsafe(self._end(server), self._loop).result(10.0)
            self._loop.call_soon_threadsafe(self._loop.stop)
            thread.join(10.0)
            self._loop.close()

    def cut(self) -> None:
        """Break every connection; the next one is taken."""
        self._loop.call_soon_threadsafe(self._abort)

    def _run(self) -> None:
        self._loop.run_forever()

    def _abort(self) -> None:
        for end in self._ends:
            end.transport.abort()

    async def _end(self, server: asyncio.Server) -> None:
        server.close()
        self._abort()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.taken += 1
        self._ends.add(writer)
        try:
            if self.fault.half_open:
                await self._leave_waiting(reader)
                return
            far_reader, far_writer = await asyncio.open_connection(*self.to)
            self._ends.add(far_writer)
            ways = [
                asyncio.ensure_future(self._pass(reader, far_writer, is_up=True)),
                asyncio.ensure_future(self._pass(far_reader, writer, is_up=False)),
            ]
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            far_writer.transport.abort()
            self._ends.discard(far_writer)
        except OSError:
            pass  # nobody listens there: who connected is cut, as by a port that is closed
        finally:
            self._ends.discard(writer)
            writer.transport.abort()

    async def _leave_waiting(self, reader: asyncio.StreamReader) -> None:
        """Until the line is well again, or who connected gives up."""
        gone = asyncio.ensure_future(reader.read())
        while self._is_half_open() and not gone.done():  # noqa: ASYNC110 - the fault is set from another thread
            await asyncio.sleep(_PAUSE_S)
        gone.cancel()

    def _is_half_open(self) -> bool:
        return self.fault.half_open

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_up: bool) -> None:
        crossed = 0
        while data := await reader.read(_PIECE):
            while data:
                fault = self.fault
                if fault.silent_up if is_up else fault.silent_down:
                    await asyncio.sleep(_PAUSE_S)
                    continue
                piece, data = data[: fault.slice], data[fault.slice :]
                if is_up and fault.cut_every is not None and crossed + len(piece) > fault.cut_every:
                    writer.write(piece[: fault.cut_every - crossed])
                    await writer.drain()
                    self.cuts += 1
                    return
                crossed += len(piece)
                await asyncio.sleep(fault.stalls + (len(piece) / fault.rate if fault.rate else 0.0))
                writer.write(piece)
                await writer.drain()
