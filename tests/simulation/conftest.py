import gc
from collections.abc import Iterator

import pytest
import structlog

from tests.simulation.runs import silence_logs


@pytest.fixture(scope="module", autouse=True)
def small_heap() -> None:
    """Leave what earlier tests of this process keep alone: going through it again and again is a third of a run."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def quiet_logs() -> Iterator[None]:
    before = structlog.get_config()
    silence_logs()
    yield
    structlog.configure(**before)
