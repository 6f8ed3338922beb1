"""The command that looks for what would lose readings: doctor.

Comes in: words. Goes out: findings with their remedies, in the installation's language; exit code 1 when one is an
error. Refuses to know: how anything is found. It asks nothing of ``/api/v1``, so that it works when nothing else does,
and it writes nothing into the ledger.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli_output import Json, fail, notice, show_json

if TYPE_CHECKING:  # loading these takes longer than `--help` may
    from app.doctor.finding import Finding, Language

_MARKS = {"error": "✗", "warning": "!", "note": "·"}
_TALLY = {"fr": ("erreurs", "avertissements", "remarques"), "en": ("errors", "warnings", "notes")}


def add(app: typer.Typer) -> None:
    """Put the command on ``app``."""
    app.command()(doctor)


def doctor(
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="LOOK", help="settings, clock, disk, ledger, series, destination or broker; repeatable."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Look for what would lose readings, each finding with its remedy; exit code 1 when one is an error."""
    from app.doctor.finding import found
    from app.doctor.looks import LOOKS, run
    from app.settings import WrongSetting, load

    names = tuple(dict.fromkeys(only or LOOKS))
    if unknown := [name for name in names if name not in LOOKS]:
        fail(f"There is no look `{unknown[0]}`: {', '.join(LOOKS)}.", code=2)
    language: Language = "en"  # in which settings are told to be wrong
    items: list[dict[str, Any]] = []
    try:
        settings = load()
    except WrongSetting as fault:
        items.append(_item("settings", found("settings.wrong", name=fault.name, problem=fault.problem), language))
    else:
        language = settings.language
        for report in run(settings, names):
            notice(None if as_json else f"{report.look:<12} {report.seconds:.1f} s")
            items += [_item(report.look, each, language) for each in report.findings]
    items.sort(key=lambda item: list(_MARKS).index(item["severity"]))
    if as_json:
        show_json(_tally(items, _TALLY["en"]) | {"items": items})
    else:
        _show(items, language)
    if any(item["severity"] == "error" for item in items):
        raise typer.Exit(1)


def _item(look: str, finding: Finding, language: Language) -> dict[str, Any]:
    from app.doctor.finding import told
    from app.doctor.words import ENTRIES

    entry = ENTRIES[finding.code]
    words = told(finding, entry, language)
    return {
        "code": finding.code,
        "severity": str(entry.severity),
        "look": look,
        "happened": words.happened,
        "safe": words.safe,
        "remedy": words.remedy,
    }


def _tally(items: list[dict[str, Any]], names: Sequence[str]) -> dict[str, Any]:
    counts = Counter(item["severity"] for item in items)
    return {name: counts[severity] for name, severity in zip(names, _MARKS, strict=True)}


def _show(items: list[dict[str, Any]], language: Language) -> None:
    for item in items:
        typer.echo(f"{_MARKS[item['severity']]} {item['code']}")
        for part in ("happened", "safe", "remedy"):
            typer.echo(f"  {item[part]}")
    typer.echo(", ".join(f"{name}: {count}" for name, count in _tally(items, _TALLY[language]).items()))
