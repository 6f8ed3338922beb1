"""The page about pushing names every code that can come up."""

from __future__ import annotations

import re
from pathlib import Path

from fhir_export.push.answers import RULES
from fhir_export.push.statement import LACKS

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "push-to-a-fhir-server.md"


def test_the_page_has_a_row_for_each_code_and_no_other() -> None:
    """Codes of the answer table and of what a server may lack; `record.waits` is the plan's own."""
    named = set(re.findall(r"^ *\| `(record\.[a-z_0-9]+)` \|", PAGE.read_text("utf-8"), re.MULTILINE))
    assert named == {rule.code for rule in RULES if rule.code} | LACKS.keys() | {"record.waits"}
