"""A process that delivers from a ledger to a record until it is ended: `deliver.py LEDGER BLOBS BASE`.

LEDGER is a file or a database; its password is in libpq's own variable.
"""

from __future__ import annotations

import random
import sys
import threading
import time
from pathlib import Path

from fhir_export.push.delivery import Delivery
from fhir_export.push.server import FhirServer
from ingest.ledger.files import open_ledger


def main() -> None:
    """Deliver."""
    ledger, blobs, base = sys.argv[1:]
    with open_ledger(ledger, blobs=Path(blobs)) as file, FhirServer(base) as record:
        delivery = Delivery(file, "record", record, lambda: time.time_ns() // 1000, random.random)
        sys.stdout.write("delivering\n")
        sys.stdout.flush()
        delivery.run(threading.Event())


if __name__ == "__main__":
    main()
