"""People and their numbers: what is taken, and what is refused without being repeated."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from ingest.ledger.files import OpenLedger
from registry import numbers, people
from registry.faults import Conflict, Unfit, Unknown
from registry.operations import Registrar
from registry.people import NewPatient
from tests.support.engines import in_a_file
from tests.support.ledgers import NOW

INS = "urn:oid:1.2.250.1.213.1.4."
NIR = "280019741199930"
PERSON = NewPatient("EXEMPLE-FICTIF", ("Ada",), "1980-02-29", "female", (f"{INS}10|{NIR}",))


def key(digits: str) -> str:
    """The control key, reckoned another way: what makes number and key together divisible by 97."""
    number = int(digits.replace("2A", "19").replace("2B", "18"))
    return next(f"{k:02d}" for k in range(1, 98) if (number + k) % 97 == 0)


def test_a_person_gets_a_random_id(registrar: Registrar) -> None:
    """The same person registered twice is two patients, whose ids tell nothing of him."""
    first, second = registrar.add_patient(PERSON), registrar.add_patient(replace(PERSON, identifiers=()))
    assert first.patient != second.patient
    assert re.fullmatch(r"[a-z0-9-]{1,64}", first.patient)
    assert NIR not in first.patient


def test_an_identifier_belongs_to_one_person(registrar: Registrar, file: OpenLedger) -> None:
    """Whoever asks for it again learns who has it, and nobody is registered."""
    holder = registrar.add_patient(PERSON)
    second = replace(PERSON, family="EXEMPLE-AUTRE", identifiers=("urn:oid:2.999.1.4|1", f"{INS}10|{NIR}"))
    with pytest.raises(Conflict, match=holder.patient) as refused:
        registrar.add_patient(second)
    assert refused.value.code == "patient.identifier_held"
    assert NIR not in str(refused.value)
    with file.readers.connect() as connection:
        assert people.listed(connection) == [holder]


def test_a_registered_person_is_found_as_given(registrar: Registrar, file: OpenLedger) -> None:
    """Names with accents, several given names and numbers come back as they were."""
    made = registrar.add_patient(replace(PERSON, family="Éxemple-Fictif", given=("Zoé", "Lùc")))
    with file.readers.connect() as connection:
        assert people.find(connection, [made.patient, "other"]) == {made.patient: made}
        assert people.listed(connection) == [made]
        with pytest.raises(Unknown):
            people.show(connection, "other")


def test_a_person_is_due_for_the_record(registrar: Registrar, file: OpenLedger) -> None:
    """A registration makes the FHIR Patient due, in the same transaction."""
    made = registrar.add_patient(PERSON)
    with file.readers.connect() as connection:
        assert connection.exec_driver_sql("SELECT what, ref FROM due").all() == [("patient", made.patient)]


@pytest.mark.parametrize("number", [f"{INS}10|{NIR}", f"{INS}11|{NIR}", f"URN:OID:{INS[8:]}10|{NIR}"])
def test_a_number_of_a_test_system_makes_a_test_identity(registrar: Registrar, number: str) -> None:
    """Whatever the request says of it."""
    assert registrar.add_patient(replace(PERSON, identifiers=(number,))).test


def test_a_person_without_such_a_number_is_none(registrar: Registrar) -> None:
    """Unless it is asked for."""
    local = replace(PERSON, identifiers=("urn:oid:2.999.1.4|1234",))
    assert not registrar.add_patient(local).test
    assert registrar.add_patient(replace(local, identifiers=("urn:oid:2.999.1.4|1235",), test=True)).test


@in_a_file
@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"birth_date": "1980-02-30"}, "patient.birth_date"),
        ({"birth_date": "19800229"}, "patient.birth_date"),
        ({"birth_date": "1980-W09-5"}, "patient.birth_date"),
        ({"birth_date": "2026-11-30"}, "patient.birth_date"),
        ({"birth_date": "1880-01-01"}, "patient.birth_date"),
        ({"birth_date": ""}, "patient.birth_date"),
        ({"gender": "F"}, "patient.gender"),
        ({"family": " "}, "patient.name"),
        ({"given": ()}, "patient.name"),
        ({"family": "EXEMPLE\nFICTIF"}, "patient.name"),
        ({"identifiers": ("1234",)}, "patient.identifier"),
        ({"identifiers": ("|1234",)}, "patient.identifier"),
        ({"identifiers": ("urn:oid:2.999.1.4|",)}, "patient.identifier"),
        ({"identifiers": ("urn:oid:2.999.1.4|a|b",)}, "patient.identifier"),
        ({"identifiers": ("urn:oid:2.999.1.4|1", "urn:oid:2.999.1.4|1")}, "patient.identifier"),
    ],
)
def test_an_unfit_trait_is_refused_and_not_repeated(registrar: Registrar, change: dict[str, object], code: str) -> None:
    """The refusal names the field; nothing is registered."""
    with pytest.raises(Unfit) as refused:
        registrar.add_patient(replace(PERSON, **change))  # type: ignore[arg-type]
    assert refused.value.code == code
    assert "1234" not in str(refused.value)
    with registrar.file.readers.connect() as connection:
        assert people.listed(connection) == []


def test_today_is_a_birth_date(registrar: Registrar) -> None:
    """A newborn has readings."""
    assert registrar.add_patient(replace(PERSON, birth_date="2026-11-18")).birth_date == "2026-11-18"


@pytest.mark.parametrize(
    "digits", ["2800197411999", "1851275120345", "155012A004012", "155012B004012", "7800197411999"]
)
def test_a_number_with_its_control_key_is_taken(digits: str) -> None:
    """NIR, both departments of Corsica, and waiting numbers (NIA)."""
    assert numbers.parse(f"{INS}10|{digits}{key(digits)}", production=False).value == digits + key(digits)


@pytest.mark.parametrize(
    ("text", "production", "code"),
    [
        (f"{INS}10|280019741199931", False, "patient.ins_key"),
        (f"{INS}10|2800197411999", False, "patient.ins_key"),
        (f"{INS}10|155012C00401200", False, "patient.ins_key"),
        (f"{INS}8|{NIR}", False, "patient.ins_production"),
        (f"{INS}9|{NIR}", False, "patient.ins_production"),
        (f"urn:OID:{INS[8:]}8|{NIR}", False, "patient.ins_production"),
        (f"{INS}10|{NIR}", True, "patient.ins_test"),
        (f"{INS}13|{NIR}", True, "patient.ins_system"),
        (f"{INS}2|{NIR}", True, "patient.ins_system"),
    ],
)
def test_a_national_number_that_cannot_be_right_is_refused(text: str, production: bool, code: str) -> None:  # noqa: FBT001 - a column of the table
    """P4: wrong key, a system that this installation may not use; the number is not repeated."""
    with pytest.raises(Unfit) as refused:
        numbers.parse(text, production=production)
    assert refused.value.code == code
    assert NIR[:13] not in str(refused.value)


def test_real_numbers_are_taken_in_production() -> None:
    """With the setting, the system of the NIR is taken."""
    assert not numbers.is_test(numbers.parse(f"{INS}8|{NIR}", production=True))


def test_dates_are_judged_by_the_given_time() -> None:
    """Now is an argument."""
    assert people.checked(PERSON, "p", NOW, production=False).birth_date == "1980-02-29"
