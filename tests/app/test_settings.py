"""Settings: what is taken, what stops the start, and that no value is ever shown."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from app.settings import Settings, WrongSetting, load, names, secret_of

EXAMPLE = Path(__file__).parents[2] / ".env.example"


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting from this machine."""
    for name in os.environ:
        if name.upper().startswith("CONSTANTES_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def given(monkeypatch: pytest.MonkeyPatch, **settings: str) -> Settings:
    """What is loaded with these in the environment."""
    for name, value in settings.items():
        monkeypatch.setenv(f"CONSTANTES_{name}", value)
    return load()


def test_nothing_has_to_be_set() -> None:
    """The defaults are one site on this machine: embedded broker, SQLite, no record."""
    settings = load()
    assert settings.ledger_path == Path("data/ledger.sqlite")
    assert settings.mqtt_url == "mqtt://127.0.0.1:1883"
    assert settings.http_url == "http://127.0.0.1:8000"
    assert settings.has_embedded_broker
    assert settings.destinations == {}


def test_parts_are_nested_by_two_underscores(monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers, choices, and records under names of their own."""
    settings = given(
        monkeypatch,
        HTTP__PORT="8080",
        HTTP__HOST="::1",
        LANGUAGE="en",
        RECORD__URL="http://localhost:8090/fhir/",
        RECORDS__REGION__URL="http://127.0.0.1:8091/fhir",
        RECORDS__REGION__PATIENTS="write",
        LEDGER__URL="sqlite:////srv/ledger.sqlite",
    )
    assert settings.http_url == "http://[::1]:8080"
    assert {name: record.url for name, record in settings.destinations.items()} == {
        "record": "http://localhost:8090/fhir",
        "region": "http://127.0.0.1:8091/fhir",
    }
    assert settings.destinations["region"].patients == "write"
    assert settings.ledger_path == Path("/srv/ledger.sqlite")


def test_the_environment_goes_before_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the file before the default."""
    Path(".env").write_text("CONSTANTES_HTTP__PORT=8080\nCONSTANTES_LANGUAGE=en\n")
    settings = given(monkeypatch, HTTP__PORT="8081")
    assert (settings.http.port, settings.language) == (8081, "en")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "SECRET"),
        ("HTTP__FOO", "SECRET"),
        ("HTTP__PORT", "SECRET"),
        ("HTTP__PORT", "0"),
        ("HTTP", "SECRET"),
        ("LANGUAGE", "SECRET"),
        ("MQTT__PASSWORD", "SECRET"),
        ("MQTT__URL", "SECRET"),
        ("MQTT__URL", "mqtt://user:SECRET@broker"),
        ("MQTT__URL", "mqtt://broker:99999"),
        ("MQTT__URL", "mqtt://broker/SECRET"),
        ("RECORD__URL", "ftp://SECRET"),
        ("RECORD__URL", "https://SECRET@record/fhir"),
        ("RECORD__URL", "https://record/fhir?SECRET"),
        ("RECORD__PATIENTS", "SECRET"),
        ("RECORDS__REGION__FOO", "SECRET"),
        ("LEDGER__URL", "postgresql://SECRET"),
        ("LEDGER__URL", "sqlite:///"),
        ("SERIES__URL", "SECRET"),
        ("SERIES__URL", "http://user:SECRET@influxdb:8086"),
        ("SERIES__BUCKET", "_SECRET"),
        ("SERIES__KEEP_DAYS", "0"),
        ("DEPLOYMENT__OID", "SECRET"),
        ("DEPLOYMENT__OID", "9.1"),
        ("CLOCK__OLDEST_DAYS", "0"),
    ],
)
@pytest.mark.parametrize("where", ["environment", "file"])
def test_an_unknown_or_wrong_setting_is_named_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, where: str
) -> None:
    """It stops the start; its value may be a secret."""
    if where == "file":
        Path(".env").write_text(f"CONSTANTES_{name}={value}\n")
        name, value = "DATA", "data"
    with pytest.raises(WrongSetting) as wrong:
        given(monkeypatch, **{name: value})
    assert where == "file" or wrong.value.name == f"CONSTANTES_{name}"
    assert wrong.value.name.startswith("CONSTANTES_")
    assert "SECRET" not in str(wrong.value)


def test_an_influxdb_goes_with_its_token(monkeypatch: pytest.MonkeyPatch) -> None:
    """And without a store of its own the series needs none."""
    with pytest.raises(WrongSetting, match="CONSTANTES_SERIES__TOKEN_FILE"):
        given(monkeypatch, SERIES__URL="http://influxdb:8086")
    assert not given(monkeypatch, SERIES__TOKEN_FILE="token").series.is_embedded
    monkeypatch.undo()
    assert given(monkeypatch).series.is_embedded


