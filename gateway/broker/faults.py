"""What can go wrong with a broker, in words for the person who has to act.

In: the facts of a failure. Out: one exception class a cause, all below `BrokerFault`.
Refuses to know: how the failure is shown.

    BrokerFault
     ├── PortBusy          another program listens where the broker should
     ├── OrphanFound       a broker of this folder still runs without its supervisor
     ├── BinaryRefused     the nats-server program is missing or is not the one that was measured
     ├── BrokerDidNotStart it ended, or did not answer in time
     ├── ListNotWritten    the disk did not take the new accounts
     ├── ReloadNotSeen     the new accounts were written but the broker was not seen to follow
     └── StoreRefused      the JetStream API refused a limit of the message store
"""


class BrokerFault(Exception):  # noqa: N818 (a fault is what the reader sees; every subclass names one)
    """A broker did not do what was asked: what happened, what is safe, what to do, each one sentence."""

    def __init__(self, happened: str, safe: str, remedy: str) -> None:
        super().__init__(f"{happened} {safe} {remedy}")
        self.happened = happened
        self.safe = safe
        self.remedy = remedy


class PortBusy(BrokerFault):
    """Another program already listens on the broker's port."""


class OrphanFound(BrokerFault):
    """A broker started for the same folder is still running."""


class BinaryRefused(BrokerFault):
    """The nats-server program cannot be trusted or found."""


class BrokerDidNotStart(BrokerFault):
    """The broker ended or stayed silent while it was being started."""


class ListNotWritten(BrokerFault):
    """The new accounts could not be put on disk."""

    def __init__(self, failed: OSError) -> None:
        super().__init__(
            f"The broker's accounts could not be written: {failed.strerror or type(failed).__name__}.",
            "The broker goes on with those it has; what was registered is kept.",
            "See that the disk of the data folder has room and belongs to this user, and repeat the command.",
        )


class ReloadNotSeen(BrokerFault):
    """The broker was told of new accounts and was not seen to use them."""


class StoreRefused(BrokerFault):
    """The broker's message store did not take its limits."""


KEPT_BY_DEVICES = "Readings are safe: devices keep each one until it is answered."
