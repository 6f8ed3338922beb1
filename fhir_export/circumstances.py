"""The tables of FHIR for what a device told beside its value: position, exertion, moment of the day.

Comes in: nothing. Goes out: the contract's context words (C-RD-7) as codes, and the extensions that carry them. Refuses
to know: body sites, which differ from profile to profile (``profiles``), and what was measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from fhir_export.profiles import FR_CORE, MESURES, SNOMED, TRE_LOINC, Coding

POSITION_EXTENSION = f"{FR_CORE}observation-body-position-ext"
POSITIONS: Mapping[str, Coding] = MappingProxyType(
    {
        "sitting": Coding(SNOMED, "33586001"),
        "standing": Coding(SNOMED, "10904000"),
        "lying": Coding(SNOMED, "102538003"),
    }
)

EXERTION_EXTENSION = f"{FR_CORE}observation-level-of-exertion"
EXERTIONS: Mapping[str, str] = MappingProxyType({"rest": "au repos [rest]", "exercise": "à l'effort [exercise]"})
"""Text, with the contract's own word: the extension names no value set."""
MOMENT_EXTENSION = f"{MESURES}mesures-moment-of-measurement"
MOMENTS: Mapping[str, Coding] = MappingProxyType(
    {
        "fasting": Coding(TRE_LOINC, "53049-3"),
        "before_meal": Coding(TRE_LOINC, "88365-2"),
        "after_meal": Coding(TRE_LOINC, "16915-1"),
        "after_exercise": Coding(TRE_LOINC, "LA11865-5"),
        "other": Coding(TRE_LOINC, "LA46-8"),
    }
)
"""Value set J157; the extension takes one coding only."""
