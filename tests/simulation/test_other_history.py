"""A replica that comes back with another history halts everything, and it alone is blamed."""

import pytest

from tests.simulation.cluster import SimulatedCluster
from tests.simulation.history import Violation
from tests.simulation.other_history import OtherHistory
from tests.simulation.planted.replicas import halt_blames_the_leader
from tests.simulation.runs import LOST_CATALOG_EVERY, OTHER_HISTORY_AT, run_seed


def test_everything_halts_and_the_repair_restores_trade():
    kinds = set()
    for seed in range(OTHER_HISTORY_AT, 8 * LOST_CATALOG_EVERY, LOST_CATALOG_EVERY):
        run, _ = run_seed(seed)
        assert not run.violations, run.violations[seed]
        kinds |= set(run.faults)
    assert "other history" in kinds


def test_blaming_another_replica_is_found(monkeypatch: pytest.MonkeyPatch):
    halt_blames_the_leader(monkeypatch)
    with pytest.raises(Violation, match=r"I10: order-\d holds another history, but it is said: .* replica \d holds"):
        OtherHistory(SimulatedCluster(seed=OTHER_HISTORY_AT)).run()
