"""Seeded runs of the whole order path under faults. `make simulate` runs many more."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from backends.storage.known_keys import KnownKeys
from tests.simulation.planted.bugs import FIRST_SEED
from tests.simulation.runs import LOST_CATALOG_EVERY, run_seed, run_seeds

TASKS = 2
SEEDS_A_TASK = 100


@pytest.mark.parametrize("task", range(TASKS))
def test_invariants_hold(task: int) -> None:
    """Faults of some kinds in processes, disks and the network; then all is healed and must become whole."""
    first = FIRST_SEED + task * SEEDS_A_TASK
    run = run_seeds(first, first + SEEDS_A_TASK - 1)
    assert not run.violations, "\n\n".join(run.violations.values())
    assert run.seeds == SEEDS_A_TASK
    assert run.orders > 0


@pytest.mark.parametrize(("seed", "hash_seed"), [(7, "0"), (7, "1"), (LOST_CATALOG_EVERY, "2")])
def test_a_seed_gives_the_same_trace_in_any_process(seed: int, hash_seed: str) -> None:
    """Every message, in its order and at its time, whatever the order of sets and the processes' own randomness."""
    _, trace = run_seed(seed, is_verbose=True)
    replay = subprocess.run(
        [sys.executable, "-m", "tests.simulation", "--seed", str(seed)],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
    )
    assert len(trace) > 200  # whatever the figures of the model: more than a beginning
    assert replay.stdout.splitlines()[: len(trace)] == trace


def test_a_violation_is_told_with_its_seed_and_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(KnownKeys, "number", lambda self, key: None)
    texts = run_seeds(1, 40).violations
    assert any("Violation: I4: " in text for text in texts.values())
    for seed, text in texts.items():
        assert text.startswith(f"seed {seed}: Violation: I")
        assert "decided" in text
