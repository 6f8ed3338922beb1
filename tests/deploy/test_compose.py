"""docker-compose.yml against the Compose Specification, the settings, the files beside it, the rules of hardening."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from app.processes import RUN
from app.settings import load, names
from deploy.compose_file import read
from deploy.parts import Here, commands

OURS = {"gateway", "inspect", "project", "export", "api"}
ENV = {"CONSTANTES_DEPLOYMENT__OID": "1.2.250.1.999", "CONSTANTES_RECORD__PATIENTS": "write"}
SCHEMA = Path(__file__).with_name("compose-spec") / "compose-spec.json"
SMALL = {"1", "2"}
READ_BY = {
    "ledger_password": OURS,
    "series_token": {"project", "api"},
    "record_token": {"export"},
    "broker_ca": {"gateway", "api"},
}
"""Which parts read a secret's file."""


def test_the_specification_takes_it(root: Path, compose: dict[str, Any]) -> None:
    """The file is valid by the schema of the Compose Specification, before and after its variables are filled."""
    validator = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text()))
    for value in (read(root / "docker-compose.yml"), compose):
        assert [error.message for error in validator.iter_errors(value)] == []


def test_the_schema_is_one_that_can_say_no(services: dict[str, Any]) -> None:
    """A wrong key in a service is found: the check above is one."""
    validator = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text()))
    assert list(validator.iter_errors({"services": {"api": {**services["api"], "helthcheck": {}}}}))


def test_the_whole_shape_is_there(services: dict[str, Any]) -> None:
    """Every part of the production shape is a service, and each of ours runs the command of its name."""
    assert services.keys() == OURS | {"broker", "postgres", "influxdb", "hapi"}
    for part in OURS:
        assert services[part]["command"] == [part]
        assert part in RUN


def test_every_setting_is_one_of_this_version(root: Path, services: dict[str, Any]) -> None:
    """Each CONSTANTES_ variable, set or asked for, is a setting, and our services have no other variable."""
    known = set(names())
    for part in OURS:
        assert services[part]["environment"].keys() <= known
    asked = set(re.findall(r"\$\{([A-Z_]+)", (root / "docker-compose.yml").read_text()))
    assert {name for name in asked if name not in known} == {"DEVICES_ADDRESS"}


@pytest.mark.parametrize("part", sorted(OURS))
def test_the_settings_of_each_part_can_be_loaded(
    part: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, services: dict[str, Any]
) -> None:
    """A part starts with what the file gives it: nothing is unknown, wrong, or lacks its counterpart."""
    for name, value in services[part]["environment"].items():
        monkeypatch.setenv(name, str(value))
    assert str(load(tmp_path / "none").data) == "/var/lib/constantes"


def test_variables_of_images_are_documented(root: Path, services: dict[str, Any]) -> None:
    """deploy/images.md lists each image and each variable of other people's services, and nothing that is not used."""
    told = set(
        re.findall(r"^\| ([a-z]+) \| `([A-Za-z_.]+)` \|", (root / "deploy" / "images.md").read_text(), re.MULTILINE)
    )
    used = {(name, key) for name in services.keys() - OURS for key in services[name].get("environment", {})}
    assert told == used


def test_images_are_pinned(root: Path, services: dict[str, Any]) -> None:
    """Each image has a version or a digest, none is `latest`, and the table names exactly these."""
    froms = [
        image
        for path in ("Dockerfile", "deploy/hapi/Dockerfile")
        for image in re.findall(r"^FROM (\S+)", (root / path).read_text(), re.MULTILINE)
    ]
    foreign = {image.partition("@")[0] for image in (*froms, *(each["image"] for each in services.values()))}
    foreign = {image for image in foreign if not image.startswith("constantes")}
    told = set(re.findall(r"^\| `([^`]+:[^`]+)` \|", (root / "deploy" / "images.md").read_text(), re.MULTILINE))
    assert foreign == told
    assert all(re.fullmatch(r"[a-z/-]+:v?[0-9]+\.[0-9]+(\.[0-9]+)?[a-z0-9.-]*", image) for image in foreign)


def test_every_mounted_file_is_there(root: Path, services: dict[str, Any]) -> None:
    """Whatever is mounted from this folder exists and is mounted for reading only."""
    mounted = [mount for service in services.values() for mount in service.get("volumes", ()) if mount.startswith(".")]
    assert len(mounted) == 3
    for mount in mounted:
        source, _, mode = mount.split(":")
        assert (root / source).is_file()
        assert mode == "ro"


