"""The answer table: what came back, and what is done about it. Pure.

Comes in: what was sent and its ``Answer``. Goes out: a ``Verdict``. Refuses to know: HTTP, rows, time.

The first rule of ``RULES`` whose statuses and facts fit decides. Codes are ours and carry at most an issue code of
FHIR's closed list; a server's text may hold a patient's data and goes nowhere.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum

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
    PARK = "it waits for a person"


class Fact(Enum):
    """What a rule may ask of an answer, besides its status."""

    UNSENT = "it did not leave"
    RIGHT = "it names the resource that was sent"
    NAMELESS = "it has no body and names nothing"
    FHIR = "a FHIR server spoke"
    SHARED = "others were in the same request"
    ASKED_TO_WAIT = "it says how long to wait"


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


_NONE: frozenset[Fact] = frozenset()
_STORED = (200, 201)
_REFUSED, _FORBIDDEN, _GONE, _CONFLICT = (400, 422), (403,), (404, 410), (409, 412)
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
        (*_REFUSED, *_FORBIDDEN, *_GONE),
        frozenset({Fact.FHIR, Fact.SHARED}),
        Action.HALVE,
        "record.refused",
    ),
    Rule("this resource is refused", _REFUSED, frozenset({Fact.FHIR}), Action.PARK, "record.refused"),
    Rule("scope or consent", _FORBIDDEN, frozenset({Fact.FHIR}), Action.PARK, "record.forbidden"),
    Rule("gone or merged there", _GONE, frozenset({Fact.FHIR}), Action.PARK, "record.gone"),
    Rule("one of them is in conflict", _CONFLICT, frozenset({Fact.SHARED}), Action.HALVE, "record.conflict"),
    Rule("version conflict", _CONFLICT, _NONE, Action.COMPARE, "record.conflict"),
    Rule("passing", range(500, 600), _NONE, Action.RETRY, "record.failed"),
    Rule("no FHIR server speaks like that", range(1000), _NONE, Action.RETRY, "record.portal"),
)

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
    facts = _facts(sent, answer)
    return next(rule for rule in RULES if answer.status in rule.statuses and rule.facts <= facts)


def _facts(sent: Outgoing, answer: Answer) -> frozenset[Fact]:
    holds = {
        Fact.UNSENT: answer.ending is Ending.UNSENT,
        Fact.RIGHT: answer.named == sent.identity,
        Fact.NAMELESS: answer.empty and answer.named is None,
        Fact.FHIR: answer.fhir,
        Fact.SHARED: answer.shared,
        Fact.ASKED_TO_WAIT: answer.retry_after is not None,
    }
    return frozenset(fact for fact, true in holds.items() if true)
