"""The runs that lose the catalog can fail, and some of each kind pass."""

import pytest

from tests.simulation.cluster import SimulatedCluster
from tests.simulation.history import Violation
from tests.simulation.lost_catalog import LostCatalog
from tests.simulation.runs import LOST_CATALOG_EVERY, run_seed


def test_trade_stops_until_the_repair_restores_everything():
    kinds = set()
    for seed in range(LOST_CATALOG_EVERY, 16 * LOST_CATALOG_EVERY, LOST_CATALOG_EVERY):
        run, _ = run_seed(seed)
        assert not run.violations, run.violations[seed]
        kinds |= set(run.faults)
    assert kinds >= {"wiped catalog", "restored catalog"}


class LostEverywhere(LostCatalog):
    """The replicas lose their disks too: nobody is left who could know that trades are missing."""

    def _lose(self) -> None:
        super()._lose()
        for node in self._cluster.replicas:
            node.die()
            self._cluster.disk.wipe(node.path)
            self._cluster.invariants.forget_replica(node.replica_id)
            node.start()


def test_trade_that_goes_on_without_the_lost_orders_is_found():
    """By a number that is given twice, or before that by a leader, a list or a look-up without them."""
    told = r"I1: the catalog lost trades|I6: .* leads in epoch|I6: a list names|I6: order \d+ was not found"
    with pytest.raises(Violation, match=told):
        LostEverywhere(SimulatedCluster(seed=LOST_CATALOG_EVERY)).run()
