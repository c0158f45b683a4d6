"""A simulated cluster with clients and faults: one run from one seed."""

from collections.abc import Callable

from common.config import ClusterConfig
from protos import order_pb2
from tests.simulation.clients import Client
from tests.simulation.disk import Disk
from tests.simulation.faults import Faults
from tests.simulation.frontends import FrontendNode, HealthNode
from tests.simulation.history import History
from tests.simulation.invariants import Invariants
from tests.simulation.network import Network
from tests.simulation.nodes import CATALOG, ROOT, CatalogNode, ReplicaNode
from tests.simulation.world import World

LONGEST_QUIET_S = 60.0
LOOK_S = 0.25


class SimulatedCluster:
    """A catalog, some replicas, two frontends, the health loop and some clients."""

    def __init__(self, seed: int, *, is_verbose: bool = False) -> None:
        self.seed = seed
        self.world = World(seed, is_verbose=is_verbose)
        random = self.world.random
        replica_ids = range(1, random.choice((2, 3, 3, 3, 4)) + 1)
        self.config = ClusterConfig(
            catalog=CATALOG,
            replicas={number: f"order-{number}:1" for number in replica_ids},
            data_dir=ROOT,
            min_in_sync=random.choice((1, 1, 2)),
        )
        self.network = Network(self.world)
        self.disk = Disk()
        self.history = History(self.world)
        self.is_quiet = False
        self.catalog = CatalogNode(self.world, self.network, self.disk)
        self.replicas = [
            ReplicaNode(self.world, self.network, self.disk, number, self.config.min_in_sync) for number in replica_ids
        ]
        self.frontends = [FrontendNode(self.world, self.network, name, self.config) for name in ("front-1", "front-2")]
        self.health = HealthNode(self.world, self.network, self.config, random.choice((0.5, 1.0, 2.0)))
        self.invariants = Invariants(self)
        self.faults = Faults(self)
        for node in (self.catalog, *self.replicas):
            node.start()
        for number in range(random.randint(2, 5)):
            client = Client(self, f"client-{number}")
            client.spawn(client.trade())

    def acknowledge(self, order: order_pb2.Order, wanted: order_pb2.NewOrder, floor: int) -> None:
        """Take in what a client was told."""
        self.history.acknowledge(order, wanted, floor)
        self.invariants.check_holders(order.transaction_number)

    def run(self, faults_s: float | None = None) -> None:
        """Trade under faults, then heal everything and see that all becomes whole again.

        Raises:
            Violation: an invariant did not hold.
        """
        random = self.world.random
        end = self.world.now + (faults_s or random.uniform(2.0, 6.0))
        self._pass(random.uniform(0.0, 1.0))
        while self.world.now < end:
            self.faults.inject()
            self._pass(random.choice((0.02, 0.1, 0.3, 0.8)))
        self.faults.heal()
        end = self.world.now + LONGEST_QUIET_S
        acknowledged = len(self.history.acked)
        self._pass_until(lambda: len(self.history.acked) > acknowledged, end)
        self.is_quiet = True
        self._pass_until(lambda: not self.invariants.why_not_whole(), end)
        self.invariants.check_whole()

    def _pass_until(self, is_reached: Callable[[], bool], end: float) -> None:
        while self.world.now < end and not is_reached():
            self._pass(LOOK_S)

    def _pass(self, seconds: float) -> None:
        self.world.run(seconds, self.invariants.check)
