from collections.abc import Iterator

import pytest
from drive_server import Drive


@pytest.fixture
def drive() -> Iterator[Drive]:
    with Drive() as server:
        yield server
