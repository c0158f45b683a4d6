"""A simulated cluster with clients and faults: one run from one seed."""

from collections.abc import Callable

from common.process.config import ClusterConfig
from protos import catalog_pb2, order_pb2
from tests.checker.history import JOURNAL
from tests.simulation.clients import Client, Operator, PriceSetter, Reader, Ticker, Trader
from tests.simulation.disk import Disk
from tests.simulation.faults import Faults
from tests.simulation.frontends import FrontendNode, HealthNode
from tests.simulation.history import History
from tests.simulation.invariants import Invariants
from tests.simulation.network import Network
from tests.simulation.nodes import CATALOG, FIRST_QUANTITY, ROOT, STOCKS, CatalogNode
from tests.simulation.process import Process
from tests.simulation.recorder import Recorder
from tests.simulation.replica_node import ReplicaNode
from tests.simulation.world import World
from trading.market.order_client import ORDER_BUDGET_S

LONGEST_QUIET_S = 60.0
LOOK_S = 0.25
# How long the faults last; a part of the runs are long ones.
SHORT_S = (0.5, 3.0)
LONG_S = (10.0, 20.0)
LONG_PART = 0.01
BETWEEN_FAULTS_S = (0.02, 0.1, 0.3, 0.5)
# For how long a frontend tries an order: as it does in production, or so shortly that many end without an answer.
ORDER_BUDGETS_S = (ORDER_BUDGET_S, ORDER_BUDGET_S, 2.0, 0.5)


class SimulatedCluster:
    """A catalog, some replicas, two frontends, the health loop and some clients.

    Attributes:
        is_quiet: the clients end what they have begun, and begin nothing more.
        second_part: part of the orders that are of the second stock; a stock that seldom changes can be stale for long.
        check: what is called behind each event, with its process.
    """

    def __init__(self, seed: int, *, is_verbose: bool = False) -> None:
        self.seed = seed
        self.world = World(seed, is_verbose=is_verbose)
        random = self.world.random
        replica_ids = range(1, random.choice((2, 2, 3, 3, 4)) + 1)
        self.config = ClusterConfig(
            catalog=CATALOG,
            replicas={number: f"order-{number}:1" for number in replica_ids},
            data_dir=ROOT,
            min_in_sync=random.choice((1, 2)),
        )
        self.network = Network(self.world)
        self.disk = Disk()
        self.history = History(self.world)
        self.recorder = Recorder()
        self.is_quiet = False
        self.second_part = random.choice((0.5, 0.1))
        self.catalog = CatalogNode(self.world, self.network, self.disk)
        self.replicas = [
            ReplicaNode(self.world, self.network, self.disk, number, self.config.min_in_sync) for number in replica_ids
        ]
        order_budget_s = random.choice(ORDER_BUDGETS_S)
        self.frontends = [
            FrontendNode(self.world, self.network, name, self.config, self.history, order_budget_s)
            for name in ("front-1", "front-2")
        ]
        self.health = HealthNode(self.world, self.network, self.config, random.choice((0.5, 1.0, 2.0)))
        self.invariants = Invariants(self)
        self.check: Callable[[Process], None] = self.invariants.check
        self.faults = Faults(self)
        for node in (self.catalog, *self.replicas):
            node.start()
        clients: list[Client] = [Trader(self, f"trader-{number}") for number in range(random.randint(2, 5))]
        clients += [Reader(self, f"reader-{number}") for number in range(random.randint(0, 3))]
        if random.random() < 0.3:
            clients.append(Ticker(self, "ticker"))
        if random.random() < 0.4:
            clients.append(PriceSetter(self, "price-setter"))
        if random.random() < 0.3:
            clients.append(Operator(self, "operator"))
        for client in clients:
            client.spawn(client.run())

    def acknowledge(self, order: order_pb2.Order, wanted: catalog_pb2.NewOrder, decided: int) -> None:
        """Check what a client was told; `decided`: how many orders were before it first sent the key."""
        self.history.acknowledge(order, wanted, decided)
        self.invariants.check_holders(order.transaction_number)

    def run(self) -> None:
        """Trade under faults, then heal everything and see that all becomes whole again.

        Raises:
            Violation: an invariant did not hold.
        """
        random = self.world.random
        seconds = random.uniform(*(LONG_S if random.random() < LONG_PART else SHORT_S))
        end = self.world.now + seconds
        if random.random() < 0.7:
            self.faults.change_weather()
        self.wait(random.uniform(0.0, 1.0))
        while self.world.now < end:
            self.faults.inject()
            self.wait(random.choice(BETWEEN_FAULTS_S))
        self.faults.heal()
        self.become_whole()
        self._check_recorded()

    def become_whole(self) -> None:
        """Without faults: orders are acknowledged again, then the clients end and everything is brought into sync."""
        end = self.world.now + LONGEST_QUIET_S
        acknowledged = len(self.history.acked)
        self.wait_until(lambda: len(self.history.acked) > acknowledged, LONGEST_QUIET_S)
        self.is_quiet = True
        self.wait_until(lambda: not self.invariants.why_not_whole(), end - self.world.now)
        self.invariants.check_whole()

    def _check_recorded(self) -> None:
        """Give what the clients were told, and what the disks hold now, to the checker of histories."""
        files = {node.name: self.disk.seen(node.log_path) for node in self.replicas}
        files[JOURNAL] = self.disk.seen(self.catalog.log_path)
        found = self.recorder.find_violations(
            self.replicas[0].store.cluster_id, dict.fromkeys(STOCKS, FIRST_QUANTITY), files
        )
        if found:
            raise self.history.violated("\n".join(map(str, found)))

    def wait_until(self, is_reached: Callable[[], bool], seconds: float) -> None:
        """Let the time pass until something is reached, or the time is up."""
        end = self.world.now + seconds
        while self.world.now < end and not is_reached():
            self.wait(LOOK_S)

    def wait(self, seconds: float) -> None:
        """Let the time pass; behind each event its process is checked."""
        self.world.run(seconds, self.check)
