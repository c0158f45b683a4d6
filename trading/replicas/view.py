"""What the catalog and the replicas said of themselves at one moment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from google.protobuf.message import Message

from common.calls.failures import RpcFailure
from common.calls.reasons import Reason
from common.calls.steps import Call, Outcome, Steps, Together
from common.process.config import ClusterConfig
from protos import catalog_pb2, order_pb2

POLL_TIMEOUT_S = 0.5


@dataclass(frozen=True)
class ReplicaReport:
    """One replica's answer to HealthCheck, or why there is none: exactly one of `health` and `failure` is set.

    Attributes:
        foreign: why it counts for nothing: it is of another cluster than ClusterView.cluster_id, or nobody can tell.
        rtt_s: round trip of one HealthCheck; None when it was not measured.
        last_seen: when it last answered this process; None when it never did.
    """

    replica_id: int
    address: str
    health: order_pb2.HealthCheckResponse | None
    failure: RpcFailure | None
    foreign: str = ""
    rtt_s: float | None = None
    last_seen: datetime | None = None

    @property
    def trouble(self) -> str | None:
        """Why it is not healthy, in a few words; None when it is: it answers in time, is not stalled, not halted."""
        if self.health is None:
            return short_text(self.failure)
        if self.health.halted:
            return f"halted: {self.health.halted}"
        if self.health.stalled:
            return "stalled: a write or sync is older than 2 s"
        return self.foreign or None

    @property
    def is_healthy(self) -> bool:
        """Whether it can lead or follow now."""
        return self.trouble is None

    @property
    def last_number(self) -> int:
        """Its last transaction number; 0 when it does not answer."""
        return self.health.last_number if self.health else 0


@dataclass(frozen=True)
class ClusterView:
    """The reports of one poll, `replicas` by descending id. Immutable; any thread may read it.

    Attributes:
        cluster_id: which cluster is ours: the catalog says it. While it does not answer, it is the one that the process
            knew before, else the one that all replicas name; "" if they name several, or none.
    """

    replicas: tuple[ReplicaReport, ...]
    catalog: catalog_pb2.CatalogHealthResponse | None
    catalog_failure: RpcFailure | None
    cluster_id: str

    @property
    def newest_epoch(self) -> int:
        """The highest epoch seen at the catalog or any replica; 0 when none was ever begun."""
        seen = [report.health.epoch for report in self.replicas if report.health and not report.foreign]
        return max([*seen, self.catalog.epoch if self.catalog else 0])

    @property
    def leader(self) -> ReplicaReport | None:
        """The healthy replica that leads in the newest epoch, if there is one."""
        newest = self.newest_epoch
        for report in self.replicas:
            health = report.health
            if health and report.is_healthy and health.role == order_pb2.LEADER and health.epoch == newest > 0:
                return report
        return None

    @property
    def is_settling(self) -> bool:
        """Whether the newest epoch's replica is about to serve in it: it is promoting, or renews its own epoch."""
        if self.catalog is None:
            return False
        report = self.find(self.catalog.leader_id)
        if report is None or report.health is None or not report.is_healthy:
            return False
        return report.health.role in (order_pb2.LEADER, order_pb2.PROMOTING)

    def find(self, replica_id: int) -> ReplicaReport | None:
        """Return the report of a replica, None for an id that is not configured."""
        return next((report for report in self.replicas if report.replica_id == replica_id), None)

    def follower_status(self, replica_id: int) -> order_pb2.FollowerStatus | None:
        """Return what the leader says of a follower; None without a leader, or for one it does not know."""
        if self.leader is None or self.leader.health is None:
            return None
        return next((one for one in self.leader.health.followers if one.replica_id == replica_id), None)

    @property
    def is_cut_off(self) -> bool:
        """Whether the catalog does not answer this process, while it answers a leader by that one's word: it trades."""
        health = self.leader.health if self.leader else None
        # One of the version before does not tell when the catalog answered it.
        is_told = health is not None and health.catalog_reachable and health.HasField("catalog_heard_ms")
        return self.catalog is None and is_told

    def require_catalog(self) -> None:
        """Return if trades can be decided.

        Raises:
            RpcFailure: CATALOG: the catalog does not answer, or is stalled. HALTED: it is halted.
        """
        if self.catalog is None:
            raise RpcFailure(Reason.CATALOG, f"the catalog does not answer: {short_text(self.catalog_failure)}")
        if self.catalog.halted:
            raise RpcFailure(Reason.HALTED, f"the catalog is halted: {self.catalog.halted}")
        if self.catalog.stalled:
            raise RpcFailure(Reason.CATALOG, "the catalog is stalled: a write or sync is older than 2 s")


