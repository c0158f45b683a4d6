"""A few of the faults; `make chaos` tries all."""

from pathlib import Path

import pytest

import tests.chaos.faults  # noqa: F401 - registers them
from tests.chaos.running import run_trial
from tests.chaos.trial import FAULTS
from tests.harness.size import sized

SEED = 1
# The bounds are for a quiet machine, and here other tests run beside.
SLACK = sized(quick=4.0, full=1.0)

CHOSEN = [
    "leader-killed-before-its-own-append",
    "catalog-killed-writing-an-epoch",
    "client-gone-at-each-step",
    "disk-full-at-leader",
    "power-cut-of-all",
]


@pytest.mark.parametrize("name", CHOSEN)
def test_fault(name: str, tmp_path: Path):
    """The promises hold and the bounds, with some slack, are kept; what failed is in the folder of the test."""
    result = run_trial(FAULTS[name], SEED, tmp_path / name)
    print(*result.measurements, sep="\n")
    bounds = {str(each): each for each in result.measurements}
    assert [problem for problem in result.problems if problem not in bounds] == []
    assert [text for text, bound in bounds.items() if bound.value > SLACK * bound.most] == []
    assert result.orders
