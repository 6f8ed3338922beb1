"""The port through which the rest of the project opens and closes the broker's door.

In: the accounts that shall be let in, all of them. Out: a broker that lets in these and nobody else.
Refuses to know: which broker it is, who the devices belong to.
"""

from collections.abc import Sequence
from typing import Protocol

from gateway.broker.accounts import BrokerUser


class DeviceGate(Protocol):
    """Makes a broker's accounts equal to a list; one call is one whole change."""

    def admit(self, users: Sequence[BrokerUser]) -> None:
        """Let in exactly `users` from now on.

        Called after the registry has committed a device's addition or revocation, and once after the
        gateway's first subscription (what is published before it is acknowledged and lost). When it returns,
        every user of the list can connect, everybody else is refused, and a connection that a removed user
        still had is cut. Connections of the users that stay are left alone. Repeating it is harmless.

        Raises `BrokerFault` when the broker was not seen to follow. The list is on disk by then and holds at
        the broker's next start, unless it is `ListNotWritten`.
        """