def test_every_secret_is_made(root: Path, compose: dict[str, Any], tmp_path: Path) -> None:
    """make-secrets makes each file that the compose file names, of mode 0600, once, and says no secret."""
    command = [str(root / "deploy" / "make-secrets"), "--any-user", "--folder", str(tmp_path / "secrets"), "192.0.2.7"]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    made = {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()}
    for name, secret in compose["secrets"].items():
        assert secret["file"] == f"./deploy/secrets/{name}"
        assert (tmp_path / "secrets" / name).stat().st_mode & 0o777 == 0o600
        assert not made[name] or made[name].strip() not in said
    assert len(set(made.values())) == len(made)
    assert [name for name, text in made.items() if not text] == ["record_token"]
    subprocess.run(command, check=True, capture_output=True)
    assert {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()} == made


def test_secrets_go_to_who_needs_them(compose: dict[str, Any], services: dict[str, Any]) -> None:
    """Every secret a service names is declared, every declared one is used, and none stands in an environment."""
    used = {
        each if isinstance(each, str) else each["source"]
        for service in services.values()
        for each in service.get("secrets", ())
    }
    assert used == compose["secrets"].keys()
    for service in services.values():
        for name, value in service.get("environment", {}).items():
            assert not re.search("PASSWORD|TOKEN|SECRET", name) or str(value).startswith("/run/secrets/")


def test_files_that_settings_name_are_secrets_of_that_service(services: dict[str, Any]) -> None:
    """A path below /run/secrets is given to the service whose setting names it; of ours, to the parts that read it."""
    for name, service in services.items():
        given = {each if isinstance(each, str) else each["target"] for each in service.get("secrets", ())}
        named = {key: str(value) for key, value in service.get("environment", {}).items()}
        files = {key: value.removeprefix("/run/secrets/") for key, value in named.items() if "/run/secrets/" in value}
        if name in OURS:
            assert given == {secret for secret, parts in READ_BY.items() if name in parts}
            assert set(files.values()) <= READ_BY.keys()
        elif name != "hapi":  # takes a folder of files: SPRING_CONFIG_IMPORT
            assert set(files.values()) <= given, name


@pytest.mark.parametrize("name", sorted(OURS | {"broker", "postgres", "influxdb", "hapi"}))
def test_each_service_is_hardened(name: str, services: dict[str, Any]) -> None:
    """No root, no capability, no way to gain one, nothing written outside volumes, limits, a healthcheck, a restart."""
    service = services[name]
    assert service["user"] == "1000:1000"
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert "privileged" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["read_only"] is True
    assert all("size=" in each for each in service["tmpfs"])
    assert service["restart"] == "unless-stopped"
    assert service["healthcheck"]["test"]
    limits = service["deploy"]["resources"]["limits"]
    assert limits["cpus"] in SMALL
    assert re.fullmatch("[0-9]+[mg]", limits["memory"])
    assert limits["pids"] > 0
    assert service["logging"]["options"]["max-size"]
    assert service["init"] is True


def test_each_of_ours_is_asked_how_it_is(services: dict[str, Any]) -> None:
    """The healthcheck of a part asks for that part and no other."""
    for part in OURS:
        assert services[part]["healthcheck"]["test"] == ["CMD", "constantes", "healthy", part]


def test_nothing_is_published_without_tls_but_on_loopback(services: dict[str, Any]) -> None:
    """The host's network sees the broker's TLS port alone, and that too on 127.0.0.1 unless a variable opens it."""
    published = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert published == {"api": ["127.0.0.1:8000:8000"], "broker": ["127.0.0.1:8883:8883"]}


def test_networks_lead_nowhere_else(compose: dict[str, Any], services: dict[str, Any]) -> None:
    """Only who publishes a port or writes to a record elsewhere has a network with a way out; each name is declared."""
    assert [name for name, network in compose["networks"].items() if not network.get("internal")] == ["outside"]
    assert {name for name, service in services.items() if "outside" in service["networks"]} == {
        "api",
        "broker",
        "export",
    }
    assert {network for service in services.values() for network in service["networks"]} == compose["networks"].keys()
    reaches_record = {name for name, service in services.items() if "record" in service["networks"]}
    assert reaches_record == {"export", "hapi"}


def test_the_native_shape_has_the_same_settings(services: dict[str, Any]) -> None:
    """Where it runs without containers, only places, paths and the API's own address differ."""
    places = {"postgres:5432": "127.0.0.1:1", "influxdb:8086": "127.0.0.1:2", "hapi:8080": "h:3", "broker:8883": "b:4"}
    here = Here(Path("/d"), Path("/s"), places, 5, ENV)
    found = commands(here)
    assert found.keys() == OURS
    for part, command in found.items():
        theirs = ENV | services[part]["environment"]
        assert command.environment.keys() == theirs.keys()
        differ = {name for name in theirs if str(theirs[name]) != command.environment[name]}
        assert all(re.search("URL|FILE|DATA|HTTP__", name) for name in differ)
    assert found["project"].environment["CONSTANTES_SERIES__URL"] == "http://127.0.0.1:2"
    assert found["gateway"].environment["CONSTANTES_LEDGER__PASSWORD_FILE"] == "/s/ledger_password"
