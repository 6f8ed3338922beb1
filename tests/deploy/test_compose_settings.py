"""What stands in .env reaches the parts of docker-compose.yml, or is fixed by the shape and said to be."""

import re
from pathlib import Path

import pytest

from app.settings import Settings, WrongSetting, load, names
from deploy.compose_file import filled, read
from deploy.parts import Here, commands

OURS = {"gateway", "inspect", "project", "export", "api"}
ANSWERS = {"CONSTANTES_DEPLOYMENT__OID": "1.2.250.1.999", "CONSTANTES_RECORD__PATIENTS": "write"}
OTHERS = {
    "CONSTANTES_LEDGER__URL": "postgresql+psycopg://constantes@db1:5432,db2:5432/constantes",
    "CONSTANTES_LEDGER__STANDBY": "required",
    "CONSTANTES_SERIES__URL": "http://series.example.org:8086",
    "CONSTANTES_SERIES__KEEP_DAYS": "730",
    "CONSTANTES_SERIES__TIMEOUT_S": "3",
    "CONSTANTES_RECORD__URL": "https://record.example.org/fhir",
    "CONSTANTES_RECORD__PATIENTS": "lookup",
    "CONSTANTES_RECORD__TOKEN_FILE": "/run/secrets/record_token",
    "CONSTANTES_RECORDS__REGION__URL": "https://region.example.org/fhir",
    "CONSTANTES_CLOCK__OLDEST_DAYS": "30",
    "CONSTANTES_HTTP__OPEN_METRICS": "yes",
    "CONSTANTES_LANGUAGE": "en",
}
"""Settings of every kind: with a default in the compose file, of the program alone, under a name of one's own."""

HERE = {"CONSTANTES_HTTP__PUBLIC_URL"}
"""What the reader gives the address of this machine; that .env is asked for it is what `fixed` looks at."""


def environment(part: str, answers: dict[str, str]) -> dict[str, str]:
    """Give what a part's process finds when these lines stand in .env, as deploy.parts reads the compose file."""
    return dict(commands(Here(Path("/data"), Path("/secrets"), {}, 8000, ANSWERS | answers))[part].environment)


def loaded(part: str, answers: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Give the settings that this part makes of them."""
    for name, value in environment(part, answers).items():
        monkeypatch.setenv(name, value)
    return load(None)


@pytest.fixture
def fixed(root: Path) -> set[str]:
    """Give the settings on which the compose file lets nobody decide: set there, without asking for the name."""
    part = read(root / "docker-compose.yml")["services"]["api"]
    return {name for name, value in part["environment"].items() if f"${{{name}:" not in str(value)}


def test_every_part_has_the_same(root: Path) -> None:
    """Each of ours reads .env, if it is there, and has the same settings beside it: all start, or none does."""
    services = read(root / "docker-compose.yml")["services"]
    for part in OURS:
        assert services[part]["env_file"] == [{"path": ".env", "required": False}]
        assert services[part]["environment"] == services["api"]["environment"]
    assert [name for name in services if "env_file" in services[name]] == [name for name in services if name in OURS]


@pytest.mark.parametrize("setting", sorted({*names()} - HERE))
def test_each_setting_reaches_the_parts_or_is_fixed(setting: str, fixed: set[str]) -> None:
    """What .env says of a setting is what every part finds, unless the shape fixes it."""
    name = setting.replace("{NAME}", "REGION")
    for part in OURS:
        found = environment(part, {name: "said-in-env"})[name]
        assert (found == "said-in-env") is (setting not in fixed), part


def test_what_is_fixed_is_told_with_its_reason(root: Path, fixed: set[str]) -> None:
    """The page's table has these settings and no others, each with a reason."""
    page = (root / "docs" / "how-to" / "install-with-compose.md").read_text("utf-8")
    rows = re.findall(r"^\| ((?:`CONSTANTES_[A-Z_]+`(?:, )?)+) \| (.+) \|$", page, re.MULTILINE)
    assert {name for told, _ in rows for name in re.findall("`(.+?)`", told)} == fixed
    assert all(len(reason.split()) > 3 for _, reason in rows)
    assert fixed <= set(names())


@pytest.mark.parametrize("part", sorted(OURS))
def test_settings_of_all_kinds_take_effect(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every part starts with them, and has them."""
    found = loaded(part, OTHERS, monkeypatch)
    assert found.ledger.standby == "required"
    assert found.ledger.url == OTHERS["CONSTANTES_LEDGER__URL"]
    assert (found.series.keep_days, found.series.timeout_s, found.clock.oldest_days) == (730, 3, 30)
    assert found.http.open_metrics
    assert found.destinations.keys() == {"record", "region"}
    assert found.language == "en"


@pytest.mark.parametrize("name", ["CONSTANTES_LEDGER__STANBY", "CONSTANTES_LEGDER__STANDBY"])
def test_a_mistyped_setting_stops_the_part(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that is no setting is refused at the start, as .env.example says."""
    with pytest.raises(WrongSetting, match=name):
        loaded("gateway", {name: "required"}, monkeypatch)


def test_patients_are_written_only_where_somebody_said_so(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file has no default for it, and says what to answer: another record gets patients by nobody's silence."""
    services = read(root / "docker-compose.yml")["services"]
    with pytest.raises(KeyError, match="CONSTANTES_RECORD__PATIENTS"):
        filled(services, {name: value for name, value in ANSWERS.items() if "PATIENTS" not in name})
    asked = services["export"]["environment"]["CONSTANTES_RECORD__PATIENTS"]
    assert re.fullmatch(r"\$\{CONSTANTES_RECORD__PATIENTS:\?.*write.*lookup.*\}", asked)
    assert loaded("export", OTHERS, monkeypatch).record.patients == "lookup"


def test_the_shipped_record_takes_patients(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the lines that the page gives, patients go to the HAPI of the file."""
    page = (root / "docs" / "how-to" / "install-with-compose.md").read_text("utf-8")
    lines = dict(re.findall(r"^ +(CONSTANTES_[A-Z_]+)=(\S+)", page, re.MULTILINE))
    found = loaded("export", {name: lines[name] for name in ANSWERS}, monkeypatch)
    assert (found.record.patients, found.record.url) == ("write", "http://hapi:8080/fhir")
