"""The fifty devices of W1 and W2, and the door they come in by.

Comes in: a site. Goes out: how many messages were accepted. Refuses to know: who takes them.
"""

from __future__ import annotations

import json
import subprocess
import sys

from app import wiring
from bench.site import Site
from gateway.broker.accounts import BrokerUser
from gateway.broker.embedded_gate import EmbeddedGate
from registry import devices

DEVICES = 50


def publish(here: Site, seconds: float, waits_for: str) -> int:
    """Returns how many messages were accepted."""
    where = ("127.0.0.1", str(here.settings.broker.port), str(here.devices), str(seconds), waits_for)
    done = subprocess.run([sys.executable, "-m", "bench.publishers", *where], check=True, capture_output=True)
    return int(json.loads(done.stdout)["accepted"])


def let_in(here: Site) -> None:
    """Admit the devices. Whatever subscribes stands in for the gateway, and has to have subscribed before."""
    with wiring.ledger(here.settings) as file, file.readers.connect() as connection:
        accounts = devices.accounts(connection)
    EmbeddedGate(here.settings.broker_folder).admit(
        [BrokerUser(each.device, each.secret_hash, "device") for each in accounts]
    )
