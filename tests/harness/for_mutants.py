"""A pytest plugin for `make mutants`: the quick tests first, and one failure is enough.

Nine of ten mutants are found by a test of some milliseconds; in mutmut's own order most would wait for slow ones.
"""

import json
from functools import cache
from pathlib import Path

import pytest
from hypothesis import Phase, settings

MEASURED = Path("mutmut-stats.json")  # beside the mutated copy, in which mutmut runs pytest

# A failing example is not made small: whether there is one is all that is asked.
settings.register_profile("mutants", phases=[Phase.explicit, Phase.generate], database=None)
settings.load_profile("mutants")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order what was collected by its duration, once that has been measured."""
    durations = _durations() if MEASURED.exists() else {}
    items.sort(key=lambda item: durations.get(item.nodeid, 0.0))


@cache
def _durations() -> dict[str, float]:
    measured: dict[str, float] = json.loads(MEASURED.read_text())["duration_by_test"]
    return measured
