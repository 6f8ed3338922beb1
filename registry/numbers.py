"""Patients' numbers: which may be taken, and whether they can be right.

Comes in: ``SYSTEM|VALUE``. Goes out: ``Identifier``, or Unfit that never repeats the number. Refuses to know: persons.

INS numbers are recognised by their OID (ANS, *Liste des OID des autorités d'affectation des INS*): .8 NIR, .9 NIA,
.10 test, .11 demonstration. Control key: 97 less the remainder by 97 of the 13 digits, the departments of Corsica 2A
and 2B counting as 19 and 18 (INSEE, *Numéro d'inscription au répertoire*).
"""

from __future__ import annotations

import re

from registry.faults import Unfit
from registry.model import Identifier

_INS = "urn:oid:1.2.250.1.213.1.4."
REAL_INS = frozenset({f"{_INS}8", f"{_INS}9"})
TEST_INS = frozenset({f"{_INS}10", f"{_INS}11"})

_SYSTEM = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s|\x00-\x1f\x7f]{1,200}")
_VALUE = re.compile(r"[^\s|\x00-\x1f\x7f]{1,64}")
_NIR = re.compile(r"([1-478]\d{4}(?:\d\d|2[AB])\d{6})(\d\d)")


def parse(text: str, *, production: bool) -> Identifier:
    """The identifier that ``SYSTEM|VALUE`` names; real INS numbers only in production, test ones only outside it."""
    system, bar, value = text.partition("|")
    system = _canonical(system)
    if not bar or not _SYSTEM.fullmatch(system) or not _VALUE.fullmatch(value):
        raise Unfit(
            "patient.identifier",
            "An identifier has a form that cannot be taken.",
            "Write SYSTEM|VALUE, where SYSTEM is a URI such as urn:oid:2.999.1.4.",
        )
    if system.startswith(_INS):
        _check_ins(system, value, production=production)
    return Identifier(system, value)


def is_test(identifier: Identifier) -> bool:
    """Whether the number is of the INS test or demonstration system."""
    return identifier.system in TEST_INS


def _canonical(system: str) -> str:
    """``URN:OID:`` and ``urn:oid:`` are one (RFC 8141, section 3.1)."""
    return system.lower() if system[:8].lower() == "urn:oid:" else system


def _check_ins(system: str, value: str, *, production: bool) -> None:
    if system not in REAL_INS | TEST_INS:
        raise Unfit(
            "patient.ins_system",
            "The identifier's system is a national one that is not an INS system of this version.",
            "Use the INS systems .8, .9, .10 or .11, or a local number under a system of your own.",
        )
    if system in REAL_INS and not production:
        raise Unfit(
            "patient.ins_production",
            "Real INS numbers are not taken by this installation.",
            f"Use a test number ({_INS}10), or set CONSTANTES_DEPLOYMENT__PRODUCTION when real persons are meant.",
        )
    if system in TEST_INS and production:
        raise Unfit(
            "patient.ins_test",
            "Test INS numbers are not taken by an installation in production.",
            "Use the INS that the INSi service gave.",
        )
    found = _NIR.fullmatch(value)
    if found is None or _key(found[1]) != int(found[2]):
        raise Unfit(
            "patient.ins_key",
            "The INS is not 15 characters whose control key is right.",
            "Read the number again: 13 characters and a key of 2 digits.",
        )


def _key(digits: str) -> int:
    """Control key of the 13 characters of a NIR or NIA."""
    return 97 - int(digits.replace("2A", "19").replace("2B", "18")) % 97
