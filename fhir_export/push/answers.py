"""The answer table: what came back, and what is done about it. Pure.

Comes in: what was sent and its ``Answer``. Goes out: a ``Verdict``. Refuses to know: HTTP, rows, time.

The first rule of ``RULES`` whose statuses and facts fit decides. Codes are ours and carry at most an issue code of
FHIR's closed list; a server's text may hold a patient's data and goes nowhere.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum
from functools import cache

from fhir_export.push.port import Answer, Ending, Outgoing


class Action(Enum):
    """What happens to a resource after an answer."""

    DELIVERED = "it is in the record"
    WAIT = "it never left: it stays as it is, the whole destination waits"
    RETRY = "the same bytes again, later"
    SLOW = "the whole destination waits as long as asked"
    REFRESH = "the token is read anew once; then the whole destination waits"
    HALVE = "the batch goes again in two halves, down to single resources"
    COMPARE = "what the record holds is read and compared"
    REFER = "what it refers to is looked for, and goes again where it is not"
    PARK = "it waits for a person"


class Fact(Enum):
    """What a rule may ask of an answer, besides its status."""

    UNSENT = "it did not leave"
    RIGHT = "it names the resource that was sent"
    NAMELESS = "it has no body and names nothing"
    FHIR = "a FHIR server spoke"
    SHARED = "others were in the same request"
    ASKED_TO_WAIT = "it says how long to wait"
    UNREFERENCED = "something that the resource refers to is not there"
    REFERS_TO_GONE = "something that the resource refers to was deleted there"
    NOT_DONE = "this server does not do that, whatever the resource holds"


@dataclass(frozen=True, slots=True)
class Rule:
    """A row of the table; ``otherwise`` is what COMPARE does when the contents differ."""

    meaning: str
    statuses: Collection[int]
    facts: frozenset[Fact]
    action: Action
    code: str = ""
    otherwise: Action = Action.PARK


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do; ``code`` is empty when it is delivered."""

    action: Action
    code: str = ""
    otherwise: Action = Action.PARK


_MISSING, _DELETED, _UNKNOWN_TYPE = "HAPI-1094", "HAPI-1096", "HAPI-0302"
"""HAPI's numbers where its statuses and issue codes do not tell (8.8.0): a reference to what was never there and to
what was deleted, both 400 with ``processing`` (``exception`` inside a batch); a type it was not set up for, 404."""

_NONE: frozenset[Fact] = frozenset()
_STORED = (200, 201)
_REFUSED, _FORBIDDEN, _GONE, _CONFLICT, _NOT_DONE = (400, 422), (403,), (404, 410), (409, 412), (405, 501)
NO_ANSWER = 0

