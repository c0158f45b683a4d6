"""Seeded runs of the whole order path under faults: `BOURSE_SIMULATE=first-last` chooses the seeds."""

import os
from pathlib import Path

import pytest

from tests.simulation.cluster import SimulatedCluster

FIRST, _, LAST = os.environ.get("BOURSE_SIMULATE", "1-20").partition("-")


@pytest.mark.parametrize("seed", range(int(FIRST), int(LAST) + 1))
def test_invariants_hold(seed: int, tmp_path: Path) -> None:
    """Kills, freezes, cuts, lost and late messages; then everything is healed and must be whole."""
    cluster = SimulatedCluster(seed, tmp_path)
    try:
        cluster.run()
    except AssertionError as violation:
        raise AssertionError(f"seed {seed}: {violation}") from None
    finally:
        cluster.stop()
