"""The tables of FHIR beside the vital signs: ECG intervals, photographs of the fundus, files, provenance.

Comes in: nothing. Goes out: rows for ``fhir_export.mapping``. Refuses to know: values, patients, how a row becomes
JSON. As in ``fhir_export.profiles`` no code carries a display, with the one exception that says why.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from fhir_export.profiles import LOINC, MDC, SNOMED, Coding, Codings

DCM = "http://dicom.nema.org/resources/ontology/DCM"
URI = "urn:ietf:rfc:3986"
DICOM_UID = "urn:dicom:uid"
DICOM = "application/dicom"

MAPPING_VERSION = "1.0.0"
"""Of the rules that ``mapping`` and these tables make up; named in every Provenance. A change of any resource that they
make is a new version."""

# ---------------------------------------------------------------- ECG

INTERVALS_SLUG = "ecg-intervals"
INTERVALS_CODINGS = (Coding(LOINC, "34534-8"),)
INTERVALS: Mapping[str, Codings] = MappingProxyType(
    {
        "ecg_pr": (Coding(LOINC, "8625-6"), Coding(MDC, "146944")),
        "ecg_qrs": (Coding(LOINC, "8633-0"), Coding(MDC, "147228")),
        "ecg_qt": (Coding(LOINC, "8634-8"), Coding(MDC, "147232")),
        # No MDC: the 11073 list and DICOM CID 3227 give QTc different numbers.
        "ecg_qtc": (Coding(LOINC, "8636-3"),),
    }
)
"""Metric to codings, in the order of their components."""
ECG_REPORT_CODINGS = (Coding(LOINC, "11524-6"),)
INCOMPLETE = "Enregistrement incomplet : des parties n'ont pas été reçues, leurs échantillons sont notés E [incomplete]"
"""Note on the tracing of a live recording whose parts did not all come (device contract, C-ECG-5)."""
WAVEFORMS: Mapping[str, str] = MappingProxyType(
    {
        "1.2.840.10008.5.1.4.1.1.9.1.1": "DICOM 12-lead ECG Waveform Storage",
        "1.2.840.10008.5.1.4.1.1.9.1.2": "DICOM General ECG Waveform Storage",
        "1.2.840.10008.5.1.4.1.1.9.1.3": "DICOM Ambulatory ECG Waveform Storage",
    }
)
"""SOP classes of C-ECG-3 with their names (DICOM PS3.4, B.5): a bare UID as ``format`` tells a person nothing."""

# ---------------------------------------------------------------- the clock

CLOCK_SLUG = "clock"
CLOCK_CODINGS = (Coding(MDC, "67975"),)
SOFTWARE_VERSION = Coding(MDC, "531975")

# ---------------------------------------------------------------- the fundus


@dataclass(frozen=True, slots=True)
class Eye:
    """``fundus`` says side and place in one code, ``side`` the side alone; ``letter`` is DICOM's."""

    word: str
    fundus: Coding
    side: Coding
    letter: str


@dataclass(frozen=True, slots=True)
class Field:
    """What a photograph shows; ``coding`` only where DICOM CID 4207 has that very field.

    DICOM splits nasal, temporal, superior and inferior into mid and far: we are not told which.
    """

    text: str
    word: str
    coding: Coding | None = None


EYES: Mapping[str, Eye] = MappingProxyType(
    {
        "left": Eye("gauche", Coding(SNOMED, "723299002"), Coding(SNOMED, "7771000"), "L"),
        "right": Eye("droit", Coding(SNOMED, "723298005"), Coding(SNOMED, "24028007"), "R"),
    }
)
FIELDS: Mapping[str, Field] = MappingProxyType(
    {
        "macula": Field("Champ centré sur la macula", "champ macula", Coding(DCM, "111900")),
        "disc": Field("Champ centré sur la papille", "champ papille", Coding(DCM, "111901")),
        "disc_macula": Field("Champ macula et papille", "champ macula et papille", Coding(DCM, "111903")),
        "nasal": Field("Champ nasal", "champ nasal"),
        "temporal": Field("Champ temporal", "champ temporal"),
        "superior": Field("Champ supérieur", "champ supérieur"),
        "inferior": Field("Champ inférieur", "champ inférieur"),
        "other": Field("Autre champ", "autre champ"),
    }
)
PUPILS: Mapping[str, str] = MappingProxyType({"natural": "pupille non dilatée", "dilated": "pupille dilatée"})
PHOTOGRAPH = Coding(DCM, "OP")
"""Alone: R4's own media-modality ``retina`` is an image *used for identification*."""
IMAGE = Coding("http://terminology.hl7.org/CodeSystem/media-type", "image")
RETINA = Coding(SNOMED, "5665001")
FUNDUS_REPORT_CODINGS = (Coding(LOINC, "18748-4"),)

# ---------------------------------------------------------------- reports, provenance

ECG_SECTION = Coding("http://terminology.hl7.org/CodeSystem/v2-0074", "EC")
IMAGING_SECTION = Coding("http://terminology.hl7.org/CodeSystem/v2-0074", "IMG")

_OPERATION = "http://terminology.hl7.org/CodeSystem/v3-DataOperation"
CREATE, NULLIFY = Coding(_OPERATION, "CREATE"), Coding(_OPERATION, "NULLIFY")
_PART = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
ASSEMBLER, AUTHOR, INFORMANT = (Coding(_PART, word) for word in ("assembler", "author", "informant"))
"""The gateway made the resources, the device measured, a hub told us."""
