"""The settings of an installation, one frozen model a part, read from the environment and from ``.env``.

Comes in: names that begin with ``CONSTANTES_`` (nested by ``__``). Goes out: ``Settings``, or ``WrongSetting``, which
names the setting and never shows its value: it may be a secret. Refuses to know: what the parts do with them.

Secrets stand in files of their own; a setting only says which.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from app.addresses import is_loopback
from app.setting_parts import (
    EXAMPLE_OID,
    AlarmsSettings,
    BrokerSettings,
    ClockSettings,
    DeploymentSettings,
    FlowSettings,
    HttpSettings,
    LedgerSettings,
    MqttSettings,
    Part,
    RecordSettings,
    SeriesSettings,
)
from app.setting_words import problem, unknown

PREFIX = "CONSTANTES_"


class WrongSetting(Exception):  # noqa: N818 - it names what was found, and is caught by that name
    """A setting is unknown or cannot be used; the text names it and what would be right."""

    def __init__(self, name: str, problem: str) -> None:
        self.name = name
        self.problem = problem
        super().__init__(self.told("Nothing was started."))

    def told(self, safe: str) -> str:
        """For a person; ``safe`` says what did not happen because of it."""
        return f"{self.name}: {self.problem}. {safe} Correct it in the environment or in .env."


class Settings(BaseSettings):
    """Everything that can be set. Made by ``load``."""

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", env_prefix=PREFIX, env_nested_delimiter="__", env_file_encoding="utf-8"
    )

    data: Path = Path("data")
    language: Literal["fr", "en"] = "fr"
    http: HttpSettings = HttpSettings()
    mqtt: MqttSettings = MqttSettings()
    broker: BrokerSettings = BrokerSettings()
    ledger: LedgerSettings = LedgerSettings()
    series: SeriesSettings = SeriesSettings()
    record: RecordSettings = RecordSettings()
    records: dict[Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_]{0,31}$")], RecordSettings] = {}
    deployment: DeploymentSettings = DeploymentSettings()
    clock: ClockSettings = ClockSettings()
    flow: FlowSettings = FlowSettings()
    alarms: AlarmsSettings = AlarmsSettings()

    @property
    def has_ledger_server(self) -> bool:
        """Whether the ledger is a PostgreSQL database, not a file."""
        return self.ledger.url is not None and not self.ledger.url.startswith("sqlite:///")

    @property
    def ledger_path(self) -> Path:
        """The ledger's file, where it is one; the folder around it is also where blobs lie."""
        if self.ledger.url is None or self.has_ledger_server:
            return self.data / "ledger.sqlite"
        return Path(self.ledger.url.removeprefix("sqlite:///"))

    @property
    def broker_folder(self) -> Path:
        """Where the broker's accounts lie, the embedded broker's store included."""
        return self.data / "broker"

    @property
    def has_embedded_broker(self) -> bool:
        """Whether the installation brings its own broker."""
        return self.mqtt.url is None

    @property
    def can_ask_broker(self) -> bool:
        """Whether somebody else's broker can be asked with a secret: over TLS, or on this machine."""
        return self.mqtt.url is not None and (self.mqtt.url.startswith("mqtts://") or is_loopback(self.mqtt.url))

    @property
    def mqtt_url(self) -> str:
        """How a device reaches the broker."""
        return self.mqtt.public_url or self.mqtt.url or f"mqtt://127.0.0.1:{self.broker.port}"

    @property
    def http_url(self) -> str:
        """How people and software reach the installation."""
        host = f"[{self.http.host}]" if ":" in self.http.host else self.http.host
        return self.http.public_url or f"http://{host}:{self.http.port}"

    @property
    def takes_simulated(self) -> bool:
        """Whether readings of simulated devices may go to every record: those elsewhere have to say so."""
        return all(record.is_loopback or record.allow_simulated for record in self.destinations.values())

    @property
    def destinations(self) -> dict[str, RecordSettings]:
        """Every record that has an address, by name; the first one is called ``record``."""
        named = {"record": self.record, **self.records}
        return {name: record for name, record in named.items() if record.url is not None}


