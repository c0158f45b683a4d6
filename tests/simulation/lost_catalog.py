"""Runs in which the catalog's disk is lost, or comes back as an older copy: trade stops until the operator's repair."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from backends.storage.csv.rebuild.rebuild import Rebuild
from backends.storage.csv.small_files import SmallFiles
from backends.storage.ports import StartRefused
from protos import catalog_pb2
from tests.simulation.cluster import SimulatedCluster
from tests.simulation.files import DiskFaults, SimulatedFiles
from tests.simulation.nodes import CatalogNode, Node, die
from tests.simulation.process import Process
from tests.simulation.replica_node import ReplicaNode

# The stocks as every simulated catalog begins with them (nodes.py): what an operator gives to the repair.
SEED_FILE = Path(__file__).with_name("stocks.csv")
LONGEST_TRADE_S = 60.0
STOPPED_S = 10.0
RESTARTED_S = 3.0


class LostCatalog:
    """Trade, lose trades of the catalog that all replicas hold, see that nothing is traded, repair, trade again."""

    def __init__(self, cluster: SimulatedCluster) -> None:
        self._cluster = cluster
        self._world = cluster.world
        self._random = cluster.world.random
        self._history = cluster.history
        self._kept = 0  # how many trades the catalog has left

    def run(self) -> None:
        """Run to the end.

        Raises:
            Violation: something was traded or shown that must not be, or the repair did not restore everything.
        """
        self._lose()
        # An older copy shows its old stocks until the first replica is heard, and prices are what a repair cannot know.
        self._history.judges_stocks = False
        self._cluster.check = self._check
        self._start_catalog()
        if self._random.random() < 0.5:
            self._cluster.faults.kill(self._random.choice(self._cluster.replicas))
        self._cluster.wait(STOPPED_S)
        self._check_stopped()
        self._restart_all()
        self._cluster.wait(RESTARTED_S)
        self._check_stopped()
        repair(self._cluster, self._cluster.replicas)
        self._cluster.check = self._cluster.invariants.check
        self._cluster.become_whole()

    # -- The loss --------------------------------------------------------------------------------------------------

    def _lose(self) -> None:
        """Lose some trades that all replicas hold: if only those were alive that lack them, nobody could know."""
        node, disk = self._cluster.catalog, self._cluster.disk
        self._trade(self._random.randint(1, 8))
        saved, self._kept = disk.save(node.path), len(self._history.rows)
        self._trade(self._random.randint(1, 8))
        node.die()
        if self._random.random() < 0.5:
            self._kept = 0
            disk.wipe(node.path)
            self._world.fault("wiped catalog", f"{len(self._history.rows)} trades are lost")
        else:
            disk.restore(node.path, saved)
            self._world.fault("restored catalog", f"{self._kept} of {len(self._history.rows)} trades are left")

    def _trade(self, count: int) -> None:
        """Let some more orders be decided and replicated to all."""
        enough = len(self._history.rows) + count

        def is_done() -> bool:
            number = len(self._history.rows)
            return number >= enough and all(one.store.last_number == number for one in self._cluster.replicas)

        self._cluster.wait_until(is_done, LONGEST_TRADE_S)
        if not is_done():
            raise self._history.violated(f"I9: {count} orders were not made without any fault")

    def _start_catalog(self) -> None:
        try:
            self._cluster.catalog.start()
        except StartRefused as refusal:
            self._world.note(f"the catalog does not start: {refusal}")

    def _restart_all(self) -> None:
        """Cut the power of all: what was found out must not be forgotten."""
        for node in self._nodes():
            if node.is_alive:
                node.die(silently=True)
            self._cluster.disk.cut_power(node.path, "nothing", self._random)
        for node in self._cluster.replicas:
            node.start()
        self._start_catalog()

    def _nodes(self) -> list[Node]:
        return [self._cluster.catalog, *self._cluster.replicas]

    # -- What must not happen --------------------------------------------------------------------------------------

    def _check(self, process: Process) -> None:
        """No number is given twice: the catalog decides nothing."""
        if not isinstance(process, CatalogNode):
            self._cluster.invariants.check(process)
        elif process.catalog is not None:
            health = process.catalog.health_check(catalog_pb2.CatalogHealthRequest())
            if health.last_number != self._kept:
                raise self._history.violated(
                    f"I1: the catalog lost trades {self._kept + 1} to {len(self._history.rows)} and has decided"
                    f" {health.last_number}"
                )

    def _check_stopped(self) -> None:
        """I10: the catalog says why nothing is traded, or every replica does."""
        catalog = self._cluster.catalog.catalog
        if catalog is None or catalog.health_check(catalog_pb2.CatalogHealthRequest()).halted:
            return
        for node in self._cluster.replicas:
            if node.replica is None or not node.replica.health().halted:
                raise self._history.violated(f"I10: the catalog has not halted, and {node.name} neither")


def repair(cluster: SimulatedCluster, replicas: Sequence[ReplicaNode]) -> None:
    """Stop everything, run the operator's command on the directories of these replicas, and start everything."""
    nodes: list[Node] = [cluster.catalog, *cluster.replicas]
    for node in nodes:
        if node.is_alive:
            node.die()
    files = SimulatedFiles(cluster.disk, DiskFaults(), cluster.world.random, lambda _seconds: None)
    rebuild = Rebuild(
        small_files=SmallFiles(cluster.catalog.path, files, die),
        replica_dirs=[node.path for node in replicas],
        seed=SEED_FILE,
        accept_missing=False,
        report=cluster.world.note,
        utc_now=lambda: datetime.fromtimestamp(1_900_000_000 + cluster.world.now, UTC),
    )
    rebuild.run()
    files.end()
    for node in nodes:
        node.start()
