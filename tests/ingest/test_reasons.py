"""One smallest message for each reason."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path

import pytest

from fhir_export.model import Resource
from fhir_export.outcome_codes import SAID, issue
from fhir_export.structure import validated
from ingest.judge import against, judge, judge_part
from ingest.model import Channel, DeviceStatus, Judged, RawMessage
from ingest.reasons import REGISTRY, Action, Reason, Rejected, Severity, first
from tests.cases.bad import recipes
from tests.ingest.messages import (
    ABSENT,
    DEVICE,
    ECG,
    FACTS,
    MESSAGE,
    NOW,
    RECORDING,
    ecg,
    judged,
    laid,
    payload,
    samples,
)
from tests.support.contents import PHOTOGRAPH, part, photograph

ROOT = Path(__file__).parents[2]


def _spelled(number: str) -> bytes:
    """The message with this spelling as its systolic value."""
    return json.dumps(laid(MESSAGE, values__systolic__value=4242)).replace("4242", number).encode()


def _part(payload: bytes) -> Judged:
    found = judge_part(part(PHOTOGRAPH, 0, payload), FACTS)
    assert isinstance(found, Judged)
    return found


def _recording(**changes: object) -> bytes:
    blob = {"sha256": "0" * 64, "bytes": 290078, "content_type": "application/dicom", **changes}
    return ecg(recording={"blob": blob})


BESIDE = {
    Reason.BLOB_QUOTA: "tests/gateway/test_receipts.py::test_a_part_is_answered_by_its_hash_and_place",
    Reason.IMAGE_LATERALITY_CONFLICT: (
        "tests/content/test_image_ophthalmic.py::test_a_file_that_contradicts_itself_is_refused"
    ),
    Reason.FLOW_SLOW_DOWN: (
        "tests/gateway/test_flood_answers.py::test_what_is_over_the_limit_is_acknowledged_refused_and_not_kept"
    ),
}
"""What no single message brings about, and the tests that do."""
LATER = {Reason.BLOB_HASH_MISMATCH, Reason.BLOB_UNDECODABLE, Reason.IMAGE_UNDECODABLE, Reason.IMAGE_TOO_LARGE}
"""What only the second judgement finds, once a content has come: rows I and C of the catalogue."""

RAISED: dict[Reason, Judged] = {
    Reason.MQTT_TOPIC: judge(RawMessage("", Channel.UNKNOWN, payload(), NOW), FACTS),
    Reason.MQTT_RETAINED: judged(payload(), retained=True),
    Reason.JSON_TOO_LARGE: judged(payload(note="x" * 1_000_000)),
    Reason.JSON_ENCODING: judged(b'{"v":1,"note":"\xff"}'),
    Reason.JSON_TOO_DEEP: judged(b'{"v":1,"note":' + b"[" * 200 + b"]" * 200 + b"}"),
    Reason.JSON_DUPLICATE_KEY: judged(b'{"v":1,"v":1}'),
    Reason.JSON_MALFORMED: judged(b""),
    Reason.SCHEMA_VERSION: judged(payload(v=2)),
    Reason.SCHEMA_MISSING: judged(payload(stream=ABSENT)),
    Reason.SCHEMA_TYPE: judged(payload(seq="1234")),
    Reason.SCHEMA_NOT_ALLOWED: judged(payload(flags=["fine"])),
    Reason.SCHEMA_UNKNOWN_KIND: judged(payload(kind="mood")),
    Reason.DEVICE_UNKNOWN: judged(payload(), replace(FACTS, status=DeviceStatus.UNKNOWN)),
    Reason.DEVICE_REVOKED: judged(payload(), replace(FACTS, status=DeviceStatus.REVOKED)),
    Reason.DEVICE_NOT_SERVED: judged(payload(), replace(FACTS, served=False)),
    Reason.NUMBER_NOT_FINITE: judged(_spelled("NaN")),
    Reason.NUMBER_OUT_OF_RANGE: judged(_spelled("1e400")),
    Reason.UNIT_MISSING: judged(payload(values__pulse__unit=ABSENT)),
    Reason.UNIT_NOT_ALLOWED: judged(payload(values__pulse__unit="bpm")),
    Reason.VALUE_IMPOSSIBLE: judged(payload(values__pulse__value=301)),
    Reason.VALUE_INCONSISTENT: judged(payload(values__diastolic__value=128)),
    Reason.ECG_LEADS: judged(ecg(recording__leads={})),
    Reason.ECG_LENGTH: judged(ecg(recording__leads={"I": samples(49)})),
    Reason.ECG_SAMPLING: judged(ecg(recording__sampling_hz=49)),
    Reason.BLOB_PART: _part(b""),
    Reason.BLOB_CONTENT_TYPE: judged(_recording(content_type="image/jpeg")),
    Reason.BLOB_TOO_LARGE: judged(_recording(bytes=0)),
    Reason.IMAGE_LATERALITY_MISSING: photograph(eye=None),
    Reason.TIME_FORMAT: judged(payload(taken_at="2026-11-21T08:30:00")),
    Reason.TIME_FUTURE: judged(payload(taken_at="2026-11-21T08:37:00+04:00")),
    Reason.TIME_UNSET_CLOCK: judged(payload(taken_at="1970-01-01T00:00:12Z")),
    Reason.TIME_TOO_OLD: judged(payload(taken_at="2026-08-01T08:30:00+04:00")),
    Reason.KEY_CONFLICT: against(judged(payload()), payload(seq=1235)) or judged(payload()),
}


def test_every_listed_reason_is_raised() -> None:
    """A reason that no message can bring about does not stay in the registry."""
    assert set(RAISED) | LATER | set(BESIDE) == set(Reason) == set(REGISTRY)


def test_every_reason_is_the_outcome_of_a_case() -> None:
    """A row of the catalogue of bad input ends with it, or a test beside it does, by name."""
    cases = {
        Reason(message["expect"]["reason"])
        for row in recipes.rows()
        for variant in row.variants
        for message in variant.messages
        if "reason" in message["expect"]
    }
    assert set(Reason) - cases == set(BESIDE)
    for reason, named in BESIDE.items():
        path, _, name = named.partition("::")
        source = ROOT.joinpath(path).read_text("utf-8")
        tests = [node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef) and node.name == name]
        shown = "".join(ast.get_source_segment(source, test) or "" for test in tests)
        assert reason.value in shown or f"Reason.{reason.name}" in shown, named


def _named(package: str) -> Iterator[tuple[str, str]]:
    """(file, name) of each ``Reason.NAME`` in a package."""
    for path in sorted(ROOT.joinpath(package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "Reason":
                yield path.relative_to(ROOT).as_posix(), node.attr


PACKAGES = ("app", "console", "fhir_export", "gateway", "ingest", "registry")
TABLES = {"ingest/reasons.py", "fhir_export/outcome_codes.py"}


def test_a_reason_is_raised_in_the_source_exactly_if_it_is_listed() -> None:
    """No code is raised that the registry does not have, and none is listed that nothing raises."""
    raised = {name for package in PACKAGES for path, name in _named(package) if path not in TABLES}
    assert raised == set(Reason.__members__)


@pytest.mark.parametrize("reason", RAISED)
def test_a_message_is_set_aside_for_the_reason_it_shows(reason: Reason) -> None:
    """Each message above is refused for its own reason, keeps its bytes, and makes no reading."""
    shown = RAISED[reason]
    assert (shown.verdict.outcome, shown.verdict.reason) == ("quarantined", reason)
    assert shown.reading is None
    assert shown.raw.payload or reason in (Reason.JSON_MALFORMED, Reason.BLOB_PART)


def test_the_messages_are_good_but_for_their_fault() -> None:
    """What the table starts from is stored."""
    assert judged(payload()).reading is not None
    assert judged(json.dumps(ECG).encode()).reading is not None
    assert RECORDING["leads"]["I"] == samples(50)


# The contract's section 13: mqtt, then the order that it gives.
FAMILIES = (
    "mqtt",
    "json",
    "schema",
    "device",
    "number",
    "unit",
    "value",
    "ecg",
    "blob",
    "image",
    "time",
    "key",
    "flow",
)


def test_reasons_stand_in_the_order_of_the_contract() -> None:
    """The registry's order is the order of the families."""
    places = [FAMILIES.index(reason.partition(".")[0]) for reason in Reason]
    assert places == sorted(places)