def load(env_file: Path | None = Path(".env")) -> Settings:
    """The settings that the environment gives, and then ``env_file`` if it is there.

    Raises WrongSetting for the first that is unknown or wrong.
    """
    _refuse_unknown(env_file)
    try:
        settings = Settings(_env_file=env_file)  # type: ignore[call-arg]  # the types of pydantic-settings lag
    except ValidationError as error:
        fault = error.errors(include_url=False, include_context=False, include_input=False)[0]
        name = _name(fault["loc"])
        raise WrongSetting(name, problem(name, fault["type"], fault["msg"], names())) from None
    except SettingsError as error:
        # Its text names the field and the source, and nothing else.
        named = re.search(r'field "(\w+)"', str(error))
        part = named[1].upper() if named else "..."
        raise WrongSetting(f"{PREFIX}{part}", "has parts: set each under its own name, as in .env.example") from None
    _check_together(settings)
    _check_series(settings.series)
    return settings


def secret_of(path: Path, name: str) -> str:
    """The secret in the file that setting ``name`` says, without the line end; raises WrongSetting when unreadable."""
    try:
        secret = path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise WrongSetting(name, "the file it names cannot be read by this user") from None
    if not secret:
        raise WrongSetting(name, "the file it names is empty")
    return secret


def names() -> list[str]:
    """Every setting's name; ``{NAME}`` where the name is free."""
    found: list[str] = []
    for name, field in Settings.model_fields.items():
        part, prefix = field.annotation, f"{PREFIX}{name.upper()}"
        if name == "records":
            part, prefix = RecordSettings, f"{prefix}__{{NAME}}"
        nested = part.model_fields if isinstance(part, type) and issubclass(part, Part) else None
        found += [f"{prefix}__{inner.upper()}" for inner in nested] if nested else [prefix]
    return found


def _refuse_unknown(env_file: Path | None) -> None:
    from dotenv import dotenv_values

    from_file = dotenv_values(env_file) if env_file is not None and env_file.is_file() else {}
    for name in (*os.environ, *from_file):
        if name.upper().startswith(PREFIX):
            part = name.upper().removeprefix(PREFIX).split("__")[0].lower()
            if part not in Settings.model_fields:
                raise WrongSetting(name.upper(), unknown(name.upper(), names()))


def _name(place: tuple[int | str, ...]) -> str:
    words = [str(part).upper() for part in place if part != "[key]"]
    return PREFIX + "__".join(words)


def _check_series(series: SeriesSettings) -> None:
    if not series.is_embedded and series.token_file is None:
        raise WrongSetting(f"{PREFIX}SERIES__TOKEN_FILE", "is absent, yet an InfluxDB is named, which asks for a token")


def _check_together(settings: Settings) -> None:
    if settings.mqtt.url is None and settings.http.port == settings.broker.port:
        raise WrongSetting(f"{PREFIX}HTTP__PORT", "is the broker's port too: give each a port of its own")
    if settings.deployment.oid == EXAMPLE_OID:
        for record in settings.destinations.values():
            if not record.is_loopback:
                raise WrongSetting(
                    f"{PREFIX}DEPLOYMENT__OID",
                    f"the example root {EXAMPLE_OID} may not leave this machine, and a record is elsewhere:"
                    " give the OID of your own organisation",
                )
    if settings.mqtt.url is None and (settings.mqtt.username or settings.mqtt.password_file):
        raise WrongSetting(f"{PREFIX}MQTT__URL", "is absent, yet a user name or password for that broker is given")
    if not settings.has_ledger_server and settings.ledger.password_file is not None:
        raise WrongSetting(f"{PREFIX}LEDGER__PASSWORD_FILE", "goes with a PostgreSQL address: a ledger file has none")
    if not settings.has_ledger_server and settings.ledger.standby == "required":
        raise WrongSetting(f"{PREFIX}LEDGER__STANDBY", "goes with a PostgreSQL address: a ledger file has no standby")
    if settings.mqtt.reloads_itself and not settings.can_ask_broker:
        raise WrongSetting(
            f"{PREFIX}MQTT__RELOADS_ITSELF",
            "is proven by asking the broker, and a secret would cross a network in the clear: give an mqtts:// address",
        )
    if bool(settings.mqtt.username) != bool(settings.mqtt.password_file):
        raise WrongSetting(f"{PREFIX}MQTT__USERNAME", "goes with PASSWORD_FILE: give both or neither")