def poll(
    config: ClusterConfig,
    timeout_s: float = POLL_TIMEOUT_S,
    known_cluster_id: str = "",
    shorter_s: Mapping[str, float] | None = None,
    watch_s: int = 0,
) -> Steps[ClusterView]:
    """Ask the catalog and all replicas at once, so that dead ones cost one time-out together.

    `known_cluster_id` is what the process knows from before, "" if nothing; `shorter_s` has the time-outs of addresses
    that are not waited for as long; `watch_s` is what a health loop promises: it polls again within so many seconds.
    """
    ids = sorted(config.replicas, reverse=True)
    asked: list[tuple[str, Message]] = [(config.catalog, catalog_pb2.CatalogHealthRequest())]
    asked += [(config.replicas[one], order_pb2.HealthCheckRequest(watch_s=watch_s)) for one in ids]
    shorter_s = shorter_s or {}
    calls = [Call(to, request, min(timeout_s, shorter_s.get(to, timeout_s))) for to, request in asked]
    first, *others = yield Together(calls)
    catalog = first if isinstance(first, catalog_pb2.CatalogHealthResponse) else None
    cluster_id = catalog.cluster_id if catalog else known_cluster_id or _common_cluster(others)
    return ClusterView(
        replicas=tuple(
            _report(replica_id, config.replicas[replica_id], outcome, cluster_id)
            for replica_id, outcome in zip(ids, others, strict=True)
        ),
        catalog=catalog,
        catalog_failure=first if isinstance(first, RpcFailure) else None,
        cluster_id=cluster_id,
    )


def short_text(failure: RpcFailure | None) -> str:
    """Return the gist of a failure for a table's cell."""
    if failure is None:
        return "no answer"
    if failure.reason is Reason.NO_ANSWER:
        return "no answer in time"
    # gRPC names every address and layer that it tried; the system's own words come last, behind some an "OK".
    last = failure.message.removesuffix(": OK").rpartition(": ")[2]
    return last if failure.reason is Reason.UNREACHABLE else failure.message


def _common_cluster(outcomes: Sequence[Outcome]) -> str:
    """Return the one cluster that all replicas name that answer; "" if they name several, or none."""
    named = {one.cluster_id for one in outcomes if isinstance(one, order_pb2.HealthCheckResponse)} - {""}
    return named.pop() if len(named) == 1 else ""


def _report(replica_id: int, address: str, outcome: Outcome, cluster_id: str) -> ReplicaReport:
    if isinstance(outcome, order_pb2.HealthCheckResponse):
        if outcome.replica_id == replica_id:
            unknown = "ours or not: the catalog is away, and replicas name several clusters, this one"
            why = f"{'belongs to another cluster:' if cluster_id else unknown} {outcome.cluster_id}"
            foreign = why if outcome.cluster_id not in ("", cluster_id) else ""
            return ReplicaReport(replica_id, address, outcome, None, foreign)
        failure = RpcFailure(
            Reason.WRONG_REPLICA, f"replica {outcome.replica_id} answers at the address of {replica_id}"
        )
    else:
        assert isinstance(outcome, RpcFailure), outcome
        failure = outcome
    return ReplicaReport(replica_id, address, None, failure)
