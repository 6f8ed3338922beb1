"""The demonstration: a morning on Reunion island, on this machine alone, played, shown and checked.

Comes in: whether to end by itself. Goes out: an exit code, and files to open. Refuses to know: the command line.
"""

from app.demo.play import play

__all__ = ["play"]
