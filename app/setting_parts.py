"""What can be set of each part of an installation: a frozen model a part, with its defaults.

Comes in: texts of the environment. Goes out: values of the right kind, or pydantic's fault. Refuses to know: where the
texts come from, and what has to fit together (``app.settings``).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from app.addresses import is_loopback, ledger_url, series_url, url_of

EXAMPLE_OID = "2.999.1"
"""Below the arc that ITU-T X.660 keeps for examples: good for trials, never for a record that others read."""
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
    reloads_itself: bool = False
    """Whoever runs that broker looks at its accounts and reloads it (``deploy/mosquitto/start``): no command is needed,
    and the broker is asked whether it followed."""
    public_url: Annotated[str, url_of("mqtt", "mqtts", path=False)] | None = None
    """How devices reach the broker, where that differs: what ``device add`` prints."""


class BrokerSettings(Part):
    """The embedded broker."""

    port: Port = 1883


class LedgerSettings(Part):
    """Where the ledger lies; absent: ``ledger.sqlite`` in the data folder."""

    url: Annotated[str, AfterValidator(ledger_url)] | None = None
    password_file: Path | None = None
    """The password of PostgreSQL's user; a ledger file has none."""
    standby: Literal["auto", "required"] = "auto"
    """``required``: nothing is written to a PostgreSQL server that does not wait for a standby."""
    reserve_mib: Annotated[int, Field(ge=0, le=1 << 24)] = 256
    """How many MiB stay free where the ledger, or the folder of large contents, lies: with less, nothing is taken."""
    keep_days: Annotated[int, Field(ge=1, le=36_500)] | None = None
    """After how many days a message that every record has loses its bytes (``ledger prune``); absent: never."""


class SeriesSettings(Part):
    """The time series behind trends: beside the ledger's rows, or an InfluxDB 2."""

    url: Annotated[str, AfterValidator(series_url)] = "embedded"
    org: Annotated[str, Field(min_length=1, max_length=256)] = "constantes"
    bucket: Annotated[str, Field(pattern=r"^[^_\"\s][^\"\n]*$", max_length=200)] = "constantes"
    """InfluxDB's bucket of single points; that of hours is called the same with ``_hourly`` behind it."""
    token_file: Path | None = None
    timeout_s: Annotated[float, Field(ge=0.1, le=300)] = 10.0
    keep_days: Annotated[int, Field(ge=1, le=36_500)] | None = None
    """After how many days InfluxDB may forget single points; absent: never, so that trends show what the ledger has."""

    @property
    def is_embedded(self) -> bool:
        """Whether no server is needed."""
        return self.url == "embedded"


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


class FlowSettings(Part):
    """How much a device, or a hub for all that it serves, may send before it is asked to wait (``gateway.flood``)."""

    device_rate: Annotated[int, Field(ge=1, le=1_000_000)] = 200
    """Readings a second, for ever."""
    device_burst: Annotated[int, Field(ge=1, le=10_000_000)] = 100_000
    """Readings at once beside that: an outbox after an outage, what a broker kept."""


class ClockSettings(Part):
    """How far clocks are trusted."""

    disciplined: Literal["auto", "yes", "no"] = "auto"
    oldest_days: Annotated[int, Field(ge=1, le=3_650)] = 90
    """Readings older than this are set aside as ``time.too_old`` (device contract, section 10)."""


Seconds = Annotated[int, Field(ge=1, le=31_622_400)]


class AlarmsSettings(Part):
    """From how many seconds on something is an alarm."""

    delivery_s: Seconds = 15 * 60
    """A version that is due at a destination."""
    gap_s: Seconds = 60 * 60
    """A reading that never came."""
    inbox_s: Seconds = 24 * 3600
    """A reading without a patient."""
    content_s: Seconds = 24 * 3600
    """A reading whose file is not whole."""
    unheard_s: Seconds = 48 * 3600
    """A device that said hello once and says nothing more."""
