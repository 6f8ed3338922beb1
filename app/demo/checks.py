"""The checks: what every demonstration must be able to show, one row each.

Comes in: what the devices wrote down, and what installation and record say. Goes out: a ``Finding`` a row. Refuses to
know: how any of it was asked for. The devices' own files are the measure: nothing is taken from the installation that
could be held against them instead.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from app.demo import asked, becomes, contents, ecg_check, trends
from app.demo.asked import Json, Told
from app.demo.contents import Sent
from app.demo.evidence import Account, Made
from app.demo.finding import Finding
from app.demo.tracing import is_tracing


@dataclass(frozen=True, slots=True)
class Facts:
    """``whose`` is the patient on whom each reading was made; ``sent`` what left of large contents.

    ``cut`` names the devices whose line was cut: what is told to them meanwhile does not reach them.
    """

    accounts: Sequence[Account]
    told: Told
    whose: Mapping[str, str]
    sent: Sent
    cut: frozenset[str] = frozenset()

    @property
    def stored(self) -> set[str]:
        """Reading ids with a `stored` receipt, of all devices."""
        return {reading for account in self.accounts for reading in account.stored}

    @property
    def made(self) -> dict[str, Made]:
        """Every reading that any device made, by id."""
        return {reading: made for account in self.accounts for reading, made in account.made.items()}


def findings(facts: Facts) -> list[Finding]:
    """Every check, in the order of a reading's way."""
    return [check(facts) for check in _CHECKS]


def _receipts(facts: Facts) -> Finding:
    stored, aside = len(facts.stored), sum(len(account.quarantined) for account in facts.accounts)
    what = f"{len(facts.made)} readings made = {stored} stored + {aside} quarantined, each with its receipt"
    waiting = {reading for account in facts.accounts for reading in account.waiting}
    return Finding(what, _some("no receipt for", waiting) or _two_verdicts(facts))


def _two_verdicts(facts: Facts) -> str | None:
    return _some("two verdicts for", {r for a in facts.accounts for r in a.stored & a.quarantined.keys()})


def _ledger(facts: Facts) -> Finding:
    held = {str(one["reading"]) for one in facts.told.readings}
    aside = Counter((one["device"], one["reason"]) for one in facts.told.quarantine)
    known = Counter((a.device, reason) for a in facts.accounts for reason in a.quarantined.values())
    problem = _differ(facts.stored, held) or (None if aside == known else "the quarantine lists other messages")
    return Finding("the ledger holds these readings and no others", problem)


def _balance(facts: Facts) -> Finding:
    told = facts.told.balance
    parts = " + ".join(
        f"{told[name]} {name}" for name in ("stored", "duplicate", "quarantined", "dismissed", "pending")
    )
    same = told["balanced"] and told["stored"] == len(facts.stored)
    return Finding(f"balance: {told['received']} received = {parts}", None if same else "it does not balance")


def _verify(facts: Facts) -> Finding:
    told = facts.told.verify
    faults = len(told["faults"])
    what = f"{told['rows']} ledger rows have their hash, and {told['blobs']} files theirs"
    return Finding(what, f"{faults} do not" if faults else None)


def _wrong_units(facts: Facts) -> Finding:
    wrong = {reading for reading, made in facts.made.items() if not becomes.LISTED.issuperset(made.units.values())}
    reasons = {reading: why for account in facts.accounts for reading, why in account.quarantined.items()}
    taken = {reading for reading in wrong if reasons.get(reading) != "unit.not_allowed"} | (wrong ^ reasons.keys())
    leaked = wrong & _made_of(facts.told.record).keys()
    problem = _some("another verdict for", taken) or _some("the record has", leaked)
    return Finding(f"{len(wrong)} readings in a wrong unit: all set aside, none in the record", problem)


def _in_record(facts: Facts) -> Finding:
    found = _made_of(facts.told.record)
    count = sum(map(len, found.values()))
    versions = {str(one["id"]): int(one["versions"]) for one in facts.told.sent if _reading_of(one)}
    problem = (
        _differ(facts.stored, set(found))
        or _some("more than one content for", {name for name, number in versions.items() if number != 1})
        or _other(facts, found)
    )
    return Finding(
        f"each stored reading is in the record once, as shown, with its patient ({count} resources)",
        problem,
    )


def _other(facts: Facts, found: Mapping[str, Sequence[Json]]) -> str | None:
    differences: dict[str, set[str]] = defaultdict(set)
    for reading in facts.stored:
        if why := becomes.difference(facts.made[reading], facts.whose[reading], found[reading]):
            differences[why].add(reading)
    return next((_some(f"{why} for", readings) for why, readings in differences.items()), None)


def _provenance(facts: Facts) -> Finding:
    told = {_reading_of(one) for one in facts.told.record if one["resourceType"] == "Provenance"}
    problem = _differ(facts.stored, {reading for reading in told if reading})
    return Finding(f"each of them has its Provenance ({len(told)})", problem)


def _confirmed(facts: Facts) -> Finding:
    missing = {account.device: account.stored - account.in_record for account in facts.accounts}
    away = sum(len(readings) for device, readings in missing.items() if device in facts.cut)
    problem = _some("not told for", {r for device, rs in missing.items() if device not in facts.cut for r in rs})
    note = f" ({away} while off the network)" if away else ""
    return Finding(f"the devices were told which readings are in the record{note}", problem)


