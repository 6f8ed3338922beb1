"""Resources on their way in and out: a strict server's checks."""

import pytest

from simulators.record import exact, resources
from simulators.record.answers import Answer, Refused, misnamed
from simulators.record.resources import Version

BASE = "http://127.0.0.1:1/fhir"
KEY = ("Observation", "a")


def checked(text: str) -> resources.Resource:
    """The resource of a text, as PUT to `Observation/a`."""
    return resources.checked(KEY, resources.checked_tree(text.encode()), BASE)


def test_the_servers_own_members_of_meta_are_not_content() -> None:
    """`meta.versionId` and `meta.lastUpdated` that a client sends are left out; the rest stays in its place."""
    sent = '{"resourceType":"Observation","id":"a","meta":{"versionId":"9","source":"x","lastUpdated":"y"},"z":1.50}'
    assert checked(sent).body == b'{"resourceType":"Observation","id":"a","meta":{"source":"x"},"z":1.50}'
    bare = '{"resourceType":"Observation","id":"a","meta":{"versionId":"9"}}'
    assert checked(bare).body == b'{"resourceType":"Observation","id":"a"}'


def test_references_and_identifiers_are_found() -> None:
    """References at any depth are found, ours by full address too; contained, logical and foreign ones are not."""
    found = checked(
        '{"resourceType":"Observation","id":"a","identifier":[{"system":"s","value":"v"},{"value":"w"},{"system":"s"}],'
        '"subject":{"reference":"Patient/p"},"hasMember":[{"reference":"' + BASE + '/Observation/o/_history/2"}],'
        '"device":{"reference":"#inside"},"performer":[{"reference":"https://elsewhere.invalid/Patient/q"}]}'
    )
    assert found.identifiers == (("s", "v"), ("", "w"))
    assert set(found.references) == {("Patient", "p"), ("Observation", "o")}


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "{",
        '{"resourceType":"Patient","id":"a"}',
        '{"resourceType":"Observation","id":"b"}',
        '{"resourceType":"Observation"}',
        '{"resourceType":"Observation","id":"a","a":"\\ud800"}',
        '{"resourceType":"Observation","id":"a","a":' + "[" * 150 + "]" * 150 + "}",
    ],
)
def test_a_body_that_is_not_the_resource_of_the_address_is_refused(text: str) -> None:
    """A body of another type or id, or that is not strict JSON, is refused with 400."""
    with pytest.raises(Refused) as refused:
        checked(text)
    assert refused.value.status == 400


@pytest.mark.parametrize(
    ("type_", "id_", "status"), [("Nothing", "a", 404), ("Patient", "a_b", 400), ("Patient", "a" * 65, 400)]
)
def test_an_address_that_is_no_resource_is_refused(type_: str, id_: str, status: int) -> None:
    """An unknown type is 404, an id that is not one of FHIR 400."""
    with pytest.raises(Refused) as refused:
        resources.checked_key(type_, id_)
    assert refused.value.status == status


def test_content_is_compared_by_meaning_and_digits() -> None:
    """The order of names does not make another content; a digit more, or a text for a number, does."""
    assert resources.same_content(b'{"a":1.0,"b":2}', b'{"b":2,"a":1.0}')
    assert not resources.same_content(b'{"a":36.6}', b'{"a":36.60}')
    assert not resources.same_content(b'{"a":1}', b'{"a":"1"}')


def test_a_shown_resource_has_the_servers_meta_and_nothing_else_new() -> None:
    """What is shown is what was stored, and the server's version and instant in `meta`."""
    body = b'{"resourceType":"Observation","id":"a","meta":{"source":"x"},"valueQuantity":{"value":36.60}}'
    assert exact.write(resources.shown(Version(KEY, 3, "2026-11-21T04:30:00.000Z", body))) == (
        b'{"resourceType":"Observation","id":"a","meta":{"source":"x","versionId":"3",'
        b'"lastUpdated":"2026-11-21T04:30:00.000Z"},"valueQuantity":{"value":36.60}}'
    )


def test_a_misnamed_answer_names_another_id_everywhere() -> None:
    """A misnamed answer differs in the id of its body and in every location, and in nothing else."""
    one = misnamed(
        Answer(
            201, b'{"resourceType":"Observation","id":"a","b":"a"}', (("Location", f"{BASE}/Observation/a/_history/1"),)
        )
    )
    assert one.body == b'{"resourceType":"Observation","id":"00000000-another-id","b":"a"}'
    assert one.headers == (("Location", f"{BASE}/Observation/00000000-another-id/_history/1"),)
