"""A broker's door that only remembers: for tests of who is let in."""

from __future__ import annotations

from collections.abc import Sequence

from registry.devices import Account
from registry.operations import GateSilent


class Door:
    """``registry.operations.Gate``; with ``away`` it does not follow."""

    def __init__(self) -> None:
        self.inside: list[str] = []
        self.away = False

    def admit(self, users: Sequence[Account]) -> None:
        """See the port."""
        if self.away:
            raise GateSilent("The broker is away.")
        self.inside = [user.device for user in users]