def test_the_example_root_stays_on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a record elsewhere, the deployment has to have its own OID."""
    with pytest.raises(WrongSetting, match="CONSTANTES_DEPLOYMENT__OID"):
        given(monkeypatch, RECORDS__REGION__URL="https://record.example.org/fhir")
    assert given(monkeypatch, DEPLOYMENT__OID="1.2.250.1.999").deployment.oid == "1.2.250.1.999"


@pytest.mark.parametrize(
    "settings",
    [
        {"MQTT__USERNAME": "gateway", "MQTT__PASSWORD_FILE": "secret"},
        {"MQTT__URL": "mqtt://broker", "MQTT__USERNAME": "gateway"},
        {"MQTT__URL": "mqtt://broker", "MQTT__PASSWORD_FILE": "secret"},
    ],
)
def test_settings_that_belong_together_come_together(monkeypatch: pytest.MonkeyPatch, settings: dict[str, str]) -> None:
    """An account without a broker, or half of one, is a mistake."""
    with pytest.raises(WrongSetting, match="CONSTANTES_MQTT__"):
        given(monkeypatch, **settings)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://constantes@db1:5432,db2:5433/constantes",
        "postgresql+psycopg://constantes@[::1]:5432/constantes",
        "postgresql+psycopg://127.0.0.1/constantes?sslmode=verify-full&sslrootcert=/etc/ssl/db.pem",
    ],
)
def test_a_ledger_may_be_a_database(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """One address, or those of a primary and its standbys; blobs stay in the data folder."""
    settings = given(monkeypatch, LEDGER__URL=url, LEDGER__STANDBY="required")
    assert (settings.ledger.url, settings.has_ledger_server) == (url, True)
    assert settings.ledger_path.parent == settings.data


@pytest.mark.parametrize(
    "settings",
    [
        {"LEDGER__URL": "postgresql+psycopg://constantes:s3cret@db/constantes"},
        {"LEDGER__URL": "postgresql+psycopg://constantes@db:port/constantes"},
        {"LEDGER__URL": "postgresql+psycopg://constantes@db"},
        {"LEDGER__URL": "postgresql://constantes@db/constantes"},
        {"LEDGER__URL": "postgresql+psycopg://constantes@db/constantes?password=s3cret"},
        {"LEDGER__URL": "sqlite:///"},
        {"LEDGER__PASSWORD_FILE": "secret"},
        {"LEDGER__STANDBY": "required"},
    ],
)
def test_a_ledger_s_address_is_refused(monkeypatch: pytest.MonkeyPatch, settings: dict[str, str]) -> None:
    """What is no address, holds a secret, or goes with a database where there is a file; no secret is repeated."""
    with pytest.raises(WrongSetting, match="CONSTANTES_LEDGER__") as found:
        given(monkeypatch, **settings)
    assert "s3cret" not in str(found.value)


def test_a_secret_is_read_from_its_file() -> None:
    """Without the line end; a file that is empty or absent is named by its setting."""
    Path("secret").write_text("s3cret\n")
    assert secret_of(Path("secret"), "NAME") == "s3cret"
    Path("secret").write_text("\n")
    for path in ("secret", "absent"):
        with pytest.raises(WrongSetting, match="NAME"):
            secret_of(Path(path), "NAME")


def test_the_example_names_every_setting_and_no_other() -> None:
    """``.env.example`` does not lag behind."""
    told = [line[1:].split("=")[0] for line in EXAMPLE.read_text().splitlines() if line.startswith("#CONSTANTES_")]
    assert sorted(told) == sorted(name.format(NAME="REGION") for name in names())


def test_every_line_of_the_example_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """With all of it set, there is a record, a broker and an account."""
    for line in EXAMPLE.read_text().splitlines():
        if line.startswith("#CONSTANTES_"):
            name, _, value = line[1:].partition("=")
            monkeypatch.setenv(name, value)
    assert set(load().destinations) == {"record", "region"}


def test_the_example_shows_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is a default, the line has it."""
    for line in EXAMPLE.read_text().splitlines():
        if line.startswith("#CONSTANTES_") and not any(word in line for word in ("example", "/run/", "RECORD", "MQTT")):
            name, _, value = line[1:].partition("=")
            monkeypatch.setenv(name, value)
    assert load().model_dump(exclude={"ledger"}) == Settings().model_dump(exclude={"ledger"})
