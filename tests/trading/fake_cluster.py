"""A catalog and order replicas in one thread, without sockets: what they answer to the frontend and its manager."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from google.protobuf.message import Message

from common.calls.failures import RpcFailure
from common.calls.reasons import Reason
from common.process.config import ClusterConfig
from protos import catalog_pb2, order_pb2
from tests.trading.fake_network import FakeClock, FakeNetwork, refusal

CATALOG = "catalog:1"
CONFIG = ClusterConfig(CATALOG, {1: "order:1", 2: "order:2", 3: "order:3"}, Path("unused"), min_in_sync=1)


def make_rows(count: int) -> list[bytes]:
    """Rows of the log, in turn one bought and one sold; their chain is not computed."""
    rest = "1,41.35,,key,2031-04-09T13:05:22.104511Z,00000007"
    return [f"{n},1,ACME,{'buy' if n % 2 else 'sell'},{rest}\n".encode() for n in range(1, count + 1)]


class FakeCatalog:
    def __init__(self) -> None:
        self.epoch = 0
        self.leader_id = 0
        self.last_number = 0
        self.stalled = False
        self.halted = ""
        self.cluster_id = "c1"
        self.findings: list[str] = []
        self.rows = make_rows(60)
        self.epochs: list[catalog_pb2.Epoch] = []
        self.stocks: dict[str, catalog_pb2.Stock] = {}  # listed one a page
        self.page_rows = 1000

    def begin_epoch(self, leader_id: int, expected_epoch: int) -> int:
        if expected_epoch != self.epoch:
            raise refusal(Reason.FENCED, epoch=self.epoch, leader_id=self.leader_id)
        self.epoch, self.leader_id = self.epoch + 1, leader_id
        return self.epoch

    def handle(self, request: Message) -> Message:
        if isinstance(request, catalog_pb2.ListTradesRequest):
            rows = self.rows[request.after : request.after + min(request.limit, self.page_rows)]
            return catalog_pb2.ListTradesResponse(after_chain=7, rows=b"".join(rows), last_number=len(self.rows))
        if isinstance(request, catalog_pb2.ListEpochsRequest):
            return catalog_pb2.ListEpochsResponse(epochs=self.epochs)
        if isinstance(request, catalog_pb2.ListStocksRequest):
            if self.halted:
                raise refusal(Reason.HALTED)
            names = sorted(name for name in self.stocks if name > request.after_name)
            return catalog_pb2.ListStocksResponse(
                stocks=[self.stocks[name] for name in names[:1]], has_more=len(names) > 1, last_number=self.last_number
            )
        assert isinstance(request, catalog_pb2.CatalogHealthRequest)
        return catalog_pb2.CatalogHealthResponse(
            epoch=self.epoch,
            leader_id=self.leader_id,
            last_number=self.last_number,
            stalled=self.stalled,
            halted=self.halted,
            cluster_id=self.cluster_id,
            findings=self.findings,
        )


class FakeReplica:
    """Follows PROTOCOL.md in what a manager can see; `refuses` are the reasons it gives to requests, once each."""

    def __init__(self, replica_id: int, cluster: "FakeCluster") -> None:
        self.replica_id = replica_id
        self.cluster = cluster
        self.role: Any = order_pb2.FOLLOWER
        self.leader_id = 0
        self.epoch = 0
        self.last_number = 0
        self.chain = 7
        self.stalled = False
        self.halted = ""
        self.findings: list[str] = []
        self.cluster_id = "c1"
        self.answers_as = replica_id  # 0: it does not say who it is, as one of the version before
        self.held_s = 0
        self.hears_catalog: bool | None = None  # None: if the process under test reaches it
        self.catalog_heard_ms = 0
        self.watched: bool | None = None
        self.rows = make_rows(60)
        self.members = dict(CONFIG.replicas)  # whom it knows while it leads
        self.followers: dict[int, Any] = {}
        self.errors: dict[int, str] = {}  # of its followers
        self.assign_refusal: RpcFailure | None = None
        self.place: Callable[[catalog_pb2.NewOrder], order_pb2.PlaceOrdersResult] = self._placed

    def handle(self, request: Message) -> Any:
        meant = request.to.cluster_id if "to" in request.DESCRIPTOR.fields_by_name else ""  # type: ignore[attr-defined]
        if meant not in ("", self.cluster_id):
            raise refusal(Reason.WRONG_CLUSTER, cluster_id=self.cluster_id)
        match request:
            case order_pb2.HealthCheckRequest():
                return self._health()
            case order_pb2.AssignLeaderRequest():
                return self._assign(request)
            case order_pb2.PlaceOrdersRequest():
                if self.role != order_pb2.LEADER or request.epoch != self.epoch:
                    raise refusal(Reason.NOT_LEADER, leader_id=self.leader_id, epoch=self.epoch)
                return order_pb2.PlaceOrdersResponse(results=[self.place(order) for order in request.orders])
            case order_pb2.LookUpOrderRequest():
                if request.transaction_id > self.last_number:
                    if CATALOG in self.cluster.network.dead:
                        raise refusal(Reason.CATALOG)
                    raise refusal(Reason.UNKNOWN_ORDER)
                order = order_pb2.Order(transaction_number=request.transaction_id)
                return order_pb2.LookUpOrderResponse(order=order)
            case order_pb2.ListRowsRequest():
                held = self.rows[: self.last_number]
                rows = held[request.after : request.after + min(request.limit, self.cluster.catalog.page_rows)]
                return order_pb2.ListRowsResponse(
                    rows=b"".join(rows), last_number=self.last_number, replica_id=self.answers_as
                )
            case order_pb2.ResyncRequest():
                return self._resync(request.replica_id)
        raise AssertionError(request)

    def lead(self, epoch: int) -> None:
        self.role, self.leader_id, self.epoch = order_pb2.LEADER, self.replica_id, epoch
        self.cluster.catalog.epoch, self.cluster.catalog.leader_id = epoch, self.replica_id

    def _health(self) -> order_pb2.HealthCheckResponse:
        leads = self.role == order_pb2.LEADER
        return order_pb2.HealthCheckResponse(
            replica_id=self.replica_id,
            role=self.role,
            leader_id=self.leader_id,
            epoch=self.epoch,
            last_number=self.last_number,
            last_chain=self.chain,
            stalled=self.stalled,
            halted=self.halted,
            findings=self.findings,
            cluster_id=self.cluster_id,
            min_in_sync=1,
            held_s=self.held_s if leads else 0,
            catalog_reachable=self.cluster.is_up(CATALOG) if self.hears_catalog is None else self.hears_catalog,
            catalog_heard_ms=self.catalog_heard_ms,
            watched=self.watched,
            followers=[
                order_pb2.FollowerStatus(
                    replica_id=one,
                    state=self.followers.get(one, order_pb2.FAULTY),
                    last_number=self.last_number,
                    address=address,
                    error=self.errors.get(one, ""),
                )
                for one, address in self.members.items()
                if one != self.replica_id
            ]
            if leads
            else [],
        )

    def _assign(self, request: order_pb2.AssignLeaderRequest) -> order_pb2.AssignLeaderResponse:
        if self.assign_refusal is not None:
            raise self.assign_refusal
        if request.expected_epoch < self.epoch:
            raise refusal(Reason.FENCED, epoch=self.epoch, leader_id=self.leader_id)
        if request.leader_id == self.replica_id:
            self.epoch = self.cluster.catalog.begin_epoch(self.replica_id, request.expected_epoch)
            self.role, self.leader_id, self.held_s = order_pb2.LEADER, self.replica_id, request.hold_s
            self.members = {peer.replica_id: peer.address for peer in request.peers}
            up = {one for one, address in CONFIG.replicas.items() if self.cluster.is_up(address)}
            self.followers = {
                one: order_pb2.IN_SYNC if one in up else order_pb2.FAULTY
                for one in CONFIG.replicas
                if one != self.replica_id
            }
        else:
            self.role, self.leader_id, self.epoch = order_pb2.FOLLOWER, request.leader_id, request.expected_epoch
        return order_pb2.AssignLeaderResponse(epoch=self.epoch, leader_id=self.leader_id, last_number=self.last_number)

    def _resync(self, replica_id: int) -> list[order_pb2.ResyncProgress]:
        follower = self.cluster.replicas[replica_id]
        start, follower.last_number, follower.chain = follower.last_number, self.last_number, self.chain
        self.followers[replica_id] = order_pb2.IN_SYNC
        common = {
            "from_number": start,
            "target_number": self.last_number,
            "chain": self.chain,
            "replica_id": self.answers_as,
        }
        half = (start + self.last_number) // 2
        return [
            order_pb2.ResyncProgress(done_number=half, state=order_pb2.CATCHING_UP, **common),
            order_pb2.ResyncProgress(done_number=self.last_number, state=order_pb2.IN_SYNC, **common),
        ]

    def _placed(self, order: catalog_pb2.NewOrder) -> order_pb2.PlaceOrdersResult:
        self.last_number += 1
        self.cluster.catalog.last_number = self.last_number
        placed = order_pb2.Order(
            transaction_number=self.last_number, epoch=self.epoch, idempotency_key=order.idempotency_key
        )
        return order_pb2.PlaceOrdersResult(placed=order_pb2.PlaceOrderResponse(order=placed))


class FakeCluster:
    """Three replicas and a catalog, all up; nobody leads at first."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.network: Any = FakeNetwork(self.clock)
        self.catalog = FakeCatalog()
        self.replicas = {one: FakeReplica(one, self) for one in CONFIG.replicas}
        self.network.handlers[CATALOG] = self.catalog.handle
        for one, replica in self.replicas.items():
            self.network.handlers[CONFIG.replicas[one]] = replica.handle

    @classmethod
    def led_by(cls, leader_id: int, *, epoch: int = 1, last_number: int = 0) -> "FakeCluster":
        """A cluster of which one replica leads, the others are in sync, and all replicas end at this order."""
        cluster = cls()
        leader = cluster.replicas[leader_id]
        leader.lead(epoch)
        leader.followers = {one: order_pb2.IN_SYNC for one in CONFIG.replicas if one != leader_id}
        for replica in cluster.replicas.values():
            replica.last_number = last_number
        return cluster

    @classmethod
    def with_one_behind(cls) -> "FakeCluster":
        """Replica 3 leads, and replica 2 is in sync, at order 40; replica 1 is left out at 20."""
        cluster = cls.led_by(3, last_number=40)
        cluster.replicas[3].followers[1] = order_pb2.FAULTY
        cluster.replicas[1].last_number = 20
        return cluster

    def set_last_number(self, number: int) -> None:
        """Let the catalog and all replicas end at this order."""
        self.catalog.last_number = number
        for replica in self.replicas.values():
            replica.last_number = number

    def is_up(self, address: str) -> bool:
        return address not in self.network.dead | self.network.frozen

    def kill(self, *replica_ids: int) -> None:
        self.network.dead |= {CONFIG.replicas[one] for one in replica_ids}

    def freeze(self, *replica_ids: int) -> None:
        self.network.frozen |= {CONFIG.replicas[one] for one in replica_ids}

    def restart(self, replica_id: int) -> None:
        """Up again as a follower, with its log and nothing else."""
        replica = self.replicas[replica_id]
        replica.role, replica.leader_id, replica.epoch = order_pb2.FOLLOWER, 0, 0
        self.network.dead.discard(CONFIG.replicas[replica_id])

    def assigned(self) -> list[int]:
        """The replicas that were asked to lead, in order."""
        return [
            request.leader_id
            for address, request in self.network.sent(order_pb2.AssignLeaderRequest)
            if CONFIG.replicas[request.leader_id] == address
        ]
