"""One installation for all tests of a module, started and pulled from; gone when they are."""

from collections.abc import Iterator

import pytest

from tests.faults.installation import Installation
from tests.whole.pulling import Pulling


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """Give an installation that runs."""
    made = Installation(tmp_path_factory.mktemp("site"))
    try:
        made.start()
        yield made
    finally:
        made.end()


@pytest.fixture(scope="module")
def pulled(site: Installation) -> Iterator[Pulling]:
    """Give a client of it."""
    with Pulling(site) as client:
        yield client
