"""A record in this process: for trying a deployment without a server, and for tests.

Comes in: resources. Goes out: the answers a strict server gives. Refuses to know: HTTP.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeAlias

from fhir_export.push.content import same_content
from fhir_export.push.port import Answer, Capability, Ending, Identity, Outgoing, RecordUnavailable

Interference: TypeAlias = Callable[[Outgoing], Answer | None]
"""Asked after a resource was taken: another answer in place of the right one, or None."""


class MemoryRecord:
    """``fhir_export.push.port.Record`` in memory. ``versions`` and ``sent`` may be read at any time.

    ``takes``: what it says it does. ``instead``: an answer given without storing; ``afterwards``: one given after
    storing.
    """

    def __init__(
        self,
        takes: Capability | None = None,
        *,
        instead: Interference | None = None,
        afterwards: Interference | None = None,
    ) -> None:
        self.versions: dict[Identity, list[bytes]] = {}
        self.sent: Counter[Identity] = Counter()
        self.calls: list[int] = []
        self.instead, self.afterwards = instead, afterwards
        self._takes = takes or Capability(batch=True, transaction=True)

    def capability(self) -> Capability:
        """See the port."""
        return self._takes

    def send(self, outgoing: Sequence[Outgoing]) -> Sequence[Answer]:
        """See the port."""
        self.calls.append(len(outgoing))
        return [self._put(one, shared=len(outgoing) > 1) for one in outgoing]

    def read(self, identity: Identity, most: int) -> bytes | None:
        """See the port."""
        found = self.versions.get(identity)
        if found and len(found[-1]) > most:
            raise RecordUnavailable("record.no_answer")
        return found[-1] if found else None

    def _put(self, one: Outgoing, *, shared: bool) -> Answer:
        self.sent[one.identity] += 1
        if self.instead and (answer := self.instead(one)):
            return replace(answer, shared=answer.shared and shared)
        if not _right(one):
            return Answer(Ending.ANSWERED, 400, fhir=True, issues=("invalid",))
        held = self.versions.setdefault(one.identity, [])
        body = one.whole()
        if not held or not same_content(body, held[-1]):
            held.append(body)
        if self.afterwards and (answer := self.afterwards(one)):
            return replace(answer, shared=answer.shared and shared)
        status = 201 if len(held) == 1 else 200
        return Answer(Ending.ANSWERED, status, fhir=True, named=one.identity, version=str(len(held)))


def _right(one: Outgoing) -> bool:
    try:
        tree = json.loads(one.body)
    except ValueError:
        return False
    return isinstance(tree, dict) and (tree.get("resourceType"), tree.get("id")) == one.identity
