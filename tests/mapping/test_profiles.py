"""The tables agree with the contract and with each other."""

import re
from typing import get_args

import pytest

from fhir_export import profiles
from fhir_export.mapping.devices import device_id
from fhir_export.profiles import FLAGS, METHODS, NEVER_EXPORTED, VITAL_SIGNS, VitalSign
from ingest.kinds import KINDS
from ingest.metrics import METRICS
from ingest.wire import Flag

LATER = {"ecg_pr", "ecg_qrs", "ecg_qt", "ecg_qtc"}
"""Measured and kept; their Observation is not made yet."""


def test_each_metric_makes_one_observation() -> None:
    """Every metric stands in one row, except those whose Observation comes later."""
    used = [metric for row in VITAL_SIGNS for metric in row.metrics]
    assert sorted(used) == sorted(METRICS.keys() - LATER)


@pytest.mark.parametrize("row", VITAL_SIGNS, ids=lambda row: row.metrics[0])
def test_a_row_is_complete(row: VitalSign) -> None:
    """A row has one metric, or a component for each; LOINC comes first; slugs are FHIR ids."""
    assert tuple(row.components) in ((), row.metrics)
    assert row.components or len(row.metrics) == 1
    assert re.fullmatch(r"[a-z0-9-]{1,20}", row.slug)
    for codings in (row.codings, *row.components.values()):
        assert [coding.system for coding in codings] == [profiles.LOINC, profiles.MDC]


def test_no_reading_makes_the_same_slug_twice() -> None:
    """Rows of one slug belong to different kinds: no reading holds metrics of two of them."""
    for kind in KINDS.values():
        names = {metric.name for metric in kind.metrics.values()}
        slugs = [row.slug for row in VITAL_SIGNS if names.intersection(row.metrics)]
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


def test_every_kind_has_its_specialization() -> None:
    """Each kind of the contract names its MDC device specialization."""
    assert profiles.SPECIALIZATIONS.keys() == KINDS.keys()


def test_a_device_id_fits_fhir() -> None:
    """A device's FHIR id is made of its id by SHA-256, because that id may hold an underscore."""
    assert device_id("bp7-0001") == "addbcb106215f8151664211e32a04ee9-device"
    assert re.fullmatch(r"[A-Za-z0-9.-]{1,64}", device_id("a_b"))
    assert device_id("a_b") != device_id("a-b")
