"""The doctor at settings: secrets that others can read, lines in the clear, certificates, names that are wrong."""

from __future__ import annotations

import shutil
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from socket import create_server
from typing import Any

import pytest

from app.doctor.certificates import by_date

Ask = Callable[..., Any]


def test_the_defaults_are_clean(ask: Ask) -> None:
    """Loopback only, no secret, no certificate."""
    assert ask("settings").codes == set()


@pytest.mark.parametrize(
    ("mode", "code"),
    [
        (0o600, None),
        (0o640, "settings.secret_group"),
        (0o604, "settings.secret_open"),
        (None, "settings.secret_unreadable"),
    ],
)
def test_a_secret_that_others_can_read_is_found(mode: int | None, code: str | None, tmp_path: Path, ask: Ask) -> None:
    """By the setting that names it; what is in it is told nowhere."""
    secret = tmp_path / "token"
    if mode is not None:
        secret.write_text("a-canary-secret")
        secret.chmod(mode)
    told = ask("settings", RECORD__URL="http://127.0.0.1:9/fhir", RECORD__TOKEN_FILE=str(secret))
    assert told.codes == ({code} if code else set())
    assert "a-canary-secret" not in str(told.items)
    if code:
        assert "CONSTANTES_RECORD__TOKEN_FILE" in told.words(code)


OID = {"DEPLOYMENT__OID": "1.2.250.1.999"}


@pytest.mark.parametrize(
    ("given", "codes"),
    [
        ({"MQTT__URL": "mqtt://192.0.2.1"}, {"settings.mqtt_clear"}),
        ({"MQTT__URL": "mqtt://localhost"}, set()),
        ({"HTTP__HOST": "0.0.0.0"}, {"settings.http_open"}),  # noqa: S104 - it is what is told of
        ({"HTTP__HOST": "0.0.0.0", "HTTP__PUBLIC_URL": "https://here.example"}, set()),  # noqa: S104 - as above
        ({"RECORD__URL": "http://192.0.2.1/fhir"} | OID, {"settings.clear"}),
        ({"RECORDS__REGION__URL": "http://192.0.2.1/fhir"} | OID, {"settings.clear"}),
        ({"LEDGER__URL": "postgresql+psycopg://c@127.0.0.1/c"}, set()),
        ({"LEDGER__URL": "postgresql+psycopg://c@127.0.0.1:5432,192.0.2.1:5432/c"}, {"settings.clear"}),
        ({"LEDGER__URL": "postgresql+psycopg://c@192.0.2.1/c?sslmode=verify-full"}, set()),
        ({"DEPLOYMENT__PRODUCTION": "yes"}, {"settings.example_oid"}),
        ({"DEPLOYMENT__PRODUCTION": "yes"} | OID, set()),
    ],
)
def test_what_crosses_a_network_in_the_clear_is_found(given: dict[str, str], codes: set[str], ask: Ask) -> None:
    """By the name of the setting that lets it; the example root of identifiers does not go into production."""
    assert ask("settings", **given).codes == codes


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("MQTT__ULR", "mqtt://x", "is not a setting"),
        ("BROKR__PORT", "1", "is not a setting"),
        ("HTTP__PORT", "a-canary", "whole number"),
        ("RECORD__URL", "https://record.example/fhir", "example root"),
    ],
)
def test_a_wrong_setting_is_a_finding(name: str, value: str, says: str, ask: Ask) -> None:
    """Its name and what would be right, and never its value; nothing else can be looked at then."""
    told = ask(**{name: value})
    assert (told.code, told.codes) == (1, {"settings.wrong"})
    assert f"CONSTANTES_{name}" in str(told.items) or "CONSTANTES_DEPLOYMENT__OID" in str(told.items)
    assert says in told.words("settings.wrong")
    assert "a-canary" not in str(told.items)


@contextmanager
def secured(folder: Path, days: int, host: str = "127.0.0.1") -> Iterator[tuple[int, Path]]:
    """A server with a certificate for so many days that vouches for itself; gives its port and the certificate."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl on the PATH")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    words += ["-days", str(days), "-keyout", str(key), "-out", str(certificate), "-subj", "/CN=broker"]
    subprocess.run([*words, "-addext", f"subjectAltName=IP:{host}"], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with create_server(("127.0.0.1", 0)) as door:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    plain, _ = door.accept()
                    with suppress(OSError), plain, context.wrap_socket(plain, server_side=True) as line:
                        line.recv(1)

        threading.Thread(target=serve, daemon=True).start()
        yield door.getsockname()[1], certificate
        door.shutdown(2)


@pytest.mark.parametrize(
    ("days", "host", "trusted", "codes"),
    [
        (400, "127.0.0.1", True, set()),
        (10, "127.0.0.1", True, {"settings.certificate_soon"}),
        (400, "192.0.2.1", True, {"settings.certificate_refused"}),
        (400, "127.0.0.1", False, {"settings.certificate_refused"}),
    ],
)
def test_the_certificate_of_the_broker_is_looked_at(
    days: int,
    host: str,
    trusted: bool,  # noqa: FBT001 - a case
    codes: set[str],
    tmp_path: Path,
    ask: Ask,
) -> None:
    """One that runs out soon, one for another host, one that nobody vouches for."""
    with secured(tmp_path, days, host) as (port, certificate):
        authority = {"MQTT__CA_FILE": str(certificate)} if trusted else {}
        told = ask("settings", MQTT__URL=f"mqtts://127.0.0.1:{port}", **authority)
    assert told.codes == codes
    if not trusted:
        assert "self-signed" in told.words("settings.certificate_refused").replace("self signed", "self-signed")


def test_a_line_that_is_no_tls_is_found(tmp_path: Path, ask: Ask) -> None:
    """A broker in the clear behind an mqtts:// address; a file that holds no certificate."""
    with create_server(("127.0.0.1", 0)) as door:

        def serve() -> None:
            with suppress(OSError), door.accept()[0] as line:
                line.recv(65536)
                line.sendall(b"\x20\x02\x00\x00")

        threading.Thread(target=serve, daemon=True).start()
        assert ask("settings", MQTT__URL=f"mqtts://127.0.0.1:{door.getsockname()[1]}").codes == {
            "settings.certificate_refused"
        }
    (tmp_path / "none.pem").write_text("no certificate")
    assert ask("settings", MQTT__CA_FILE=str(tmp_path / "none.pem")).codes == {"settings.authority_unreadable"}


@pytest.mark.parametrize(
    ("until", "codes"),
    [
        ("Jan  1 00:00:00 2020 GMT", ["settings.certificate_over"]),
        ("Jan  1 00:00:00 2120 GMT", []),
    ],
)
def test_a_certificate_that_has_run_out_is_an_error(until: str, codes: list[str]) -> None:
    """An authority's, which no line tells of until the last day."""
    assert [finding.code for finding in by_date("CONSTANTES_MQTT__URL", {"notAfter": until})] == codes
