"""The message store of nats-server as it lies on disk: whether the gateway has a place in it yet.

In: the store's folder, a client id. Out: yes or no. Refuses to know: the network, whether a broker runs.

What is published before the gateway's first subscription is acknowledged and kept for nobody. Whether there
was one is read from the store itself, so that the answer cannot outlive it: a store that vanished is a store
without gateway. The layout is that of the pinned nats-server (server/filestore.go, server/mqtt.go); a test
holds it against the program.
"""

import hashlib
import string
from pathlib import Path

MESSAGES, RETAINED = "$MQTT_msgs", "$MQTT_rmsgs"  # made by nats-server at the first MQTT connection

_CONSUMERS = Path("jetstream", "$G", "streams", MESSAGES, "obs")
_DIGITS = string.digits + string.ascii_uppercase + string.ascii_lowercase
_HASH_LENGTH = 8


def has_subscription(store: Path, client_id: str) -> bool:
    """Say whether the session of `client_id` has subscribed at QoS 1 in this store, and so misses nothing."""
    consumers = store / _CONSUMERS
    return consumers.is_dir() and any(belongs_to(kept.name, client_id) for kept in consumers.iterdir())


def belongs_to(durable: str, client_id: str) -> bool:
    """Say whether a durable consumer, by its name, is of the session of `client_id`."""
    digest = hashlib.sha256(client_id.encode()).digest()[:_HASH_LENGTH]
    return durable.startswith("".join(_DIGITS[byte % len(_DIGITS)] for byte in digest) + "_")
