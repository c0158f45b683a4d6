"""Runs in which a replica comes back with another history: everything halts, and says whose log it is."""

from common.rows import encode_row, parse_row
from protos import catalog_pb2
from tests.simulation.cluster import SimulatedCluster
from tests.simulation.lost_catalog import repair
from tests.simulation.nodes import CatalogNode
from tests.simulation.process import Process

LONGEST_TRADE_S = 60.0
NOTICED_S = 30.0


class OtherHistory:
    """Trade, give a stopped replica other orders than those that were decided, trade on, and let it come back.

    So stands a replica whose orders the catalog lost, once as many others have been decided: the others agree with the
    catalog, and whoever empties the directory that is blamed wrongly loses what they hold.
    """

    def __init__(self, cluster: SimulatedCluster) -> None:
        self._cluster = cluster
        self._world = cluster.world
        self._random = cluster.world.random
        self._history = cluster.history
        self._other = self._random.choice(cluster.replicas)

    @staticmethod
    def is_possible(cluster: SimulatedCluster) -> bool:
        """Whether the others can trade without the one that differs."""
        return len(cluster.replicas) > cluster.config.min_in_sync

    def run(self) -> None:
        """Run to the end.

        Raises:
            Violation: trade went on, another replica was blamed, or the repair did not restore everything.
        """
        self._trade(self._random.randint(2, 8))
        self._cluster.wait_until(lambda: self._other.store.last_number >= 2, LONGEST_TRADE_S)
        self._other.die()
        self._cluster.check = self._check
        held = self._alter()
        self._trade(held + 1 - len(self._history.rows))
        self._history.judges_orders = False  # until all have halted, it shows its own
        self._other.start()
        self._cluster.wait_until(lambda: bool(self._halted()), NOTICED_S)
        self._check_blamed()
        self._cluster.disk.wipe(self._other.path)
        self._cluster.invariants.forget_replica(self._other.replica_id)
        repair(self._cluster, [node for node in self._cluster.replicas if node is not self._other])
        self._cluster.check = self._cluster.invariants.check
        self._history.judges_orders = True
        self._cluster.become_whole()

    def _trade(self, count: int) -> None:
        """Let some more orders be decided."""
        enough = len(self._history.rows) + count
        self._cluster.wait_until(lambda: len(self._history.rows) >= enough, LONGEST_TRADE_S)
        if len(self._history.rows) < enough:
            raise self._history.violated(f"I9: {count} orders were not made without any fault")

    def _alter(self) -> int:
        """Replace the last rows of the stopped replica by others of the same cluster; return how many it then holds."""
        header, *lines = self._cluster.disk.seen(self._other.log_path).splitlines(keepends=True)
        kept = self._random.randint(1, len(lines) - 1)
        chain = parse_row(lines[kept - 1]).chain
        altered = []
        for line in lines[kept:]:
            row = parse_row(line)
            fields = row._replace(price_cents=row.price_cents + 1)._asdict()
            del fields["chain"]
            encoded, chain = encode_row(**fields, prev_chain=chain)
            altered.append(encoded)
        self._cluster.disk.replace(self._other.log_path, b"".join([header, *lines[:kept], *altered]))
        self._world.fault("other history", f"{self._other.name} differs from order {kept + 1} on")
        return len(lines)

    def _check(self, process: Process) -> None:
        """The one that differs is let be; so is the catalog once it has halted."""
        is_halted = isinstance(process, CatalogNode) and self._halted()
        if process is not self._other and not is_halted:
            self._cluster.invariants.check(process)

    def _halted(self) -> str:
        """Return why the catalog has halted, "" if it has not."""
        catalog = self._cluster.catalog.catalog
        return catalog.health_check(catalog_pb2.CatalogHealthRequest()).halted if catalog is not None else ""

    def _check_blamed(self) -> None:
        """I10: everything has halted, and what an operator reads names the replica whose log differs."""
        halted = self._halted()
        if not halted:
            raise self._history.violated(f"I10: {self._other.name} holds another history, and the catalog trades")
        if f"replica {self._other.replica_id} holds" not in halted:
            raise self._history.violated(f"I10: {self._other.name} holds another history, but it is said: {halted}")
