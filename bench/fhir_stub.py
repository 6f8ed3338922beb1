"""A FHIR server that stores nothing: it answers each request after some milliseconds, with what a real one would say.

    python -m bench.fhir_stub LATENCY_MS     prints its base, ends with its standard input

Comes in: HTTP/1.1 with Content-Length. Goes out: 201 for everything that is PUT, alone or in a Bundle. It is the other
side of a measurement, so it does as little as can be: it looks for ``"url":"Type/id"`` and parses nothing.
"""

from __future__ import annotations

import asyncio
import re
import sys

_URL = re.compile(rb'"url":"([A-Z][A-Za-z]+/[A-Za-z0-9.-]{1,64})"\}\}')
_LENGTH = re.compile(rb"content-length: *([0-9]+)", re.IGNORECASE)
_ENTRY = b'{"response":{"status":"201 Created","location":"%s/_history/1","etag":"W/\\"1\\""}}'
_METADATA = (
    b'{"resourceType":"CapabilityStatement","status":"active","kind":"instance","fhirVersion":"4.0.1","format":["json"],'
    b'"rest":[{"mode":"server","interaction":[{"code":"batch"}]}]}'
)


async def serve(latency_s: float) -> None:
    """Answer until standard input ends."""
    asked = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = _LENGTH.search(head)
                body = await reader.readexactly(int(length[1])) if length else b""
                answer = _answer(head, body)
                await asyncio.sleep(latency_s)
                writer.write(answer)
        except (asyncio.IncompleteReadError, asyncio.CancelledError, OSError):
            writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0, limit=1 << 21)
    sys.stdout.write(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/fhir\n")
    sys.stdout.flush()
    asyncio.get_running_loop().add_reader(sys.stdin, asked.set)
    await asked.wait()


def _answer(head: bytes, body: bytes) -> bytes:
    method, path, _ = head.split(b" ", 2)
    if method == b"GET":
        return _http(b"200 OK", _METADATA)
    if method == b"PUT":
        named = b"/".join(path.split(b"/")[-2:])
        return _http(b"201 Created", b"", b'ETag: W/"1"\r\nLocation: %s/_history/1\r\n' % named)
    entries = b",".join(_ENTRY % url for url in _URL.findall(body))
    return _http(b"200 OK", b'{"resourceType":"Bundle","type":"batch-response","entry":[' + entries + b"]}")


def _http(status: bytes, body: bytes, more: bytes = b"") -> bytes:
    kind = b"Content-Type: application/fhir+json\r\n" if body else b""
    return b"HTTP/1.1 %s\r\n%s%sContent-Length: %d\r\n\r\n%s" % (status, kind, more, len(body), body)


if __name__ == "__main__":
    asyncio.run(serve(float(sys.argv[1]) / 1000))
