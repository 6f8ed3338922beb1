"""One running FHIR validator for all tests that ask it: building and starting it costs seconds."""

from collections.abc import Iterator

import pytest

from scripts.validate import Validator, missing_tools


@pytest.fixture(scope="session")
def fhir_validator() -> Iterator[Validator]:
    """Give a started validator: `check(resource: bytes) -> list[str]` returns its errors."""
    if missing := missing_tools():
        pytest.skip(f"{' and '.join(missing)} not on this machine (Debian: scripts/apt-install)")
    with Validator() as validator:
        yield validator
