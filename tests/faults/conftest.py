"""An installation for each test of this folder, gone when the test is."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.installation import Installation


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Installation]:
    """Give an installation that is not started yet."""
    made = Installation(tmp_path)
    yield made
    made.end()
