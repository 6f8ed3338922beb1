"""The tables of FHIR: which metrics make which Observation, under which profile, in which codes.

Comes in: nothing. Goes out: rows for ``fhir_export.mapping``. Refuses to know: values, patients, how a row
becomes JSON.

A new simple vital sign is one row of ``VITAL_SIGNS``. Profiles: Mesures de santé 3.2.0, which builds on FR
Core 2.1.0. LOINC codes are those the profiles fix; MDC codes are ISO/IEEE 11073-10101 (partition x 65536 +
term). No code carries a display: a wrong one fails validation, a missing one never does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from ingest.model import DeviceStatus

MESURES = "https://interop.esante.gouv.fr/ig/fhir/mesures/StructureDefinition/"
FR_CORE = "https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-"
PHD_DEVICE = "http://hl7.org/fhir/uv/phd/StructureDefinition/PhdDevice"
FR_PATIENT = f"{FR_CORE}patient"

LOINC = "http://loinc.org"
MDC = "urn:iso:std:iso:11073:10101"
SNOMED = "http://snomed.info/sct"
UCUM = "http://unitsofmeasure.org"
EMDN = "https://smt.esante.gouv.fr/terminologie-emdn"
NCIT = "https://mos.esante.gouv.fr/NOS/TRE_R307-NCIT/FHIR/TRE-R307-NCIT"
CLADIMED = "https://mos.esante.gouv.fr/NOS/TRE_R306-CLADIMED/FHIR/TRE-R306-CLADIMED"
FMA = "https://mos.esante.gouv.fr/NOS/TRE_R309-FMA/FHIR/TRE-R309-FMA"


@dataclass(frozen=True, slots=True)
class Coding:
    """A code in a system (URI)."""

    system: str
    code: str


Codings = tuple[Coding, ...]


def _codes(loinc: str, mdc: str) -> Codings:
    return Coding(LOINC, loinc), Coding(MDC, mdc)


@dataclass(frozen=True, slots=True)
class VitalSign:
    """A row: one Observation of category vital-signs.

    ``metrics`` names what it is made of; with ``components`` each has its own codings there and stands in a
    component, without there is one metric and it is the value. The row makes nothing when the first metric
    was not sent. ``mesures`` is the profile for a PhdDevice, ``fr_core`` for any other. ``sites`` are the
    body sites that the profile's required value set has; a site outside it is left out, because any other
    code would be refused.
    """

    slug: str
    mesures: str
    fr_core: str
    codings: Codings
    metrics: tuple[str, ...]
    components: Mapping[str, Codings] = field(default_factory=dict)
    sites: Mapping[str, Coding] = field(default_factory=dict)


def _heart_rate(metric: str, mdc: str) -> VitalSign:
    """One slug and one profile whatever was counted; MDC says what: pulse at the cuff, R waves."""
    return VitalSign(
        slug="heart-rate",
        mesures=f"{MESURES}mesures-fr-observation-heartrate",
        fr_core=f"{FR_CORE}observation-heartrate",
        codings=_codes("8867-4", mdc),
        metrics=(metric,),
    )


VITAL_SIGNS: tuple[VitalSign, ...] = (
    VitalSign(
        slug="blood-pressure",
        mesures=f"{MESURES}mesures-fr-observation-bp",
        fr_core=f"{FR_CORE}observation-bp",
        codings=_codes("85354-9", "150020"),
        metrics=("systolic", "diastolic", "mean_pressure"),
        components={
            "systolic": _codes("8480-6", "150021"),
            "diastolic": _codes("8462-4", "150022"),
            "mean_pressure": _codes("8478-0", "150023"),
        },
        sites={"arm": Coding(FMA, "24890"), "wrist": Coding(FMA, "24922")},
    ),
    _heart_rate("cuff_pulse", "149546"),
    _heart_rate("ecg_heart_rate", "147842"),
)

ECG_SLUG = "ecg"
ECG_CODINGS = _codes("11524-6", "131328")
LEADS: Mapping[str, Coding] = MappingProxyType(
    {
        lead: Coding(MDC, str(131328 + number))
        for lead, number in {
            "I": 1, "II": 2, "III": 61, "aVR": 62, "aVL": 63, "aVF": 64,
            "V1": 3, "V2": 4, "V3": 5, "V4": 6, "V5": 7, "V6": 8, "unspecified": 0,
        }.items()
    }
)  # fmt: skip
"""MDC code of a lead = 131328 + its number in SCP-ECG (5.6.3-9-n), which DICOM CID 3001 repeats."""

METHODS: Mapping[str, Mapping[str, Codings]] = MappingProxyType(
    {
        "cuff": {
            "blood-pressure": (Coding(EMDN, "Z1203020501"), Coding(NCIT, "C153216")),
            "heart-rate": (Coding(EMDN, "Z12030205"), Coding(CLADIMED, "K51FC01")),
        },
        "ecg": {"heart-rate": (Coding(EMDN, "C0205"),)},
        "connected": {
            "blood-pressure": (Coding(NCIT, "C153216"),),
            "heart-rate": (Coding(NCIT, "C153216"),),
        },
    }
)
"""A word of the device's registration, then a slug: how it was measured, in both vintages of the value sets
J147 (heart rate) and J150 (blood pressure), because one matching coding is enough and nobody can tell which
vintage a reader has."""

POSITION_EXTENSION = f"{FR_CORE}observation-body-position-ext"
POSITIONS: Mapping[str, Coding] = MappingProxyType(
    {
        "sitting": Coding(SNOMED, "33586001"),
        "standing": Coding(SNOMED, "10904000"),
        "lying": Coding(SNOMED, "102538003"),
    }
)

FLAGS: Mapping[str, str] = MappingProxyType(
    {
        "movement": "mouvement pendant la mesure",
        "irregular_pulse": "pouls irrégulier",
        "cuff_loose": "brassard mal ajusté",
        "weak_signal": "signal faible",
        "questionable": "mesure signalée comme douteuse",
    }
)
"""What the record's reader is told of a flag, in French, beside the contract's own word."""
NEVER_EXPORTED = frozenset({"test", "calibrating"})
"""Flags of readings that never reach a patient's record (device contract, C-RD-8)."""

UNIT_NAMES: Mapping[str, str] = MappingProxyType({"mm[Hg]": "mmHg"})
"""UCUM codes that people write otherwise."""

DEVICE_STATUS: Mapping[DeviceStatus, str] = MappingProxyType(
    {DeviceStatus.ACTIVE: "active", DeviceStatus.REVOKED: "inactive", DeviceStatus.UNKNOWN: "unknown"}
)
SPECIALIZATIONS: Mapping[str, str] = MappingProxyType({"blood_pressure": "528391", "ecg": "528390"})
"""MDC device specialization by kind (PHD value set DeviceTypes11073MDC)."""
GENERIC_SPECIALIZATION = "528457"
"""MDC: what a device has that told no kind we have a code for."""

NATIONAL_IDENTIFIERS = "urn:oid:1.2.250.1.213.1.4."
"""The arc of the INS (.8 NIR, .9 NIA, .10 test, .11 demonstration, .2 its forerunner) and of billing numbers
(.13, .14): nothing under it leaves without a qualified identity, and this version holds no qualification."""
