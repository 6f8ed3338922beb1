"""One HTTP/1.1 connection, by h11: requests in, answers out, and the ways an answer can fail to arrive.

In: a stream. Out: `Request`s; an `Answer` sent in a `Manner`. It knows nothing of FHIR.
"""

import asyncio
from collections.abc import Iterator
from typing import Final

import h11

from simulators.record.answers import Answer, Refused
from simulators.record.faults import Manner
from simulators.record.routes import Request

LARGEST_BODY: Final = 150_000_000  # bytes: a photograph of 100 MiB is 140 million characters of a Binary
_CHUNK: Final = 65_536  # bytes


class Line:
    """A connection with one client."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """The line owns both streams from here."""
        self._reader, self._writer = reader, writer
        self._http = h11.Connection(h11.SERVER)
        self._head_only = False

    async def receive(self) -> Request | None:
        """The next request, or None at the end; raises `Refused`, `h11.RemoteProtocolError`, `OSError`."""
        head = await self._event()
        if not isinstance(head, h11.Request):
            return None
        self._head_only = head.method == b"HEAD"
        body, size = bytearray(), 0
        while isinstance(event := await self._event(), h11.Data):
            size += len(event.data)
            if size <= LARGEST_BODY:
                body += event.data
        # A body too large is read to its end, and forgotten: closing on it earlier would reset the line, and
        # the client might never see the 413.
        if size > LARGEST_BODY:
            raise Refused(413, "too-long", f"The body is larger than {LARGEST_BODY} bytes.")
        path, _, query = head.target.decode("ascii").partition("?")
        headers = {name.decode("ascii"): value.decode("latin-1") for name, value in head.headers}
        return Request(head.method.decode("ascii"), path, query, headers, bytes(body))

    async def send(self, answer: Answer, manner: Manner = Manner.WHOLE, pace_s: float = 0.0) -> bool:
        """Send an answer; False when the line is at its end. Raises `OSError` when the client is gone."""
        match manner:
            case Manner.CUT:
                return False
            case Manner.TRUNCATED:
                self._writer.write(self._truncated(answer))
                await self._writer.drain()
                return False
            case Manner.SLOW:
                for byte in b"".join(self._pieces(answer)):
                    self._writer.write(bytes((byte,)))
                    await self._writer.drain()
                    await asyncio.sleep(pace_s)
            case Manner.WHOLE:
                for piece in self._pieces(answer):
                    self._writer.write(piece)
                    await self._writer.drain()
        return self._again()

    def close(self) -> None:
        """Let what was written go out, and close."""
        self._writer.close()

    async def _event(self) -> h11.Event | type[h11.PAUSED]:
        while True:
            event = self._http.next_event()
            if not (isinstance(event, type) and issubclass(event, h11.NEED_DATA)):
                return event
            if self._http.they_are_waiting_for_100_continue:
                go_on = h11.InformationalResponse(status_code=100, headers=[])
                self._writer.write(self._http.send(go_on) or b"")
            self._http.receive_data(await self._reader.read(_CHUNK))

    def _pieces(self, answer: Answer) -> Iterator[bytes]:
        """The answer as it goes over the wire; one that is not an iterator is one piece."""
        if isinstance(answer.body, bytes):
            yield self._head(answer) + self._data(answer.body) + self._end()
            return
        yield self._head(answer)
        for chunk in answer.body:
            yield self._data(chunk)
        yield self._end()

    def _truncated(self, answer: Answer) -> bytes:
        """The head and half of the body; without a body, half of the head."""
        head = self._head(answer)
        body = answer.body if isinstance(answer.body, bytes) else b"".join(answer.body)
        return head + body[: len(body) // 2] if body else head[: len(head) // 2]

    def _head(self, answer: Answer) -> bytes:
        headers = [("Content-Type", answer.media_type), *answer.headers]
        if isinstance(answer.body, bytes):
            headers.append(("Content-Length", str(len(answer.body))))
        return self._http.send(h11.Response(status_code=answer.status, headers=headers)) or b""

    def _data(self, data: bytes) -> bytes:
        return b"" if self._head_only else self._http.send(h11.Data(data=data)) or b""

    def _end(self) -> bytes:
        return self._http.send(h11.EndOfMessage()) or b""

    def _again(self) -> bool:
        """Whether the line can carry another request; makes it ready for it."""
        if self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
            return False
        self._http.start_next_cycle()
        return True
