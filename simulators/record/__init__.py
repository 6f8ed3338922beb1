"""The record simulator: a small, independent FHIR R4 server with a file behind it; it misbehaves on demand.

In: FHIR over HTTP on 127.0.0.1. Out: answers, and what a real line does to them (late, cut, wrong, refused).
It shares no code with the exporter that pushes to it, so that a mistake on one side cannot hide on the other;
it knows nothing of readings, devices' messages or ledgers. What it stored is told outside FHIR, below
`/_inspect`.
"""

from simulators.record.faults import FaultMalformed
from simulators.record.server import FileUnusable, NotStarted, PortTaken, serve

__all__ = ["FaultMalformed", "FileUnusable", "NotStarted", "PortTaken", "serve"]
