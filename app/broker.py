"""Which broker an installation uses, and how its door is opened.

Comes in: settings. Goes out: the gateway's account there, and the gate for devices. Refuses to know: messages.
"""

from __future__ import annotations

import shlex
import ssl
from pathlib import Path
from urllib.parse import urlsplit

from app.settings import Settings, WrongSetting, secret_of
from gateway.broker.accounts import BrokerUser
from gateway.broker.credentials import gateway_credentials
from gateway.broker.embedded_gate import EmbeddedGate
from gateway.broker.faults import ListNotWritten
from gateway.broker.gate import DeviceGate
from gateway.broker.mosquitto import MosquittoGate, Reload
from gateway.broker.private_files import private_folder
from gateway.mqtt import Account
from ingest.ledger.engine import named_faults
from ingest.ledger.files import OpenLedger
from registry import devices

_PORTS = {"mqtt": 1883, "mqtts": 8883}


def account(settings: Settings) -> Account:
    """How the gateway connects; its secret is made at the first call where the broker is ours to furnish."""
    private_folder(settings.broker_folder)
    own = gateway_credentials(settings.broker_folder)
    url = settings.mqtt.url
    if url is None:
        return Account("127.0.0.1", settings.broker.port, own.username, own.secret, own.client_id)
    address = urlsplit(url)
    port = address.port or _PORTS[address.scheme]
    ca_file = settings.mqtt.ca_file if address.scheme == "mqtts" else None
    tls = address.scheme == "mqtts"
    if settings.mqtt.username and settings.mqtt.password_file:
        secret = secret_of(settings.mqtt.password_file, "CONSTANTES_MQTT__PASSWORD_FILE")
        return Account(address.hostname or "", port, settings.mqtt.username, secret, own.client_id, tls, ca_file)
    return Account(address.hostname or "", port, own.username, own.secret, own.client_id, tls, ca_file)


def gate(settings: Settings) -> DeviceGate:
    """The door for devices."""
    if settings.has_embedded_broker:
        return EmbeddedGate(settings.broker_folder)
    return MosquittoGate(settings.broker_folder, _reload(settings))


def can_reload(settings: Settings) -> bool:
    """Whether a change of accounts reaches the running broker; without a command only its next start reads them."""
    mqtt = settings.mqtt
    return settings.has_embedded_broker or mqtt.reloads_itself or bool(mqtt.reload_command.strip())


def users(file: OpenLedger) -> list[BrokerUser]:
    """The accounts of every active device."""
    with named_faults(), file.readers.connect() as connection:
        return [BrokerUser(a.device, a.secret_hash, "device") for a in devices.accounts(connection)]


def had_subscription(settings: Settings) -> bool:
    """Whether this gateway ever subscribed at a broker of somebody else; the embedded one knows it by its store."""
    return _mark(settings).exists()


def note_subscription(settings: Settings) -> None:
    """Remember that devices may be let in at the broker of this address; raises ListNotWritten."""
    try:
        _mark(settings).touch(mode=0o600)
    except OSError as failed:
        raise ListNotWritten(failed) from failed


def _reload(settings: Settings) -> Reload:
    """How that broker is told, and where it is asked whether it followed."""
    command = shlex.split(settings.mqtt.reload_command)
    if not settings.can_ask_broker:
        return Reload(command)
    address = urlsplit(settings.mqtt.url or "")
    place = address.hostname or "", address.port or _PORTS[address.scheme]
    tls = _tls(settings) if address.scheme == "mqtts" else None
    return Reload(command, settings.mqtt.reloads_itself, place, tls)


def _tls(settings: Settings) -> ssl.SSLContext:
    """What finds the broker's certificate good or not; raises WrongSetting."""
    try:
        return ssl.create_default_context(cafile=settings.mqtt.ca_file)
    except OSError:  # ssl.SSLError is one
        raise WrongSetting("CONSTANTES_MQTT__CA_FILE", "the file it names cannot be read as certificates") from None


def _mark(settings: Settings) -> Path:
    address = urlsplit(settings.mqtt.url or "")
    return settings.broker_folder / f"subscribed-{address.hostname}-{address.port or 0}"
