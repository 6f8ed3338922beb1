"""The settings: what crosses a network in the clear, who may read the secrets, how long certificates hold.

Comes in: settings. Goes out: findings. Refuses to know: what is in a secret.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from app.addresses import is_loopback
from app.doctor import certificates
from app.doctor.finding import Finding, found
from app.setting_parts import EXAMPLE_OID
from app.settings import PREFIX, Settings

_OTHERS, _GROUP = 0o007, 0o070
_SECURED = ("sslmode=require", "sslmode=verify-ca", "sslmode=verify-full")


def look(settings: Settings) -> Iterator[Finding]:
    """See the module."""
    yield from _clear(settings)
    for name, path in secret_files(settings):
        yield from by_rights(name, path)
    if settings.deployment.production and settings.deployment.oid == EXAMPLE_OID:
        yield found("settings.example_oid")
    for name, url, authority in _secured(settings):
        yield from certificates.look(name, url, authority)


def _clear(settings: Settings) -> Iterator[Finding]:
    """What other people on a network could read."""
    if not is_loopback(f"http://{settings.http.host}") and not settings.http_url.startswith("https://"):
        yield found("settings.http_open", name=f"{PREFIX}HTTP__HOST")
    for name, url, code in (
        ("MQTT__URL", settings.mqtt.url, "settings.mqtt_clear"),
        ("MQTT__PUBLIC_URL", settings.mqtt.public_url, "settings.mqtt_clear"),
        ("SERIES__URL", settings.series.url, "settings.clear"),
        *((_record(name), record.url, "settings.clear") for name, record in settings.destinations.items()),
    ):
        if url is not None and urlsplit(url).scheme in ("mqtt", "http") and not is_loopback(url):
            yield found(code, name=PREFIX + name)
    ledger = settings.ledger.url or ""
    if settings.has_ledger_server and not _stays_here(ledger) and not any(each in ledger for each in _SECURED):
        yield found("settings.clear", name=f"{PREFIX}LEDGER__URL")


def _stays_here(ledger: str) -> bool:
    """Whether all hosts of a database's address are this machine."""
    place = ledger.partition("://")[2].partition("?")[0].rpartition("@")[2].partition("/")[0]
    return all(is_loopback(f"x://{host}") for host in place.split(","))


def _record(name: str) -> str:
    return "RECORD__URL" if name == "record" else f"RECORDS__{name.upper()}__URL"


def secret_files(settings: Settings) -> Iterator[tuple[str, Path]]:
    """The files that hold a secret, and the setting that names each."""
    records = ((_record(name).replace("URL", "TOKEN_FILE"), r.token_file) for name, r in settings.destinations.items())
    for name, path in (
        ("MQTT__PASSWORD_FILE", settings.mqtt.password_file),
        ("LEDGER__PASSWORD_FILE", settings.ledger.password_file),
        ("SERIES__TOKEN_FILE", settings.series.token_file),
        *records,
    ):
        if path is not None:
            yield PREFIX + name, path


def by_rights(name: str, path: Path) -> Iterator[Finding]:
    """Whether the file can be read by this user, and by nobody else."""
    try:
        mode = path.stat().st_mode
        path.read_bytes()
    except OSError:
        yield found("settings.secret_unreadable", name=name)
        return
    if mode & (_OTHERS | _GROUP):
        code = "settings.secret_open" if mode & _OTHERS else "settings.secret_group"
        yield found(code, name=name, mode=f"{mode & 0o777:04o}")


def _secured(settings: Settings) -> Iterator[tuple[str, str, Path | None]]:
    """What is reached over TLS: the setting, the address, who vouches for its certificate."""
    for name, url, authority in (
        ("MQTT__URL", settings.mqtt.url, settings.mqtt.ca_file),
        ("SERIES__URL", settings.series.url, None),
        *((_record(name), record.url, None) for name, record in settings.destinations.items()),
    ):
        if url is not None and urlsplit(url).scheme in ("mqtts", "https"):
            yield PREFIX + name, url, authority
