"""A simulated cluster with clients and faults, and the invariants checked behind every event."""

from pathlib import Path
from typing import Any

from backends.row import parse_row
from common.config import ClusterConfig
from protos import catalog_pb2, order_pb2
from tests.simulation.clients import Client
from tests.simulation.history import History
from tests.simulation.nodes import CATALOG, START_S, CatalogNode, Died, FrontendNode, HealthNode, ReplicaNode
from tests.simulation.world import World

REPLICA_IDS = (1, 2, 3)
CLIENT_COUNT = 4
QUIET_S = 40.0


class SimulatedCluster:
    """A catalog, three replicas, two frontends, the health loop and some clients, all from one seed."""

    def __init__(self, seed: int, path: Path) -> None:
        self.seed = seed
        self.world = World(seed)
        self.min_in_sync = self.world.random.choice((1, 1, 2))
        self.config = ClusterConfig(
            catalog=CATALOG,
            replicas={number: f"order-{number}:1" for number in REPLICA_IDS},
            data_dir=path,
            min_in_sync=self.min_in_sync,
        )
        self.history = History(self.world)
        self.catalog = CatalogNode(self.world, path / "catalog")
        self.catalog.start()
        self.replicas = [ReplicaNode(self.world, n, path / f"order-{n}", self.min_in_sync) for n in REPLICA_IDS]
        for node in self.replicas:
            node.start()
        self.frontends = [FrontendNode(self.world, name, self.config) for name in ("front-1", "front-2")]
        self.health = HealthNode(self.world, self.config)
        self.is_quiet = False
        self.held = dict.fromkeys(REPLICA_IDS, 0)  # last number on each replica's disk, also while it is down

    def acknowledge(self, order: order_pb2.Order, wanted: order_pb2.NewOrder, floor: int) -> None:
        """Take in what a client was told, and see that enough replicas hold it (I3)."""
        self.history.acknowledge(order, wanted, floor)
        number = order.transaction_number
        holders = [one for one, last_number in self.held.items() if last_number >= number]
        if len(holders) < self.min_in_sync:
            raise self.history.violated(f"I3: order {number} is acknowledged, and held by replicas {holders}")

    def run(self, faults_s: float = 30.0) -> None:
        """Trade under faults, then heal everything and see that all is whole again."""
        for number in range(CLIENT_COUNT):
            client = Client(self, f"client-{number}")
            client.spawn(client.trade())
        self.world.loss = self.world.random.choice((0.0, 0.01, 0.05))
        self.world.longest_delay_s = self.world.random.choice((0.002, 0.02, 0.2))
        end = self.world.now + faults_s
        while self.world.now < end:
            self._run(self.world.random.uniform(0.1, 4.0))
            self._inject()
        self._heal()
        self._run(QUIET_S)
        self._check_whole()

    def stop(self) -> None:
        for node in (*self.replicas, self.catalog):
            if node.is_alive:
                node.die()

    def _run(self, seconds: float) -> None:
        try:
            self.world.run(seconds, self._check)
        except Died as death:
            raise self.history.violated(f"a process ended itself: {death}") from death

    # -- Faults ----------------------------------------------------------------------------------------------------

    def _inject(self) -> None:
        random = self.world.random
        node: Any = random.choice([self.catalog, *self.replicas, *self.replicas, *self.frontends, self.health])
        match random.choice(("kill", "kill", "freeze", "cut", "heal")):
            case "kill" if node.is_alive:
                self._kill(node, random.choice((0.0, 0.5, 3.0, 8.0)))
            case "freeze":
                seconds = random.choice((0.3, 1.5, 4.0, 10.0))
                self.world.note(f"freeze {node.address} for {seconds} s")
                node.freeze(seconds)
            case "cut":
                other = random.choice(list(self.world.processes.values()))
                if other is not node:
                    self.world.note(f"cut {node.address} from {other.address}")
                    self.world.cut.add(frozenset((node.address, other.address)))
            case _:
                self.world.cut.clear()

    def _kill(self, node: Any, away_s: float) -> None:
        self.world.note(f"kill {node.address} for {away_s} s")
        node.die()
        self.world.at(away_s + START_S, lambda: self._start(node))

    def _start(self, node: Any) -> None:
        if not node.is_alive:
            self.world.note(f"start {node.address}")
            node.start()

    def _heal(self) -> None:
        self.world.note("heal")
        self.world.cut.clear()
        self.world.loss = 0.0
        self.world.longest_delay_s = 0.002
        for process in self.world.processes.values():
            process.freeze(0.0)
        self.is_quiet = True

    # -- Invariants ------------------------------------------------------------------------------------------------

    def _check(self) -> None:
        history = self.history
        catalog = self.catalog.catalog
        if catalog is not None:
            health = catalog.health_check(catalog_pb2.CatalogHealthRequest())
            if health.halted:
                raise history.violated(f"the catalog has halted: {health.halted}")
            if health.last_number < len(history.rows):
                raise history.violated(f"I1: the journal shrank to {health.last_number} from {len(history.rows)}")
            if health.last_number > len(history.rows):
                page = catalog.list_trades(catalog_pb2.ListTradesRequest(after=len(history.rows)))
                for line in page.rows.splitlines(keepends=True):
                    history.add(parse_row(line))
        for node in self.replicas:
            if node.replica is not None and node.store.cluster_id:
                self._check_prefix(node)

    def _check_prefix(self, node: ReplicaNode) -> None:
        number, chain = node.store.position
        self.held[node.replica_id] = number
        if number > len(self.history.rows) and self.catalog.catalog is None:
            return  # decided by a catalog that died before anybody looked
        if number > len(self.history.rows):
            raise self.history.violated(f"I2: replica {node.replica_id} holds {number}, decided are fewer")
        if number and self.history.chains[number - 1] != chain:
            raise self.history.violated(f"I2: replica {node.replica_id} holds another history at {number}")

    def _check_whole(self) -> None:
        """After quiet: identical bytes, all in sync, every acknowledged order there, no client left waiting."""
        paths = [self.config.data_dir / "catalog" / "catalog_journal.csv"]
        paths += [node.path / "order_database.csv" for node in self.replicas]
        logs = [path.read_bytes() for path in paths]
        if len(set(logs)) != 1:
            sizes = [log.count(b"\n") - 1 for log in logs]
            raise self.history.violated(f"I2: after quiet the logs hold {sizes} orders")
        for key, number in self.history.acked.items():
            if self.history.rows[number - 1].idempotency_key != key:
                raise self.history.violated(f"I1: acknowledged order {number} is not that of {key} any more")
        if not self.history.acked:
            raise self.history.violated("I9: not one order was acknowledged")
        unsettled = [one.key for one in self.world.processes.values() if isinstance(one, Client) and one.key]
        if unsettled:
            raise self.history.violated(f"I9: after quiet these keys have no answer: {unsettled}")
