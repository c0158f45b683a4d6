from collections.abc import Iterator

import pytest
import structlog

from tests.simulation.runs import silence_logs


@pytest.fixture(autouse=True)
def quiet_logs() -> Iterator[None]:
    before = structlog.get_config()
    silence_logs()
    yield
    structlog.configure(**before)
