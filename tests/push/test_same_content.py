"""When what a record holds is what was sent."""

from __future__ import annotations

import pytest

from fhir_export.push.content import same_content

OURS = b'{"resourceType":"Observation","id":"a","meta":{"source":"urn:oid:2.999.1"},"value":{"v":36.60,"u":"Cel"}}'


@pytest.mark.parametrize(
    "theirs",
    [
        OURS,
        b'{"id":"a","resourceType":"Observation","value":{"u":"Cel","v":36.60},"meta":{"source":"urn:oid:2.999.1"}}',
        OURS.replace(b'2.999.1"', b'2.999.1#Xy12","versionId":"3","lastUpdated":"2026-11-21T04:30:01Z"'),
    ],
    ids=["same bytes", "another order", "with what HAPI adds"],
)
def test_what_servers_add_makes_no_difference(theirs: bytes) -> None:
    """Member order, version, time of update and HAPI's source suffix do not count."""
    assert same_content(OURS, theirs)


def test_a_meta_that_only_servers_fill_counts_as_none() -> None:
    """HAPI gives a resource without meta one with a bare suffix as source."""
    assert same_content(b'{"id":"a"}', b'{"id":"a","meta":{"versionId":"1","source":"#Xy12"}}')


@pytest.mark.parametrize(
    "theirs",
    [
        OURS.replace(b"36.60", b"36.6"),
        OURS.replace(b"36.60", b'"36.60"'),
        OURS.replace(b"2.999.1", b"2.999.2"),
        OURS.replace(b'"Cel"', b'"K"'),
        b"[]",
        b"<html>",
    ],
    ids=["a digit less", "a string", "another source", "another unit", "a list", "a page"],
)
def test_any_other_difference_counts(theirs: bytes) -> None:
    """Down to the last zero of a number, a difference is a difference."""
    assert not same_content(OURS, theirs)
