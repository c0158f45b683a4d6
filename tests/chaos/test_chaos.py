"""A few of the faults; `make chaos` tries all."""

from pathlib import Path

import pytest

import tests.chaos.faults  # noqa: F401 - registers them
from tests.chaos.running import run_trial
from tests.chaos.trial import FAULTS

SEED = 1


CHOSEN = [
    "leader-killed-before-its-own-append",
    "catalog-killed-writing-an-epoch",
    "client-gone-at-each-step",
    "power-cut-of-all",
]


@pytest.mark.parametrize("name", CHOSEN)
def test_fault(name: str, tmp_path: Path):
    """The promises hold and the bounds are kept; what failed can be seen in the folder of the test."""
    result = run_trial(FAULTS[name], SEED, tmp_path / name)
    print(*result.measurements, sep="\n")
    assert not result.problems, "\n".join(result.problems)
    assert result.orders
