"""The tables of FHIR: which metrics make which Observation, under which profile, in which codes.

Comes in: nothing. Goes out: rows for ``fhir_export.mapping``. Refuses to know: values, patients, how a row
becomes JSON.

A new simple quantity is one row of ``VITAL_SIGNS``; how it can be measured and what kind of device measures it,
where codes for that exist, are rows of ``METHODS`` and ``SPECIALIZATIONS``. Profiles: Mesures de santé 3.2.0, which
builds on FR Core 2.1.0. LOINC codes are those the profiles fix; MDC codes are ISO/IEEE 11073-10101 (partition x
65536 + term). No code carries a display: a wrong one fails validation, a missing one never does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from ingest.model import DeviceStatus

MESURES = "https://interop.esante.gouv.fr/ig/fhir/mesures/StructureDefinition/"
FR_CORE = "https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-"
R4_VITAL_SIGNS = "http://hl7.org/fhir/StructureDefinition/vitalsigns"
PHD_DEVICE = "http://hl7.org/fhir/uv/phd/StructureDefinition/PhdDevice"
FR_PATIENT = f"{FR_CORE}patient"

LOINC = "http://loinc.org"
TRE_LOINC = "https://mos.esante.gouv.fr/NOS/TRE_A04-Loinc/FHIR/TRE-A04-Loinc"
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


def _codes(*loinc: str, mdc: str | None = None) -> Codings:
    return (*(Coding(LOINC, code) for code in loinc), *((Coding(MDC, mdc),) if mdc else ()))


@dataclass(frozen=True, slots=True)
class Original:
    """What a value was before it was converted: the code of that quantity in the unit sent, for biology."""

    codings: Codings
    text: str | None = None


@dataclass(frozen=True, slots=True)
class VitalSign:
    """A row: one Observation, of category vital-signs if not told otherwise.

    ``metrics`` names what it is made of; with ``components`` each has its own codings there and stands in a
    component, without there is one metric and it is the value. The row makes nothing when the first metric
    was not sent, or when ``samples`` does not list what the context says of the sample (None: said nothing).

    ``mesures`` is the profile for a PhdDevice, ``plain`` for any other device; None claims none. ``sites`` are
    the body sites that the profile's value set has; a site outside it is left out, because a required set
    would refuse any other code. A value converted from a unit of ``originals`` is told by the national
    extension for biology; from any other unit, by a translation within the Quantity.
    """

    slug: str
    mesures: str | None
    plain: str | None
    codings: Codings
    metrics: tuple[str, ...]
    components: Mapping[str, Codings] = field(default_factory=dict)
    sites: Mapping[str, Coding] = field(default_factory=dict)
    category: str = "vital-signs"
    text: str | None = None
    samples: frozenset[str | None] | None = None
    originals: Mapping[str, Original] = field(default_factory=dict)


def _vital(metric: str, names: tuple[str, str], codings: Codings, slug: str = "", **more: Any) -> VitalSign:  # noqa: ANN401 - the row's own fields
    """One metric that Mesures and FR Core each have a profile for; ``names`` are what theirs end in."""
    mesures, fr_core = f"{MESURES}mesures-fr-observation-{names[0]}", f"{FR_CORE}observation-{names[1]}"
    return VitalSign(slug or metric.replace("_", "-"), mesures, fr_core, codings, (metric,), **more)


def _heart_rate(metric: str, mdc: str | None = None) -> VitalSign:
    """One slug and one profile whatever was counted; MDC says what: pulse at the cuff, R waves."""
    return _vital(metric, ("heartrate", "heartrate"), _codes("8867-4", mdc=mdc), slug="heart-rate")


def _glucose(slug: str, code: str, original: str, mdc: str, text: str, sample: str | None) -> VitalSign:
    """LOINC under both names that the vintages of the value set give it; FR Core has no profile for it."""
    return VitalSign(
        slug,
        f"{MESURES}mesures-observation-glucose",
        R4_VITAL_SIGNS,
        (Coding(LOINC, code), Coding(TRE_LOINC, code), Coding(MDC, mdc)),
        ("blood_glucose",),
        text=text,
        samples=frozenset({sample}),
        originals={"mmol/L": Original(_codes(original), f"{text}, en mmol/L")},
    )


def _breath(metric: str, loinc: str, mdc: str) -> VitalSign:
    """Forced spirometry: a procedure for which no profile exists."""
    return VitalSign(metric, None, None, _codes(loinc, mdc=mdc), (metric,), category="procedure")


_EAR, _FOREHEAD = Coding(SNOMED, "117590005"), Coding(SNOMED, "52795006")

VITAL_SIGNS: tuple[VitalSign, ...] = (
    VitalSign(
        slug="blood-pressure",
        mesures=f"{MESURES}mesures-fr-observation-bp",
        plain=f"{FR_CORE}observation-bp",
        codings=_codes("85354-9", mdc="150020"),
        metrics=("systolic", "diastolic", "mean_pressure"),
        components={
            "systolic": _codes("8480-6", mdc="150021"),
            "diastolic": _codes("8462-4", mdc="150022"),
            "mean_pressure": _codes("8478-0", mdc="150023"),
        },
        sites={"arm": Coding(FMA, "24890"), "wrist": Coding(FMA, "24922")},
    ),
    _heart_rate("cuff_pulse", "149546"),
    _vital(
        "oxygen_saturation",
        ("oxygen-sat", "saturation-oxygen"),
        _codes("2708-6", "59408-5", mdc="150456"),
        sites={"finger": Coding(SNOMED, "7569003"), "ear": _EAR, "forehead": _FOREHEAD},
    ),
    _heart_rate("oximeter_pulse", "149530"),
    _heart_rate("heart_rate"),  # optical or electrical is not told, so no MDC code is true
    _vital(
        "body_temperature",
        ("body-temperature", "body-temperature"),
        _codes("8310-5", mdc="150364"),
        sites={
            "oral": Coding(SNOMED, "123851003"),
            "axilla": Coding(SNOMED, "91470000"),
            "ear": _EAR,
            "forehead": _FOREHEAD,
            "rectal": Coding(SNOMED, "34402009"),
        },
    ),
    _vital("body_weight", ("body-weight", "body-weight"), _codes("29463-7", mdc="188736")),
    _vital("body_height", ("bodyheight", "body-height"), _codes("8302-2", mdc="188740")),
    _glucose("blood-glucose", "2345-7", "14749-6", "160020", "Glycémie capillaire", "capillary"),
    _glucose("blood-glucose", "2345-7", "14749-6", "160020", "Glycémie", None),
    _glucose("interstitial-glucose", "99504-3", "105272-9", "160212", "Glucose interstitiel", "interstitial"),
    VitalSign(
        slug="hba1c",
        mesures=f"{MESURES}mesures-observation-hb1ac",  # the guide's spelling
        plain=R4_VITAL_SIGNS,
        codings=_codes("4548-4", mdc="160220"),
        metrics=("hba1c",),
        originals={"mmol/mol": Original(_codes("59261-8"))},
    ),
    _vital("respiratory_rate", ("resp-rate", "resp-rate"), _codes("9279-1", mdc="151562")),
    _breath("fev1", "20150-9", "152586"),
    _breath("fvc", "19868-9", "188928"),
    _breath("pef", "19935-6", "152584"),
    _heart_rate("ecg_heart_rate", "147842"),
)
"""In the order in which a reading's Observations are made."""

