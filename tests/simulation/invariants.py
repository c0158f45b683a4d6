"""I1 to I4, I8 and I9 of docs/PROTOCOL.md, seen from outside: the logs and what is on the disks."""

from typing import TYPE_CHECKING

from backends.catalog.catalog import Catalog
from common.rows import HEADER, Row, parse_row
from protos import catalog_pb2, order_pb2
from tests.simulation.clients import Trader
from tests.simulation.nodes import STOCKS, CatalogNode
from tests.simulation.process import Process
from tests.simulation.replica_node import ReplicaNode

if TYPE_CHECKING:
    from tests.simulation.cluster import SimulatedCluster


LINE_END = b"\n"


class Invariants:
    """Checked behind every event, in the process where it happened; cheap while nothing changes there."""

    def __init__(self, cluster: "SimulatedCluster") -> None:
        self._cluster = cluster
        self._history = cluster.history
        self._ends = [len(HEADER)]  # where each row of the journal ends in the file, by its number
        self._held = {node.replica_id: 0 for node in cluster.replicas}  # last number on its disk, also while it is down
        self._held_before_loss: dict[int, int] = {}
        self._seen_writes = (0, 0)  # life and write count of the catalog as it was last looked at
        self._cursor = ""  # of the catalog's changes
        self._seen_life: dict[str, int] = {}  # of each process with a log, by name
        self._old_epoch = 0  # the newest that the catalog had when it was last started
        cluster.catalog.on_batch = self._history.note_batch
        cluster.catalog.on_watch = self._history.note_cursor

    def check(self, process: Process) -> None:
        """Check the process in which something has happened.

        Raises:
            Violation: an invariant does not hold.
        """
        if isinstance(process, ReplicaNode):
            if process.replica is not None:
                self._check_replica(process)
        elif isinstance(process, CatalogNode) and process.catalog is not None:
            self._check_catalog(process, process.catalog)

    def check_holders(self, number: int) -> None:
        """I3: an order that is acknowledged is held by enough replicas, and by all that a leader counts as in sync."""
        held = {one: max(last, self._held_before_loss.get(one, 0)) for one, last in self._held.items()}
        holders = [one for one, last in held.items() if number <= last]
        if len(holders) < self._cluster.config.min_in_sync:
            raise self._history.violated(f"I3: order {number} is acknowledged, and held by replicas {holders}")
        for node in self._cluster.replicas:
            for target in node.leadership.followers.sync_targets() if node.leadership else ():
                if target.number > held[target.replica_id] and not target.is_joining:
                    raise self._history.violated(
                        f"I3: {node.name} counts replica {target.replica_id} as in sync up to {target.number}, which"
                        f" holds {held[target.replica_id]}"
                    )

    def forget_replica(self, replica_id: int) -> None:
        """The disk of a replica is lost: it may come back with nothing."""
        before = max(self._held[replica_id], self._held_before_loss.get(replica_id, 0))
        self._held_before_loss[replica_id], self._held[replica_id] = before, 0

    def check_whole(self) -> None:
        """After quiet: identical bytes, all in sync, nobody left waiting. I9: and that in time."""
        trouble = self.why_not_whole()
        if trouble:
            raise self._history.violated(f"I9: after quiet {trouble}")
        for key, number in self._history.acked.items():
            if self._history.rows[number - 1].idempotency_key != key:
                raise self._history.violated(f"I1: acknowledged order {number} is not that of {key} any more")

    def why_not_whole(self) -> str:
        """Return what is not yet as it must become in quiet, "" if nothing is."""
        cluster = self._cluster
        nodes = [cluster.catalog, *cluster.replicas]
        if down := [node.name for node in nodes if not node.is_alive]:
            return f"{down} do not run"
        logs = [cluster.disk.seen(node.log_path) for node in nodes]
        if len(set(logs)) != 1:
            return f"the logs hold {[log.count(LINE_END) - 1 for log in logs]} orders"
        healths = [node.replica.health() for node in cluster.replicas if node.replica is not None]
        leaders = [health for health in healths if health.role == order_pb2.LEADER]
        if len(leaders) != 1:
            return f"{len(leaders)} replicas lead; halted: {[health.halted for health in healths]}"
        if [one for one in leaders[0].followers if one.state != order_pb2.IN_SYNC]:
            return f"the leader has followers that are not in sync: {leaders[0].followers}"
        if waiting := [one.key for one in cluster.world.processes.values() if isinstance(one, Trader) and one.key]:
            return f"these keys have no answer: {waiting}"
        return "" if self._history.acked else "not one order was acknowledged"

    def _check_catalog(self, node: CatalogNode, catalog: Catalog) -> None:
        if (node.life, node.write_count) == self._seen_writes:
            return
        self._seen_writes = (node.life, node.write_count)
        health = catalog.health_check(catalog_pb2.CatalogHealthRequest())
        if health.halted:
            raise self._history.violated(f"the catalog has halted: {health.halted}")
        known = len(self._history.rows)
        if health.last_number < known:
            raise self._history.violated(f"I1: the journal shrank to {health.last_number} from {known}")
        is_new = self._is_new(node)
        if is_new:
            self._old_epoch = health.epoch
        if health.last_number > known:
            page = catalog.list_trades(catalog_pb2.ListTradesRequest(after=known))
            for line in page.rows.splitlines(keepends=True):
                row = parse_row(line)
                if not is_new:
                    self._check_epoch(row, health.epoch)
                self._history.add(row)
                self._ends.append(self._ends[-1] + len(line))
            if health.last_number != len(self._history.rows):
                raise self._history.violated(
                    f"I8: the catalog names {health.last_number} as its last trade, and lists {len(self._history.rows)}"
                )
        if is_new or health.last_number > known:
            self._check_synced(node, health.last_number)
        self._check_stocks(catalog)

    def _check_epoch(self, row: Row, newest: int) -> None:
        """Only the newest epoch may trade, and only if it was begun since the catalog was started."""
        if not self._old_epoch < row.epoch == newest:
            raise self._history.violated(
                f"I4: order {row.transaction_number} is of epoch {row.epoch}; the newest is {newest}, and"
                f" {self._old_epoch} was when the catalog was started"
            )

    def _check_stocks(self, catalog: Catalog) -> None:
        """Take in the stocks that changed."""
        changes = catalog.watch_stocks(catalog_pb2.WatchStocksRequest(cursor=self._cursor))
        self._cursor = changes.cursor
        for name in STOCKS if changes.reset else changes.names:
            self._history.see_stock(catalog.lookup_stock(catalog_pb2.LookupStockRequest(stock_name=name)).stock)

    def _is_new(self, node: CatalogNode | ReplicaNode) -> bool:
        """Whether the process has been started since it was last asked for here."""
        life, self._seen_life[node.name] = self._seen_life.get(node.name), node.life
        return life != node.life

    def _check_replica(self, node: ReplicaNode) -> None:
        number, chain = node.store.position
        is_new = self._is_new(node)
        if is_new and node.is_damaged:  # what it found bad at its start is kept aside, and comes again
            node.is_damaged = False
            self.forget_replica(node.replica_id)
        if (leadership := node.leadership) is not None:
            self._check_leader(node, number, leadership.epoch)
        if not is_new and number == self._held[node.replica_id]:
            return
        if number < self._held[node.replica_id]:
            raise self._history.violated(f"I8: {node.name} showed {self._held[node.replica_id]}, now only {number}")
        self._held[node.replica_id] = number
        if number > len(self._history.rows):
            raise self._history.violated(f"I2: {node.name} holds {number}, decided are {len(self._history.rows)}")
        if number and self._history.chains[number - 1] != chain:
            raise self._history.violated(f"I2: {node.name} holds another history at {number}")
        self._check_synced(node, number)

    def _check_leader(self, node: ReplicaNode, number: int, epoch: int) -> None:
        """A leader holds all that was decided before its epoch: what it has not read it would answer as not there."""
        rows = self._history.rows
        if number < len(rows) and rows[number].epoch < epoch:
            raise self._history.violated(
                f"I6: {node.name} leads in epoch {epoch} without order {number + 1}, decided in {rows[number].epoch}"
            )

    def _check_synced(self, node: CatalogNode | ReplicaNode, number: int) -> None:
        if number and not self._cluster.disk.is_stable(node.log_path, self._ends[number]):
            raise self._history.violated(f"I8: {node.name} shows order {number}, which is not on stable storage")
