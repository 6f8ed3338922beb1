"""The reference pages that are drawn from tables of the code.

Run as it stands, it writes them; with ``--check`` it says which are out of date and ends with 1.
Comes in: the registry of reasons and what HTTP and FHIR call them, the catalogue of bad input, the tables of the
doctor's findings, of alarms and of metrics. Goes out: ``docs/reference/*.md``. Refuses to know: anything that is
written by hand.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # run in place, from any folder

from prometheus_client import CollectorRegistry  # noqa: E402 - the path above comes first
from prometheus_client.metrics import MetricWrapperBase  # noqa: E402 - as above

from app.doctor.words import ENTRIES  # noqa: E402 - as above
from app.metrics import AROUND, HELD  # noqa: E402 - as above
from fhir_export.outcome_codes import SAID  # noqa: E402 - as above
from gateway.counts import Counts  # noqa: E402 - as above
from ingest.reasons import REGISTRY, Reason  # noqa: E402 - as above
from registry.alarm_codes import REGISTRY as ALARMS  # noqa: E402 - as above

_REASONS = """\
# Reasons

Why a message was set aside, and who has to act. The receipt carries the code, the place in the message (a JSON pointer)
and the action; the message itself is kept. Where several reasons apply, the first on this page is given.

*fix*: the sender is wrong; it does not repeat the message unchanged, and a corrected one takes a new `seq` and
`replaces`. *operator*: someone at the site has to act; what was kept waits in the quarantine. *none*: the device tries
again later by itself.

Severity is in words of FHIR's issue-severity. *error*: these bytes cannot count as they are, or come from one who may
not send them. *warning*: nothing is wrong with the bytes; they count as soon as somebody at the site has acted.
*information*: nothing is lost and nobody has to act. *fatal* is never said: whatever comes in one message, those behind
it are judged.

HTTP and FHIR issue: what the same fault is called where it is answered over HTTP, or told in an OperationOutcome.

*Drawn from `ingest/reasons.py` and `fhir_export/outcome_codes.py` by `scripts/reference.py`; change it there.*
"""


def reasons() -> str:
    """The registry, a table for each family, in the order in which reasons are given."""
    parts = [_REASONS]
    for family, members in groupby(Reason, key=lambda reason: reason.partition(".")[0]):
        parts.append(f"## {family}\n\n" + _table(_COLUMNS, [_said(reason) for reason in members]))
    return "\n".join(parts)


_COLUMNS = ["code", "action", "severity", "HTTP", "FHIR issue", "meaning", "français", "English"]


def _said(reason: Reason) -> list[str]:
    entry, said = REGISTRY[reason], SAID[reason]
    return [
        f"`{reason}`", entry.action, entry.severity, str(said.status), said.issue, entry.meaning, entry.fr, entry.en,
    ]  # fmt: skip


_BAD_INPUT = """\
# Bad input, and what becomes of it

Every row is a case that the tests play: through the real consumer into a real ledger, those that fit one publish also
by a plain MQTT client through the broker. Each bad message is kept, answered with its [reason](reasons.md) and, where
there is one, the place in the message, and acknowledged; it takes at most 10 MB beside its own length unless the row
says otherwise; the good message behind it is stored. *No answer*: the topic names nobody who could be told.

Rows are lettered as in the catalogue: J encoding and JSON, T topics, identity and session, S sequence, Z time, V values
and units, P patients, I files; C is what the device contract says beside them.

*Drawn from `tests/cases/bad/*.json` by `scripts/reference.py`; change it there.*
"""
_BAD_FAMILIES = {
    "J": "J: encoding and JSON", "T": "T: topics, identity, session", "S": "S: sequence and repeats", "Z": "Z: time",
    "V": "V: values and units", "P": "P: patients", "I": "I: files", "C": "C: the contract's own",
}  # fmt: skip


def bad_input() -> str:
    """The catalogue, a table for each family, with the outcome of each input."""
    found = [json.loads(path.read_text("utf-8")) for path in sorted((ROOT / "tests/cases/bad").glob("[A-Z]*.json"))]
    parts = [_BAD_INPUT]
    for family, title in _BAD_FAMILIES.items():
        rows = [line for row in found if row["id"][0] == family for line in _bad_row(row)]
        parts.append(f"## {title}\n\n" + _table(["row", "input", "outcome"], rows))
    return "\n".join(parts)


def _bad_row(row: dict[str, Any]) -> Iterator[list[str]]:
    """A line for the row, and one for each variant whose name says more."""
    why = next((f"{word}: {row[word]}" for word in ("retired", "excused") if word in row), "")
    shown = [f"`{named.rpartition('::')[2]}`" for named in row.get("elsewhere", [])]
    beside = f"shown by {', '.join(shown)}" if shown else ""
    yield [row["id"], f"**{row['input']}**", "; ".join(part for part in (why, beside, row.get("note", "")) if part)]
    for variant in row.get("variants", []):
        yield ["", variant["name"], ", then ".join(_outcome(each) for each in variant.get("messages", [variant]))]


def _outcome(message: dict[str, Any]) -> str:
    expected = message["expect"]
    if expected.get("verdict") == "none":
        return "taken"
    said = f"`{expected['reason']}`" if "reason" in expected else "stored"
    said += f" at `{expected['pointer']}`" if expected.get("pointer") else ""
    marks = (("repeat", ", repeat"), ("unusual", ", marked unusual"))
    said += "".join(words for name, words in marks if expected.get(name))
    said += f", time {expected['mark']}" if "mark" in expected else ""
    return said if expected.get("receipt", True) else f"{said}, no answer"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(
        "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in line) + " |\n" for line in lines
    )


_FINDINGS = """\
# What the doctor finds