def _settled(facts: Facts) -> Finding:
    waits = {"deliveries": len(facts.told.deliveries), "gaps": len(facts.told.gaps)}
    waits["readings without a patient"] = sum(one["patient"] is None for one in facts.told.readings)
    problem = ", ".join(f"{count} {name}" for name, count in waits.items() if count) or None
    return Finding("nothing waits: no delivery, no gap, no reading without a patient", problem and f"{problem} wait")


def _trends(facts: Facts) -> Finding:
    stored = {reading: facts.made[reading] for reading in facts.stored}
    told = facts.told.trends
    what = f"{len(told)} trends hold {sum(map(len, told.values()))} values: those of the stored readings, each once"
    return Finding(what, trends.difference(stored, facts.whose, told))


def _ecg(facts: Facts) -> Finding:
    tracings = [one for one in facts.told.seen("Observation") if is_tracing(one)]
    wanted = [facts.made[reading] for reading in facts.stored if facts.made[reading].kind == "ecg"]
    count, problem = ecg_check.compare(tracings)
    if len(tracings) != len(wanted) or not wanted:
        problem = f"{len(wanted)} were stored and {len(tracings)} pulled"
    files = sum(made.content is not None for made in wanted)
    what = f"{len(tracings)} ECGs pulled, {files} sent as a file, = the recording, sample for sample"
    return Finding(f"{what} ({count} samples)", problem)


def _files(facts: Facts) -> Finding:
    stored = {reading: facts.made[reading] for reading in facts.stored}
    sizes = [len(body) for body in facts.told.files.values()]
    what = f"{len(sizes)} files pulled from /fhir/Binary = what the devices sent, by SHA-256 ({sum(sizes)} bytes)"
    return Finding(what, contents.difference(stored, facts.told))


def _parts(facts: Facts) -> Finding:
    sent = facts.sent
    size = sum(made.content.size for made in facts.made.values() if made.content)
    share = sent.size / size if size else 0.0
    what = f"they went out in {sent.parts} parts, {sent.lost} lost, {sent.twice} twice: {share:.2f} x their bytes"
    if not (sent.lost and sent.twice):
        return Finding(what, "no part was lost, or none came twice, so that nothing was shown")
    return Finding(what, None if 1 <= share <= contents.MOST else f"between 1 and {contents.MOST} x was to be expected")


def _marked(facts: Facts) -> Finding:
    everything = [one for one in (*facts.told.record, *facts.told.seen()) if not _is_gateway(one)]
    bare = {f"{one['resourceType']}/{one['id']}" for one in everything if not _is_test(one)}
    return Finding(
        f"all {len(everything)} resources, pulled or in the record, are marked as a test", _some("not", bare)
    )


def _is_gateway(resource: Json) -> bool:
    """The installation is a real one: it alone is no test."""
    return resource["resourceType"] == "Device" and str(resource["id"]).endswith("-gateway")


def _is_test(resource: Json) -> bool:
    return any(label.get("code") == "HTEST" for label in resource.get("meta", {}).get("security", ()))


def _valid(facts: Facts) -> Finding:
    from fhir.resources.R4B import get_fhir_model_class
    from pydantic import ValidationError

    wrong: set[str] = set()
    bundles = facts.told.pulled
    for (patient, type_), body in bundles.items():
        try:
            get_fhir_model_class("Bundle").model_validate_json(body)
        except ValidationError:
            wrong.add(f"{type_}?patient={patient}")
    count = sum(len(asked.entries(body)) for body in bundles.values())
    return Finding(f"{len(bundles)} bundles pulled, {count} resources, are valid FHIR R4", _some("not", wrong))


_CHECKS: Sequence[Callable[[Facts], Finding]] = (
    _receipts, _ledger, _balance, _verify, _wrong_units, _in_record, _provenance, _confirmed, _settled, _trends, _ecg,
    _files, _parts, _marked, _valid,
)  # fmt: skip


def _made_of(resources: Sequence[Json]) -> Mapping[str, list[Json]]:
    """The resources made of readings, by reading id."""
    found: dict[str, list[Json]] = defaultdict(list)
    for resource in resources:
        if reading := _reading_of(resource):
            found[reading].append(resource)
    return found


_OF_A_READING = re.compile(r"([0-9a-f]{32})-(?!(device|gateway|exam)$)[a-z0-9-]+")
"""Ids of resources made of a reading; those of devices and exams have the same form."""


def _reading_of(sent: Json) -> str | None:
    """The reading that a resource is made of; Patients and Devices are made of none."""
    found = _OF_A_READING.fullmatch(str(sent["id"]))
    return found[1] if found else None


def _differ(wanted: set[str], found: set[str]) -> str | None:
    return _some("missing", wanted - found) or _some("not known to the devices", found - wanted)


def _some(what: str, ids: set[str] | Iterator[str]) -> str | None:
    """None when there is none of them; else how many, and the first few."""
    names = sorted(ids)
    return f"{what} {len(names)} of them: {', '.join(names[:3])}" if names else None
