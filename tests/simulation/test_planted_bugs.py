"""The simulator can fail: it finds each of these mistakes within the seeds that are stated for it."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.planted import bugs
from tests.simulation.planted.bugs import BUGS, FIRST_SEED, Bug
from tests.simulation.planted.catalog import no_key_check
from tests.simulation.runs import run_seed


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_planted_bug_is_found(bug: Bug) -> None:
    found = bug.find()
    assert found is not None, f"{bug.name} was not found within {bug.within} seeds"
    print(f"{bug.name}: found by seed {found[0]}: {found[1]}")


def test_a_violation_is_replayed_exactly(monkeypatch: pytest.MonkeyPatch) -> None:
    """In another process, from its seed alone: each message at its time, and the same violation at the end."""
    no_key_check(monkeypatch)
    seed = next(seed for seed in range(FIRST_SEED, FIRST_SEED + 20) if run_seed(seed)[0].violations)
    run, trace = run_seed(seed, is_verbose=True)
    replay = subprocess.run(
        [sys.executable, "-m", "tests.simulation", "--seed", str(seed), "--plant", "no_key_check"],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert replay.returncode == 1, replay.stderr
    lines = replay.stdout.splitlines()
    assert lines[: len(trace)] == trace
    assert lines[-1] == run.violations[seed].splitlines()[0]


def test_the_table_says_which_is_found_and_which_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bugs, "BUGS", (Bug(no_key_check, within=20), Bug(no_key_check, within=0)))
    _head, _line, found, missed = bugs.table()
    assert found.startswith("| `no_key_check`: A key that has an order may get another one. | ")
    assert "Violation: I4: key " in found
    assert missed.endswith(f"| {bugs.NOT_FOUND} | 0 |  |")