RULES: tuple[Rule, ...] = (
    Rule("not reached", (NO_ANSWER,), frozenset({Fact.UNSENT}), Action.WAIT, "record.unreachable"),
    Rule("timeout, reset, cut, cut short", (NO_ANSWER,), _NONE, Action.RETRY, "record.no_answer"),
    Rule("in the record", _STORED, frozenset({Fact.RIGHT}), Action.DELIVERED),
    Rule(
        "stored, but what?", range(200, 300), frozenset({Fact.NAMELESS}), Action.COMPARE, "record.portal", Action.RETRY
    ),
    Rule("a proxy or portal, or another id", range(200, 300), _NONE, Action.RETRY, "record.portal"),
    Rule("set-up error: never followed", range(300, 400), _NONE, Action.RETRY, "record.redirected"),
    Rule("token", (401,), _NONE, Action.REFRESH, "record.unauthorized"),
    Rule("slow down", (429,), _NONE, Action.SLOW, "record.busy"),
    Rule("slow down", (503,), frozenset({Fact.ASKED_TO_WAIT}), Action.SLOW, "record.busy"),
    Rule("too large together", (413,), frozenset({Fact.SHARED}), Action.HALVE, "record.too_large"),
    Rule("too large", (413,), _NONE, Action.PARK, "record.too_large"),
    Rule(
        "one of them",
        (*_REFUSED, *_FORBIDDEN, *_GONE, *_NOT_DONE),
        frozenset({Fact.FHIR, Fact.SHARED}),
        Action.HALVE,
        "record.refused",
    ),
    Rule(
        "a reference leads nowhere",
        _REFUSED,
        frozenset({Fact.FHIR, Fact.UNREFERENCED}),
        Action.REFER,
        "record.reference_missing",
    ),
    Rule(
        "a reference to what is gone or merged there",
        _REFUSED,
        frozenset({Fact.FHIR, Fact.REFERS_TO_GONE}),
        Action.PARK,
        "record.gone",
    ),
    Rule(
        "not done here",
        (*_REFUSED, *_GONE, *_NOT_DONE),
        frozenset({Fact.FHIR, Fact.NOT_DONE}),
        Action.PARK,
        "record.not_supported",
    ),
    Rule("this resource is refused", _REFUSED, frozenset({Fact.FHIR}), Action.PARK, "record.refused"),
    Rule("scope or consent", _FORBIDDEN, frozenset({Fact.FHIR}), Action.PARK, "record.forbidden"),
    Rule("gone or merged there", _GONE, frozenset({Fact.FHIR}), Action.PARK, "record.gone"),
    Rule("one of them is in conflict", _CONFLICT, frozenset({Fact.SHARED}), Action.HALVE, "record.conflict"),
    Rule("version conflict", _CONFLICT, _NONE, Action.COMPARE, "record.conflict"),
    Rule("passing", range(500, 600), frozenset({Fact.FHIR}), Action.RETRY, "record.failed"),
    Rule("what stands before it does not reach it", (502, 504), _NONE, Action.RETRY, "record.unreachable"),
    Rule("passing, it may be", range(500, 600), _NONE, Action.RETRY, "record.failed"),
    Rule("no FHIR server speaks like that", range(1000), _NONE, Action.RETRY, "record.portal"),
)

SURPRISES = frozenset({"record.portal", "record.redirected", "record.not_supported"})
"""Codes after which the server may no longer be what it said it was."""
_WITH_ISSUE = frozenset({"record.refused"})
_ISSUES = """
invalid structure required value invariant security login unknown expired forbidden suppressed processing not-supported
duplicate multiple-matches not-found deleted too-long code-invalid extension too-costly business-rule conflict transient
lock-error no-store exception timeout incomplete throttled informational
"""
ISSUES = frozenset(_ISSUES.split())
"""FHIR R4, valueset-issue-type.html: a required binding, so the list is closed."""


def judge_answer(sent: Outgoing, answer: Answer) -> Verdict:
    """What an answer means for the resource it was given for."""
    rule = rule_for(sent, answer)
    code = rule.code
    if rule.action is Action.PARK and code in _WITH_ISSUE:
        code = f"{code}:{next(iter(answer.issues), 'unknown')}"
    return Verdict(rule.action, code, rule.otherwise)


def rule_for(sent: Outgoing, answer: Answer) -> Rule:
    """The row of the table that decides."""
    holds = (
        answer.ending is Ending.UNSENT,
        answer.named == sent.identity,
        answer.empty and answer.named is None,
        answer.fhir,
        answer.shared,
        answer.retry_after is not None,
        answer.number == _MISSING or "not-found" in answer.issues,
        answer.number == _DELETED or "deleted" in answer.issues,
        answer.number == _UNKNOWN_TYPE or "not-supported" in answer.issues or answer.status in _NOT_DONE,
    )
    return _rule(answer.status, holds)


@cache  # a few dozen pairs ever come up, and thousands of answers a second
def _rule(status: int, holds: tuple[bool, ...]) -> Rule:
    facts = frozenset(fact for fact, true in zip(Fact, holds, strict=True) if true)
    return next(rule for rule in RULES if status in rule.statuses and rule.facts <= facts)
