"""What is written down while it runs: one JSON line an event on standard error, UTC, without values or identities.

Comes in: nothing. Goes out: a configured structlog. Refuses to know: what is logged.
"""

from __future__ import annotations

import logging
import sys

import structlog


def configure() -> None:
    """Write JSON lines from now on; called once by each process."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
