"""The order of a round and the size of its batches."""

from __future__ import annotations

from fhir_export.push.plan import PARKED_WAIT, SUSPECT, Plan, asked, links, packs, plan, references
from fhir_export.push.port import Identity, Outgoing
from fhir_export.push.rows import Blocker, Due

NOW = 1_000_000


def due(position: int, name: str, *refers: str, tries: int = 0, version: int = 1, size: int = 0) -> Due:
    """A row; ``name`` and ``refers`` are ``Type/id``."""
    type_, id_ = name.split("/")
    links = ",".join(f'{{"reference":"{target}"}}' for target in refers)
    body = f'{{"resourceType":"{type_}","id":"{id_}","link":[{links}],"pad":"{"x" * size}"}}'.encode()
    return Due(position, tries, version, 1, None, None, Outgoing(type_, id_, body))


def planned(rows: list[Due], *others: tuple[str, Blocker]) -> Plan:
    """The plan of rows that are all unconfirmed, as are ``others``."""
    waiting: dict[Identity, list[Blocker]] = {}
    for row in rows:
        waiting.setdefault(row.outgoing.identity, []).append(Blocker(row.position, parked=False, next_try=1))
    for name, blocker in others:
        type_, id_ = name.split("/")
        waiting.setdefault((type_, id_), []).append(blocker)
    return plan(rows, links(rows), waiting, NOW)


def positions(result: Plan) -> list[list[int]]:
    """Positions, wave by wave."""
    return [[one.due.position for one in wave] for wave in result.waves]


def test_references_go_in_an_earlier_wave() -> None:
    """Patient, Device, Observation, intervals derived from it, report: each goes after what it refers to."""
    rows = [
        due(1, "Patient/p"),
        due(2, "Device/d", "Patient/p"),
        due(3, "Observation/ecg", "Patient/p", "Device/d"),
        due(4, "Observation/intervals", "Observation/ecg"),
        due(5, "Observation/rate", "Patient/p"),
        due(6, "DiagnosticReport/r", "Observation/intervals", "Observation/rate"),
    ]
    assert positions(planned(rows)) == [[1], [2, 5], [3], [4], [6]]


def test_what_was_confirmed_long_ago_is_not_waited_for() -> None:
    """A reference to something with no delivery row needs nothing."""
    assert positions(planned([due(9, "Observation/a", "Patient/p", "Device/d")])) == [[9]]


def test_a_patient_that_stands_later_still_goes_first() -> None:
    """A Patient's newest version may have a higher position than what refers to it."""
    rows = [due(1, "Observation/a", "Patient/p"), due(2, "Patient/p")]
    assert positions(planned(rows)) == [[2], [1]]


def test_the_columns_count_like_references() -> None:
    """Patient and device named by the row alone are waited for too."""
    row = Due(3, 0, 1, 1, "p", "d", Outgoing("Observation", "a", b"{}"))
    assert references(row) == {("Patient", "p"), ("Device", "d")}
    assert planned([row], ("Device/d", Blocker(1, parked=False, next_try=NOW + 5))).held == {3: NOW + 5}


def test_binary_urls_are_references() -> None:
    """An attachment's Binary goes before the document that points to it."""
    document = Outgoing("DocumentReference", "x", b'{"content":[{"attachment":{"url":"Binary/y"}}]}')
    assert references(Due(1, 0, 1, 1, None, None, document)) == {("Binary", "y")}


def test_a_binary_goes_before_what_shows_it_wherever_it_stands() -> None:
    """A Binary and its Media name each other: the Binary goes first, after the people it is about."""
    media = due(1, "Media/m", "Binary/b", "Patient/p")
    bytes_ = due(2, "Binary/b", "Media/m", "Patient/p")
    assert positions(planned([media, bytes_, due(3, "Patient/p")])) == [[3], [2], [1]]
    held = planned([media], ("Binary/b", Blocker(2, parked=False, next_try=NOW + 7))).held
    assert held == {1: NOW + 7}


def test_a_parked_reference_holds_its_referrer_a_minute() -> None:
    """A row that refers to a parked one is looked at again later, and stands in nobody's way."""
    rows = [due(5, "Provenance/x", "Observation/a"), due(6, "Observation/b")]
    result = planned(rows, ("Observation/a", Blocker(4, parked=True, next_try=0)))
    assert (positions(result), result.held) == ([[6]], {5: NOW + PARKED_WAIT})


def test_versions_of_one_resource_are_never_in_one_round() -> None:
    """The second version waits until the ledger has the first one's confirmation."""
    rows = [due(1, "Observation/a"), due(2, "Observation/a", version=2), due(3, "Observation/b")]
    result = planned(rows)
    assert (positions(result), dict(result.held)) == ([[1, 3]], {})


def test_an_earlier_version_elsewhere_holds_a_later_one() -> None:
    """A version waits for an earlier one that is being retried, until that one's turn."""
    result = planned(
        [due(7, "Observation/a", version=2)], ("Observation/a", Blocker(3, parked=False, next_try=NOW + 9))
    )
    assert (positions(result), result.held) == ([], {7: NOW + 9})


def test_only_second_versions_are_asked_for_themselves() -> None:
    """A first version has no earlier one: it is not looked up."""
    rows = [due(1, "Observation/a", "Patient/p"), due(2, "Observation/b", version=2)]
    assert asked(rows, links(rows)) == {("Patient", "p"), ("Observation", "b")}


def test_a_batch_has_at_most_100_entries_and_a_megabyte() -> None:
    """Both limits hold, and nothing is left out."""
    rows = [due(n, f"Observation/o{n}") for n in range(250)] + [
        due(300 + n, f"Media/m{n}", size=400_000) for n in range(5)
    ]
    found = list(packs(rows, batch=True))
    assert [len(pack) for pack in found] == [100, 100, 52, 2, 1]
    assert [row for pack in found for row in pack] == rows
    assert all(sum(len(row.outgoing.body) for row in pack) <= 1_000_000 for pack in found)


def test_binaries_and_suspects_go_alone() -> None:
    """A Binary, and a row that failed three times, share a request with nobody."""
    rows = [
        due(1, "Observation/a"),
        due(2, "Binary/b"),
        due(3, "Observation/c", tries=SUSPECT),
        due(4, "Observation/d"),
    ]
    assert sorted([row.position for row in pack] for pack in packs(rows, batch=True)) == [[1, 4], [2], [3]]