def test_of_several_faults_the_first_in_order_is_given() -> None:
    """The order of the registry counts before the order of discovery."""
    late, early = Rejected(Reason.VALUE_IMPOSSIBLE, "/a"), Rejected(Reason.UNIT_MISSING, "/b")
    assert first([late, early]) is early
    assert first([late, Rejected(Reason.VALUE_IMPOSSIBLE, "/c")]) is late


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_its_texts(reason: Reason) -> None:
    """A meaning for engineers, and a French and an English sentence for people."""
    entry = REGISTRY[reason]
    assert all(text.endswith(".") for text in (entry.meaning, entry.fr, entry.en))
    assert entry.fr != entry.en


def test_a_device_is_told_to_mend_only_what_it_can() -> None:
    """Where the site has to act, the device is not asked to."""
    operators = {reason for reason in Reason if REGISTRY[reason].action is Action.OPERATOR}
    assert operators == {
        Reason.DEVICE_UNKNOWN,
        Reason.DEVICE_REVOKED,
        Reason.DEVICE_NOT_SERVED,
        Reason.BLOB_QUOTA,
        Reason.TIME_TOO_OLD,
    }


def test_nothing_is_asked_of_anybody_where_waiting_is_enough() -> None:
    """Information: the sender tries again. Warning: somebody at the site acts, and the bytes count as they are."""
    by_severity = {
        severity: {reason for reason in Reason if REGISTRY[reason].severity is severity} for severity in Severity
    }
    assert by_severity[Severity.INFORMATION] == {Reason.FLOW_SLOW_DOWN}
    assert by_severity[Severity.WARNING] == {Reason.DEVICE_UNKNOWN, Reason.TIME_TOO_OLD, Reason.BLOB_QUOTA}
    for reason in Reason:
        entry = REGISTRY[reason]
        assert (entry.action is Action.NONE) == (entry.severity is Severity.INFORMATION)
        assert entry.severity is Severity.ERROR or entry.action is not Action.FIX