Every finding of `constantes doctor` ([how to ask it](../how-to/ask-the-doctor.md)). An *error* ends it with code 1:
acknowledged readings would be lost, or none can be taken. A *warning* is for acting on while nothing is lost yet, a
*note* for knowing. `{...}` stands for a fact: a number, a setting, a file, a destination; never a reading, an identity
or a secret.

*Drawn from `app/doctor/words` by `scripts/reference.py`; change it there. The French sentences stand there too.*
"""


def findings() -> str:
    """The table of findings, a part for each look."""
    parts, head = [_FINDINGS], ["code", "severity", "what happened", "what is safe", "what to do"]
    for look in sorted({code.partition(".")[0] for code in ENTRIES}):
        kept = [(code, ENTRIES[code]) for code in sorted(ENTRIES) if code.startswith(f"{look}.")]
        rows = [[f"`{code}`", each.severity, each.en.happened, each.en.safe, each.en.remedy] for code, each in kept]
        parts.append(f"## {look}\n\n" + _table(head, rows))
    return "\n".join(parts)


_ALARMS = """\
# Alarms

What a person should know of, as data: `constantes alarms list [--all] [--json]`, `GET /api/v1/alarms[?cleared=true]`,
in the language of the installation (`CONSTANTES_LANGUAGE`). Technical only: a measured value is never an alarm.

*error*: readings do not go on, or may be lost, until somebody acts; `constantes alarms list` ends with 1. *warning*:
somebody should look. An *event* happened: one row while it lasts, however often, until it is over or a person says
`constantes alarms clear CODE SUBJECT`; the gateway gathers its own for a minute. A *state* is worked out from how
things are, and ends when they are mended. `{subject}` is a device, a destination, a reason or a part of the program;
`{count}` how many.

*Drawn from `registry/alarm_codes.py` by `scripts/reference.py`; change it there.*
"""


def alarms() -> str:
    """Every code, with its texts in both languages."""
    head = ["code", "severity", "sort", "language", "what happened", "what is safe", "what to do"]
    rows = [
        [f"`{code}`", entry.severity, entry.sort, language, said.happened, said.safe, said.remedy]
        for code, entry in sorted(ALARMS.items())
        for language, said in (("fr", entry.fr), ("en", entry.en))
    ]
    return "\n".join((_ALARMS, _table(head, rows)))


_METRICS = """\
# Metrics

`GET /metrics`, in Prometheus' text format: [what to make of them](../how-to/know-what-goes-wrong.md). No label is a
device or a person. A family with labels has no sample while there is nothing to count: alert on `sum(...)`. Those of
the ledger are absent while it is away: `constantes_ledger_up` is 0 then, and the rest is told. A counter also has a
`_created` sample, when it began.

*Drawn from `app/metrics.py` and `gateway/` by `scripts/reference.py`; change it there.*
"""


def metrics() -> str:
    """Every family: told without the ledger, told by the ledger, counted by the gateway."""
    parts = [_METRICS]
    for title, families in (("Around the ledger", AROUND), ("Of the ledger", HELD)):
        rows = [[_sample(each.name, each.sort), each.sort, ", ".join(each.labels), each.told] for each in families]
        parts.append(f"## {title}\n\n" + _table(_FAMILY, rows))
    counted = CollectorRegistry()
    labels = {
        next(iter(each.describe())).name: each._labelnames  # noqa: SLF001 - the library tells them nowhere else
        for each in vars(Counts(counted)).values()
        if isinstance(each, MetricWrapperBase)
    }
    gateways = [
        [_sample(each.name, each.type), each.type, ", ".join(labels.get(each.name, ())), each.documentation]
        for each in counted.collect()
    ]
    return "\n".join((*parts, "## Of the gateway, since its start\n\n" + _table(_FAMILY, gateways)))


_FAMILY = ["name", "type", "labels", "what it tells"]


def _sample(name: str, sort: str) -> str:
    return f"`{name}_total`" if sort == "counter" else f"`{name}`"


PAGES: dict[Path, Callable[[], str]] = {
    ROOT / "docs/reference/alarms.md": alarms,
    ROOT / "docs/reference/metrics.md": metrics,
    ROOT / "docs/reference/reasons.md": reasons,
    ROOT / "docs/reference/bad-input.md": bad_input,
    ROOT / "docs/reference/doctor.md": findings,
}


def main(arguments: Sequence[str]) -> int:
    """Write the pages, or with ``--check`` compare them; the number of pages out of date ends the run."""
    stale = [path for path, page in PAGES.items() if not path.exists() or path.read_text("utf-8") != page()]
    if "--check" in arguments:
        for path in stale:
            print(f"{path.relative_to(ROOT)} is out of date: run scripts/reference.py")  # noqa: T201 - a command
        return min(len(stale), 1)
    for path in stale:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(PAGES[path](), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
