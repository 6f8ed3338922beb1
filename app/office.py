"""The office, wired: the registry's verbs with this installation's ledger, broker, clock and rules.

Comes in: settings, an open ledger. Goes out: ``Office``. Refuses to know: HTTP.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app import broker, wiring
from app.clock import now
from app.outside import Outside
from app.settings import Settings
from console.office import Office
from fhir_export.profiles import METHODS
from gateway.broker.accounts import BrokerUser, hash_for, new_secret
from gateway.broker.faults import BrokerFault
from ingest.ledger.files import OpenLedger
from registry.alarm import Limits
from registry.devices import Account
from registry.operations import GateSilent, Registrar, Secret

_NOT_YET = "Registered. Devices are let in when the gateway has subscribed for the first time."
_NOT_TOLD = "Registered. Mosquitto was not told: set CONSTANTES_MQTT__RELOAD_COMMAND or reload it by hand."


def office(settings: Settings, file: OpenLedger) -> Office:
    """The office of an installation; one a process, for all its servers."""
    registrar = Registrar(
        file,
        _Door(settings),
        now,
        fresh_secret,
        frozenset(METHODS),
        production=settings.deployment.production,
        simulated=settings.takes_simulated,
    )
    limits = Limits(**settings.alarms.model_dump())
    series, outside = wiring.series(settings, file), Outside(settings)
    rules = wiring.rules(settings)
    return Office(registrar, settings.mqtt_url, series, settings.language, limits, outside, rules)


def fresh_secret() -> Secret:
    """A device's secret, and its hashes for every broker."""
    plain = new_secret()
    return Secret(plain, hash_for(plain))


@dataclass(frozen=True, slots=True)
class _Door:
    """``registry.operations.Gate`` at this installation's broker."""

    settings: Settings

    def admit(self, users: Sequence[Account]) -> None:
        """See the port. Before the gateway's first subscription at somebody else's broker nobody is let in."""
        if not self.settings.has_embedded_broker and not broker.had_subscription(self.settings):
            raise GateSilent(_NOT_YET)
        try:
            broker.gate(self.settings).admit([BrokerUser(u.device, u.secret_hash, "device") for u in users])
        except BrokerFault as fault:
            raise GateSilent(str(fault)) from None
        if not broker.can_reload(self.settings):
            raise GateSilent(_NOT_TOLD)