# http://hl7.org/fhir/R4/valueset-issue-type.html
ISSUE_TYPES = """
invalid structure required value invariant security login unknown expired forbidden suppressed processing not-supported
duplicate multiple-matches not-found deleted too-long code-invalid extension too-costly business-rule conflict transient
lock-error no-store exception timeout incomplete throttled informational
"""


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_is_said_in_http_and_fhir(reason: Reason) -> None:
    """A client error's status, an issue type of FHIR R4, and an OperationOutcome that FHIR's own model takes."""
    said = SAID[reason]
    assert 400 <= HTTPStatus(said.status) < 500
    assert said.issue in ISSUE_TYPES.split()
    told = issue(reason, "/values/pulse")
    assert (told["severity"], told["details"]["coding"]) == (REGISTRY[reason].severity, [{"code": reason.value}])
    assert "diagnostics" not in issue(reason)
    validated(Resource("OperationOutcome", "-", {"resourceType": "OperationOutcome", "issue": [told]}))


def test_a_refusal_says_code_and_place_only() -> None:
    """The text of the exception is fit for a log."""
    assert str(Rejected(Reason.UNIT_MISSING, "/values/pulse/unit")) == "unit.missing /values/pulse/unit"
    assert DEVICE not in str(Rejected(Reason.MQTT_TOPIC))
