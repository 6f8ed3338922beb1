"""Every row of the answer table, from an answer to what happens."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fhir_export.push.answers import ISSUES, RULES, Action, judge_answer, rule_for
from fhir_export.push.port import Answer, Ending, Outgoing

SENT = Outgoing("Observation", "r1-heart-rate", b"{}")
GOOD = Answer(Ending.ANSWERED, 200, fhir=True, named=SENT.identity, version="1")
OTHER = ("Observation", "another")


def hapi(status: int, number: str) -> Answer:
    """What HAPI 8.8 answers: an issue code that says nothing, and a number."""
    return Answer(Ending.ANSWERED, status, fhir=True, issues=("processing",), number=number)


ROWS = [
    ("nothing left", Answer(Ending.UNSENT), Action.WAIT, "record.unreachable"),
    ("nothing came back", Answer(Ending.LOST), Action.RETRY, "record.no_answer"),
    ("nothing came back for a batch", Answer(Ending.LOST, shared=True), Action.RETRY, "record.no_answer"),
    ("200", GOOD, Action.DELIVERED, ""),
    ("201", replace(GOOD, status=201), Action.DELIVERED, ""),
    ("another id", replace(GOOD, named=OTHER), Action.RETRY, "record.portal"),
    ("another type", replace(GOOD, named=("Patient", SENT.id)), Action.RETRY, "record.portal"),
    ("HTML", Answer(Ending.ANSWERED, 200), Action.RETRY, "record.portal"),
    ("HTML for a batch", Answer(Ending.ANSWERED, 200, shared=True), Action.RETRY, "record.portal"),
    ("200 that says nothing", Answer(Ending.ANSWERED, 200, empty=True), Action.COMPARE, "record.portal"),
    ("204", Answer(Ending.ANSWERED, 204, empty=True), Action.COMPARE, "record.portal"),
    ("202, named right", replace(GOOD, status=202), Action.RETRY, "record.portal"),
    *[(f"{s}", Answer(Ending.ANSWERED, s), Action.RETRY, "record.redirected") for s in (301, 302, 303, 307, 308)],
    ("401", Answer(Ending.ANSWERED, 401), Action.REFRESH, "record.unauthorized"),
    ("429", Answer(Ending.ANSWERED, 429), Action.SLOW, "record.busy"),
    ("503 with a time", Answer(Ending.ANSWERED, 503, retry_after=3.0), Action.SLOW, "record.busy"),
    ("503 without", Answer(Ending.ANSWERED, 503), Action.RETRY, "record.failed"),
    ("413 for a batch", Answer(Ending.ANSWERED, 413, shared=True), Action.HALVE, "record.too_large"),
    ("413", Answer(Ending.ANSWERED, 413), Action.PARK, "record.too_large"),
    *[
        (f"{s} for a batch", Answer(Ending.ANSWERED, s, shared=True, fhir=True), Action.HALVE, "record.refused")
        for s in (400, 403, 404, 410, 422)
    ],
    ("400", Answer(Ending.ANSWERED, 400, fhir=True, issues=("structure",)), Action.PARK, "record.refused:structure"),
    ("422", Answer(Ending.ANSWERED, 422, fhir=True, issues=("invalid",)), Action.PARK, "record.refused:invalid"),
    ("422 without a code", Answer(Ending.ANSWERED, 422, fhir=True), Action.PARK, "record.refused:unknown"),
    ("403", Answer(Ending.ANSWERED, 403, fhir=True, issues=("forbidden",)), Action.PARK, "record.forbidden"),
    ("404", Answer(Ending.ANSWERED, 404, fhir=True), Action.PARK, "record.gone"),
    ("410", Answer(Ending.ANSWERED, 410, fhir=True), Action.PARK, "record.gone"),
    *[
        (f"{s} that is not FHIR", Answer(Ending.ANSWERED, s), Action.RETRY, "record.portal")
        for s in (400, 403, 404, 410, 422)
    ],
    ("409", Answer(Ending.ANSWERED, 409, fhir=True), Action.COMPARE, "record.conflict"),
    ("412", Answer(Ending.ANSWERED, 412, fhir=True), Action.COMPARE, "record.conflict"),
    ("409 for a batch", Answer(Ending.ANSWERED, 409, shared=True, fhir=True), Action.HALVE, "record.conflict"),
    *[(f"{s}", Answer(Ending.ANSWERED, s), Action.RETRY, "record.failed") for s in (500, 599)],
    *[(f"{s} from FHIR", Answer(Ending.ANSWERED, s, fhir=True), Action.RETRY, "record.failed") for s in (500, 502)],
    *[(f"{s} from a proxy", Answer(Ending.ANSWERED, s), Action.RETRY, "record.unreachable") for s in (502, 504)],
    *[(f"{s}", Answer(Ending.ANSWERED, s, fhir=True), Action.RETRY, "record.portal") for s in (415, 418)],
    *[(f"{s}", Answer(Ending.ANSWERED, s, fhir=True), Action.PARK, "record.not_supported") for s in (405, 501)],
    *[
        (f"{s} for a batch", Answer(Ending.ANSWERED, s, shared=True, fhir=True), Action.HALVE, "record.refused")
        for s in (405, 501)
    ],
    *[
        (f"{s}, not supported", Answer(Ending.ANSWERED, s, fhir=True, issues=("not-supported",)), Action.PARK, code)
        for s, code in ((400, "record.not_supported"), (422, "record.not_supported"))
    ],
    ("HAPI: unknown type", hapi(404, "HAPI-0302"), Action.PARK, "record.not_supported"),
    ("HAPI: a reference to what is not there", hapi(400, "HAPI-1094"), Action.REFER, "record.reference_missing"),
    (
        "the same from others",
        Answer(Ending.ANSWERED, 422, fhir=True, issues=("not-found",)),
        Action.REFER,
        "record.reference_missing",
    ),
    ("HAPI: a reference to what was deleted", hapi(400, "HAPI-1096"), Action.PARK, "record.gone"),
    ("HAPI: ids that differ", hapi(400, "HAPI-0420"), Action.PARK, "record.refused:processing"),
    ("HAPI: no resource", hapi(400, "HAPI-0450"), Action.PARK, "record.refused:processing"),
    ("HAPI: a reference of another type", hapi(422, "HAPI-0931"), Action.PARK, "record.refused:processing"),
    ("HAPI: a stale version", hapi(409, "HAPI-0989"), Action.COMPARE, "record.conflict"),
    ("HAPI: two made one id at once", hapi(409, "HAPI-0825"), Action.COMPARE, "record.conflict"),
]


@pytest.mark.parametrize(("answer", "action", "code"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_an_answer_has_one_meaning(answer: Answer, action: Action, code: str) -> None:
    """Each answer means what the table says."""
    verdict = judge_answer(SENT, answer)
    assert (verdict.action, verdict.code) == (action, code)


def test_every_rule_is_tested() -> None:
    """No rule of the table is without a row above."""
    reached = {id(rule_for(SENT, answer)) for _, answer, _, _ in ROWS}
    assert reached == {id(rule) for rule in RULES}


def test_only_known_issue_codes_pass() -> None:
    """FHIR R4 has 31 issue types, and a code is made of no others."""
    assert len(ISSUES) == 31
    assert all(code.replace("-", "").isalpha() for code in ISSUES)


def test_a_conflict_parks_and_a_silent_success_retries() -> None:
    """What differs after 409 waits for a person; after a success that named nothing it is sent again."""
    assert judge_answer(SENT, Answer(Ending.ANSWERED, 409)).otherwise is Action.PARK
    assert judge_answer(SENT, Answer(Ending.ANSWERED, 200, empty=True)).otherwise is Action.RETRY
