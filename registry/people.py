"""People: patients as the site knows them, under random ids.

Comes in: a connection to the ledger, the traits of a person. Goes out: ``Patient``. Refuses to know: readings, how an
identity is qualified, FHIR.

An id is never made from a name or number: it travels in URLs and logs. No text raised here repeats what was given.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import Connection, Row, false, or_, select

from ingest.ledger.schema import DUE, PATIENT
from ingest.model import Instant
from registry import numbers
from registry.faults import Conflict, Unfit, Unknown
from registry.holding import holds
from registry.model import Identifier, Patient

GENDERS = ("male", "female", "other", "unknown")
"""FHIR R4, value set administrative-gender."""

_ID_BYTES = 10
_NAME = re.compile(r"[^\x00-\x1f\x7f]{1,100}")
_OLDEST_YEARS = 130
_SECOND = 1_000_000


@dataclass(frozen=True, slots=True)
class NewPatient:
    """A person to be registered; ``identifiers`` are texts ``SYSTEM|VALUE``, ``birth_date`` is ``YYYY-MM-DD``."""

    family: str
    given: tuple[str, ...]
    birth_date: str
    gender: str
    identifiers: tuple[str, ...] = ()
    test: bool = False


def new_id() -> str:
    """A fresh patient id: 20 random hex digits."""
    return secrets.token_hex(_ID_BYTES)


def checked(new: NewPatient, patient: str, now: Instant, *, production: bool) -> Patient:
    """The person as ``Patient`` with id ``patient``; raises Unfit for the first field that cannot be taken.

    A person with a number of a test system is a test identity, whatever ``test`` says.
    """
    family, given = new.family.strip(), tuple(name.strip() for name in new.given)
    if not all(_NAME.fullmatch(name) for name in (family, *given)) or not given:
        raise Unfit("patient.name", "A name cannot be taken.", "Give a family name and at least one given name.")
    if new.gender not in GENDERS:
        raise Unfit("patient.gender", "The gender is not a known word.", f"Use one of: {', '.join(GENDERS)}.")
    _check_birth_date(new.birth_date, now)
    identifiers = tuple(numbers.parse(text, production=production) for text in new.identifiers)
    if len(set(identifiers)) != len(identifiers):
        raise Unfit("patient.identifier", "One identifier is given twice.", "Give each once.")
    test = new.test or any(map(numbers.is_test, identifiers))
    return Patient(patient, family, given, new.birth_date, new.gender, identifiers, test)


def add(connection: Connection, patient: Patient, now: Instant) -> None:
    """Register a checked person; raises Conflict when somebody has one of the identifiers.

    Two people may share every other trait: nobody is merged by likeness.
    """
    _refuse_held(connection, patient.identifiers)
    identifiers = [[number.system, number.value] for number in patient.identifiers]
    connection.execute(
        PATIENT.insert().values(
            patient=patient.patient, family=patient.family, given=json.dumps(patient.given, ensure_ascii=False),
            birth_date=patient.birth_date, gender=patient.gender, identifiers=json.dumps(identifiers),
            test=int(patient.test), added_at=now,
        )
    )  # fmt: skip
    connection.execute(DUE.insert().values(what="patient", ref=patient.patient))


def listed(connection: Connection) -> list[Patient]:
    """Everybody, by family name."""
    return [_patient(row) for row in connection.execute(select(PATIENT).order_by(PATIENT.c.family, PATIENT.c.patient))]


def show(connection: Connection, patient: str) -> Patient:
    """One person; raises Unknown."""
    found = find(connection, [patient])
    if patient not in found:
        raise Unknown(
            "patient.unknown", "No such patient is registered.", "See `patient list`, or register the person."
        )
    return found[patient]


def find(connection: Connection, ids: Collection[str]) -> dict[str, Patient]:
    """The registered ones among these ids."""
    rows = connection.execute(select(PATIENT).where(PATIENT.c.patient.in_(ids)))
    return {row.patient: _patient(row) for row in rows}


def _refuse_held(connection: Connection, wanted: Collection[Identifier]) -> None:
    """A record finds a person by an identifier: two with the same one would share their readings there."""
    # As `add` writes it: a pair's text with its brackets and quotes stands in a row only where the pair does.
    texts = [json.dumps([number.system, number.value]) for number in wanted]
    held = or_(false(), *(holds(PATIENT.c.identifiers, text) for text in texts))
    holder = connection.execute(select(PATIENT.c.patient).where(held)).scalar()
    if holder is not None:
        raise Conflict(
            "patient.identifier_held",
            f"The patient {holder} has one of these identifiers.",
            "Use that patient, or correct the identifier.",
        )


def _patient(row: Row[Any]) -> Patient:
    patient, family, given, birth_date, gender, identifiers, test, _added_at = tuple(row)
    pairs = tuple(Identifier(system, value) for system, value in json.loads(identifiers))
    return Patient(patient, family, tuple(json.loads(given)), birth_date, gender, pairs, bool(test))


def _check_birth_date(text: str, now: Instant) -> None:
    """A real day in the form YYYY-MM-DD, not in the future, not longer ago than anyone has lived."""
    today = datetime.fromtimestamp(now / _SECOND, UTC).date()
    try:
        born = date.fromisoformat(text) if re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII) else None
    except ValueError:
        born = None
    if born is None:
        raise Unfit("patient.birth_date", "The birth date is not a real day.", "Write it as YYYY-MM-DD.")
    # Tomorrow by UTC may be today east of it.
    if (born - today).days > 1 or today.year - born.year > _OLDEST_YEARS:
        raise Unfit(
            "patient.birth_date", "The birth date lies in the future or too far back.", "Check the year, then the day."
        )