ORIGINAL_EXTENSION = f"{MESURES}mesures-original-data"
"""Carries a ``VitalSign.originals`` row: biology only, vital signs are refused it."""

ECG_SLUG = "ecg"
ECG_CODINGS = _codes("11524-6", mdc="131328")
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

_CONNECTED = (Coding(NCIT, "C153216"),)
_OXIMETER = (Coding(EMDN, "Z1203020408"), Coding(CLADIMED, "K50BF"))
METHODS: Mapping[str, Mapping[str, Codings]] = MappingProxyType(
    {
        "cuff": {
            "blood-pressure": (Coding(EMDN, "Z1203020501"), *_CONNECTED),
            "heart-rate": (Coding(EMDN, "Z12030205"), Coding(CLADIMED, "K51FC01")),
        },
        "ecg": {"heart-rate": (Coding(EMDN, "C0205"),)},
        "oximeter": {"oxygen-saturation": _OXIMETER, "heart-rate": _OXIMETER},
        "thermometer": {"body-temperature": (Coding(EMDN, "V03010102"),)},
        "contactless_thermometer": {"body-temperature": (Coding(EMDN, "V0301010202"),)},
        "scale": {"body-weight": (Coding(EMDN, "V030210"), Coding(CLADIMED, "K50BI02"))},
        "glucose_meter": {"blood-glucose": (Coding(EMDN, "Z1204011501"), *_CONNECTED)},
        "glucose_sensor": {"interstitial-glucose": (Coding(EMDN, "J0601"), *_CONNECTED)},
        "connected": dict.fromkeys(
            ("blood-pressure", "heart-rate", "blood-glucose", "interstitial-glucose", "hba1c"), _CONNECTED
        ),
    }
)
"""A word of the device's registration, then a slug: how it was measured, in both vintages of the value sets
J145 (weight), J147 (heart rate, SpO2), J150 (blood pressure), J152 (temperature), J155 (glucose, HbA1c),
because one matching coding is enough and nobody can tell which vintage a reader has. SpO2's set is *required*
and only its elder vintage knows a connected object: so ``connected`` says nothing there."""

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

UNIT_NAMES: Mapping[str, str] = MappingProxyType(
    {"mm[Hg]": "mmHg", "Cel": "°C", "[degF]": "°F", "[in_i]": "in", "[lb_av]": "lb"}
)
"""UCUM codes that people write otherwise."""

DEVICE_STATUS: Mapping[DeviceStatus, str] = MappingProxyType(
    {DeviceStatus.ACTIVE: "active", DeviceStatus.REVOKED: "inactive", DeviceStatus.UNKNOWN: "unknown"}
)
SPECIALIZATIONS: Mapping[str, str] = MappingProxyType(
    {
        "blood_pressure": "528391",
        "pulse_oximetry": "528388",
        "body_temperature": "528392",
        "body_weight": "528399",
        "blood_glucose": "528401",
        "respiratory_rate": "528397",
        "spirometry": "528413",
        "ecg": "528390",
    }
)
"""MDC device specialization by kind (PHD value set DeviceTypes11073MDC); what it has no code for is generic."""
SPECIALIZATIONS_BY_METHOD: Mapping[tuple[str, str], str] = MappingProxyType(
    {("blood_glucose", "glucose_sensor"): "528409"}
)
"""Where one kind is measured by devices of two specializations, the registration's method tells them apart."""
GENERIC_SPECIALIZATION = "528457"
"""MDC: what a device has whose kinds have no code of their own, or that told none."""

NATIONAL_IDENTIFIERS = "urn:oid:1.2.250.1.213.1.4."
"""The arc of the INS (.8 NIR, .9 NIA, .10 test, .11 demonstration, .2 its forerunner) and of billing numbers
(.13, .14): nothing under it leaves without a qualified identity, and this version holds no qualification."""
