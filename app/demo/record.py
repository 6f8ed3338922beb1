"""The demonstration's own record: a simulated one, which tells what it holds and misbehaves when asked to.

Comes in: the address below which it tells. Goes out: what ``app.demo.asked.Record`` says. Refuses to know: the
installation that writes to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import httpx

from app.demo.asked import Json, get, lines, read


@dataclass(frozen=True, slots=True)
class Simulated:
    """``inspect`` is where it tells what it holds, outside FHIR."""

    inspect: str

    def held(self, line: httpx.Client) -> bytes:
        """See the port."""
        kinds = read(get(line, f"{self.inspect}/summary"))["resources"]
        return b"".join(get(line, f"{self.inspect}/resources?type={kind}") for kind in kinds)

    def sent(self, line: httpx.Client) -> Sequence[Json]:
        """See the port."""
        return lines(get(line, f"{self.inspect}/puts"))

    def faults(self, line: httpx.Client) -> Json:
        """See the port."""
        found: Json = read(get(line, f"{self.inspect}/faults"))["fired"]
        return found

    def misbehave(self, faults: Sequence[str]) -> None:
        """See the port."""
        httpx.post(f"{self.inspect}/faults", json={"faults": list(faults)}, trust_env=False).raise_for_status()
