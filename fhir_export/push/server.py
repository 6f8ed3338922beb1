"""A FHIR server over HTTP: batches where it says that it takes them, else transactions, else single PUTs.

Comes in: resources. Goes out: what was answered, read with bounds on time and size. Refuses to know: rows, retries,
what an answer means.

Redirects are not followed at all: one across hosts would carry the token and a patient's data away. The environment's
proxies and ``.netrc`` are not used, so that a destination is what the settings say and nothing else.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

import httpx

from fhir_export.push import replies
from fhir_export.push.bundle import bundle
from fhir_export.push.deadline import Deadline
from fhir_export.push.port import Answer, Capability, Ending, Identity, Outgoing, RecordUnavailable
from fhir_export.push.replies import Reply
from fhir_export.push.statement import capability

SILENCE_S = 30.0
"""Longest wait for the next bytes of an answer: HAPI takes seconds for a batch of 100 while it warms up."""
WHOLE_S = 300.0
"""Longest time for a request and its answer; a photograph of 100 MB takes 80 s at 10 Mbit/s."""
CONNECT_S = 10.0
LARGEST_ANSWER = 16_000_000
"""Bytes: a batch's answer with every resource in it is about 1 MB, a CapabilityStatement of HAPI about 2."""

_FHIR_JSON = "application/fhir+json"
_AGAIN = {"X-Retry-On-Version-Conflict": "retry; max-retries=5"}
"""HAPI's own, passed over by others: what met another writer is written again there, instead of 409 for a Bundle."""
_UNSENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)
_STOPS = frozenset({401, 429, 503})  # after these the next single PUT would get the same
_OK, _UNAUTHORIZED, _NOT_THERE, _NOT_ACCEPTABLE, _GONE = 200, 401, 404, 406, 410


class FhirServer:
    """``fhir_export.push.port.Record`` over HTTP."""

    def __init__(
        self,
        base: str,
        token_file: Path | None = None,
        *,
        tls: ssl.SSLContext | None = None,
        silence_s: float = SILENCE_S,
        whole_s: float = WHOLE_S,
    ) -> None:
        """``base``: the server's FHIR address. ``token_file``: one line with a bearer token, read again after a 401.

        ``tls``: certificates to trust instead of the public ones.
        """
        self._base, self._token_file = base.rstrip("/"), token_file
        self._deadline = Deadline(whole_s)
        self._traced = {"trace": self._deadline.trace}
        self._client = httpx.Client(
            verify=tls or True,
            follow_redirects=False,
            trust_env=False,
            limits=httpx.Limits(max_connections=1),
            timeout=httpx.Timeout(silence_s, connect=CONNECT_S),
            # No compression: a small answer could unfold to any size.
            headers={"Accept": _FHIR_JSON, "Accept-Encoding": "identity", "Prefer": "return=minimal"} | _AGAIN,
        )
        self._kind: str | None = None
        self._authorize()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()
        self._deadline.close()

    def capability(self) -> Capability:
        """See the port."""
        statement = self._asked("metadata", LARGEST_ANSWER).document()
        if statement.get("resourceType") != "CapabilityStatement":
            raise RecordUnavailable("record.portal")
        found = capability(statement)
        # In a batch each resource stands for itself; a transaction is refused whole for one, and then halved.
        self._kind = "batch" if found.batch else "transaction" if found.transaction else None
        return found

    def send(self, outgoing: Sequence[Outgoing]) -> Sequence[Answer]:
        """See the port; a 401 is asked once more with the token as it stands in its file now."""
        answers = self._once(outgoing)
        if not any(answer.status == _UNAUTHORIZED for answer in answers):
            return answers
        self._authorize()
        again = [n for n, answer in enumerate(answers) if answer.status in (_UNAUTHORIZED, 0)]
        for n, answer in zip(again, self._once([outgoing[n] for n in again]), strict=True):
            answers[n] = answer
        return answers

    def read(self, identity: Identity, most: int) -> bytes | None:
        """See the port."""
        reply = self._asked("/".join(identity), most)
        if reply.status == _GONE:
            raise RecordUnavailable("record.gone")
        return None if reply.status == _NOT_THERE else reply.body

    def _asked(self, path: str, most: int) -> Reply:
        """A GET's answer: FHIR with status 200, or that it is not there; raises RecordUnavailable."""
        reply = self._exchange("GET", path, None, most)
        if isinstance(reply, Ending):
            raise RecordUnavailable("record.unreachable" if reply is Ending.UNSENT else "record.no_answer")
        if reply.status == _UNAUTHORIZED:
            self._authorize()
            raise RecordUnavailable("record.unauthorized")
        if reply.status == _NOT_ACCEPTABLE or "fhir+xml" in reply.headers.get("content-type", ""):
            raise RecordUnavailable("record.not_json")
        if not reply.document() or reply.status not in (_OK, _NOT_THERE, _GONE):
            raise RecordUnavailable("record.failed" if reply.status >= 500 else "record.portal")  # noqa: PLR2004 - RFC 9110
        return reply

    def _once(self, outgoing: Sequence[Outgoing]) -> list[Answer]:
        if self._kind is not None and len(outgoing) > 1:
            return self._together(outgoing, self._kind)
        answers: list[Answer] = []
        for one in outgoing:
            answers.append(self._alone(one))
            if answers[-1].ending is not Ending.ANSWERED or answers[-1].status in _STOPS:
                break
        return answers + [Answer(Ending.UNSENT)] * (len(outgoing) - len(answers))

    def _together(self, outgoing: Sequence[Outgoing], kind: str) -> list[Answer]:
        reply = self._exchange("POST", "", bundle(outgoing, self._base, kind), LARGEST_ANSWER)
        if isinstance(reply, Ending):
            return [Answer(reply, shared=True)] * len(outgoing)
        return replies.batch(reply, outgoing)

    def _alone(self, one: Outgoing) -> Answer:
        most = LARGEST_ANSWER + 2 * one.length  # some servers give the resource back, asked or not
        body = one.body if one.pieces is None else one.pieces()
        reply = self._exchange("PUT", f"{one.type}/{one.id}", body, most, one.length)
        return Answer(reply) if isinstance(reply, Ending) else replies.single(reply)

    def _exchange(
        self, method: str, path: str, body: bytes | Iterator[bytes] | None, most: int, length: int | None = None
    ) -> Reply | Ending:
        url = f"{self._base}/{path}" if path else self._base
        headers = {"Content-Type": _FHIR_JSON} if body is not None else {}
        if length is not None:
            headers["Content-Length"] = str(length)
        try:
            with (
                self._deadline.running(),
                self._client.stream(method, url, content=body, headers=headers, extensions=self._traced) as response,
            ):
                read = _bounded(response, most)
                return Ending.LOST if read is None else Reply(response.status_code, response.headers, read, time.time())
        except _UNSENT:
            return Ending.UNSENT
        except (httpx.HTTPError, httpx.StreamError):
            return Ending.LOST

    def _authorize(self) -> None:
        """Take the token as it stands in its file; without a usable one the server's 401 will tell."""
        if self._token_file is None:
            return
        try:
            token = self._token_file.read_text("ascii").strip()
        except (OSError, UnicodeDecodeError):
            token = ""
        self._client.headers.pop("Authorization", None)
        if token.isprintable() and token:
            self._client.headers["Authorization"] = f"Bearer {token}"


def _bounded(response: httpx.Response, most: int) -> bytes | None:
    """The body as it came over the wire; None when it does not end within the bounds."""
    body = bytearray()
    for piece in response.iter_raw():
        body += piece
        if len(body) > most:
            return None
    return bytes(body)
