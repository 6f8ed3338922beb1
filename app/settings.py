"""The settings of an installation: one frozen model a part, read from the environment and from ``.env``.

Comes in: names that begin with ``CONSTANTES_`` (nested by ``__``). Goes out: ``Settings``, or ``WrongSetting``, which
names the setting and never shows its value: it may be a secret. Refuses to know: what the parts do with them.

Secrets stand in files of their own; a setting only says which.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from app.addresses import is_loopback, sqlite_file, url_of
from app.setting_words import problem, unknown

PREFIX = "CONSTANTES_"
EXAMPLE_OID = "2.999.1"
"""Below the arc that ITU-T X.660 keeps for examples: good for trials, never for a record that others read."""


class WrongSetting(Exception):  # noqa: N818 - it names what was found, and is caught by that name
    """A setting is unknown or cannot be used; the text names it and what would be right."""

    def __init__(self, name: str, problem: str) -> None:
        self.name = name
        self.problem = problem
        super().__init__(self.told("Nothing was started."))

    def told(self, safe: str) -> str:
        """For a person; ``safe`` says what did not happen because of it."""
        return f"{self.name}: {self.problem}. {safe} Correct it in the environment or in .env."


Port = Annotated[int, Field(ge=1, le=65_535)]
Oid = Annotated[str, Field(pattern=r"^[0-2](\.(0|[1-9][0-9]*))+$", max_length=64)]


class Part(BaseModel):
    """What all parts have: nothing changes after the start, and an unknown name is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class HttpSettings(Part):
    """Where people and software reach the installation."""

    host: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    port: Port = 8000
    public_url: Annotated[str, url_of("http", "https")] | None = None
    """How people and software reach it, where that differs: what links in answers begin with."""
    open_metrics: bool = False
    """Whether ``/metrics``, which carries no identity, is answered without a token."""


class MqttSettings(Part):
    """A broker that somebody else runs; without ``url`` the embedded one is used."""

    url: Annotated[str, url_of("mqtt", "mqtts", path=False)] | None = None
    username: str | None = None
    password_file: Path | None = None
    ca_file: Path | None = None
    reload_command: str = ""
    """What makes that broker read its accounts again, such as ``systemctl reload mosquitto``; runs without a shell."""
    public_url: Annotated[str, url_of("mqtt", "mqtts", path=False)] | None = None
    """How devices reach the broker, where that differs: what ``device add`` prints."""


class BrokerSettings(Part):
    """The embedded broker."""

    port: Port = 1883


class LedgerSettings(Part):
    """Where the ledger lies; absent: ``ledger.sqlite`` in the data folder."""

    url: Annotated[str, AfterValidator(sqlite_file)] | None = None


class SeriesSettings(Part):
    """The time series behind trends."""

    url: Literal["embedded"] = "embedded"


class RecordSettings(Part):
    """A FHIR server that readings are written to; without ``url`` exports wait."""

    url: Annotated[str, url_of("http", "https")] | None = None
    patients: Literal["lookup", "write"] = "lookup"
    token_file: Path | None = None
    allow_simulated: bool = False

    @property
    def is_loopback(self) -> bool:
        """Whether it is on this machine, or is not there at all."""
        return self.url is None or is_loopback(self.url)


class DeploymentSettings(Part):
    """What this installation is."""

    oid: Oid = EXAMPLE_OID
    production: bool = False
    """Whether real national identity numbers are taken; otherwise only those of the test systems are."""


class ClockSettings(Part):
    """How far clocks are trusted."""

    disciplined: Literal["auto", "yes", "no"] = "auto"
    oldest_days: Annotated[int, Field(ge=1, le=3_650)] = 90
    """Readings older than this are set aside as ``time.too_old`` (device contract, section 10)."""


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

    @property
    def ledger_path(self) -> Path:
        """The ledger's file."""
        url = self.ledger.url
        return self.data / "ledger.sqlite" if url is None else Path(url.removeprefix("sqlite:///"))

    @property
    def broker_folder(self) -> Path:
        """Where the broker's accounts lie, the embedded broker's store included."""
        return self.data / "broker"

    @property
    def has_embedded_broker(self) -> bool:
        """Whether the installation brings its own broker."""
        return self.mqtt.url is None

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
    if bool(settings.mqtt.username) != bool(settings.mqtt.password_file):
        raise WrongSetting(f"{PREFIX}MQTT__USERNAME", "goes with PASSWORD_FILE: give both or neither")
