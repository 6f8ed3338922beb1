"""The tables agree with the contract and with each other."""

import re
from typing import get_args

import pytest

from fhir_export import profiles
from fhir_export.circumstances import EXERTIONS, MOMENTS, POSITIONS
from fhir_export.mapping.devices import device_id
from fhir_export.profiles import FLAGS, METHODS, NEVER_EXPORTED, VITAL_SIGNS, VitalSign
from ingest.kinds import KINDS
from ingest.metrics import METRICS
from ingest.wire import Circumstances, Flag

LATER = {"ecg_pr", "ecg_qrs", "ecg_qt", "ecg_qtc"}
"""Components of one Observation, which has a table of its own."""


def test_each_metric_makes_one_observation() -> None:
    """Every metric stands in one row, or in one for each word that tells its sample; intervals have a table."""
    used = [(metric, sample) for row in VITAL_SIGNS for metric in row.metrics for sample in row.samples or ("any",)]
    assert len(set(used)) == len(used)
    assert {metric for metric, _ in used} == METRICS.keys() - LATER


def test_every_sample_has_its_row() -> None:
    """Whatever the context says of the sample, or says nothing, a metric told apart by it has a row."""
    words = {None, *get_args(get_args(Circumstances.model_fields["sample"].annotation)[0])}
    told = {metric: set[str | None]() for row in VITAL_SIGNS if row.samples for metric in row.metrics}
    for row in VITAL_SIGNS:
        for metric in told.keys() & set(row.metrics):
            told[metric] |= row.samples or set()
    assert told == {"blood_glucose": words}


@pytest.mark.parametrize("row", VITAL_SIGNS, ids=lambda row: row.metrics[0])
def test_a_row_is_complete(row: VitalSign) -> None:
    """A row has one metric, or a component for each; LOINC comes first and MDC last; slugs are FHIR ids."""
    assert tuple(row.components) in ((), row.metrics)
    assert row.components or len(row.metrics) == 1
    assert re.fullmatch(r"[a-z0-9-]{1,20}", row.slug)
    for codings in (row.codings, *row.components.values()):
        systems = [coding.system for coding in codings]
        assert systems == sorted(systems, key=ORDER.index)
        assert systems[0] == profiles.LOINC
        assert (systems[-1] == profiles.MDC) == (row.metrics != ("heart_rate",))
    assert (row.mesures is None) == (row.plain is None) == (row.category == "procedure")
    assert row.originals.keys() <= METRICS[row.metrics[0]].conversions.keys()


ORDER = [profiles.LOINC, profiles.TRE_LOINC, profiles.MDC]
"""Clients read the first coding."""


def test_no_reading_makes_the_same_slug_twice() -> None:
    """Rows of one slug belong to different kinds or different samples: no reading makes two of them."""
    for kind in KINDS.values():
        names = {metric.name for metric in kind.metrics.values()}
        for sample in (None, "capillary", "interstitial"):
            rows = [row for row in VITAL_SIGNS if names.intersection(row.metrics)]
            slugs = [row.slug for row in rows if row.samples is None or sample in row.samples]
            assert len(set(slugs)) == len(slugs)


def test_every_flag_has_its_words_or_keeps_the_reading_back() -> None:
    """The contract's flags are those with a French sentence and those that are never exported."""
    assert FLAGS.keys() | NEVER_EXPORTED == set(get_args(Flag))
    assert not FLAGS.keys() & NEVER_EXPORTED


def test_methods_name_rows() -> None:
    """A method's word gives codings for slugs that exist."""
    slugs = {row.slug for row in VITAL_SIGNS}
    for by_slug in METHODS.values():
        assert by_slug.keys() <= slugs
        assert all(by_slug.values())


def test_specializations_are_those_of_kinds() -> None:
    """A specialization belongs to a kind of the contract, and a method that changes it to a word of METHODS."""
    assert profiles.SPECIALIZATIONS.keys() <= KINDS.keys()
    assert {kind for kind, _ in profiles.SPECIALIZATIONS_BY_METHOD} <= KINDS.keys()
    assert {method for _, method in profiles.SPECIALIZATIONS_BY_METHOD} <= METHODS.keys()


def test_oxygen_saturation_has_a_method_of_both_vintages_or_none() -> None:
    """Its value set is required: a coding of one vintage alone would be refused by a reader of the other."""
    for by_slug in METHODS.values():
        systems = {coding.system for coding in by_slug.get("oxygen-saturation", ())}
        assert systems in (set(), {profiles.EMDN, profiles.CLADIMED})


def test_every_context_word_has_its_code() -> None:
    """Position, exertion and moment are written for every word that the contract has."""
    for name, table in (("position", POSITIONS), ("exertion", EXERTIONS), ("moment", MOMENTS)):
        words = get_args(get_args(Circumstances.model_fields[name].annotation)[0])
        assert set(table) == set(words)


def test_a_device_id_fits_fhir() -> None:
    """A device's FHIR id is made of its id by SHA-256, because that id may hold an underscore."""
    assert device_id("bp7-0001") == "addbcb106215f8151664211e32a04ee9-device"
    assert re.fullmatch(r"[A-Za-z0-9.-]{1,64}", device_id("a_b"))
    assert device_id("a_b") != device_id("a-b")
