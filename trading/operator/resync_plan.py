"""What a resync would copy, without copying it."""

from dataclasses import dataclass

from common.calls.failures import RpcFailure
from common.calls.reasons import Reason
from common.calls.steps import Call, Steps
from common.process.config import ClusterConfig
from protos import catalog_pb2
from trading.replicas.view import ClusterView, ReplicaReport

PAGE_TIMEOUT_S = 5.0


@dataclass(frozen=True)
class ResyncPlan:
    """The orders that a follower lacks: first..last, both included; none if last is below first.

    Attributes:
        byte_count: of their rows; exact if they fit into one page of 1 MiB, else as that page's average has it.
    """

    replica_id: int
    leader_id: int
    first: int
    last: int
    byte_count: int
    is_estimate: bool

    @property
    def order_count(self) -> int:
        """How many orders would be copied."""
        return max(0, self.last - self.first + 1)


def plan_resync(config: ClusterConfig, view: ClusterView, follower: ReplicaReport) -> Steps[ResyncPlan]:
    """Return what the leader of `view` would copy to a follower that answered. Reads from the catalog alone.

    Raises:
        RpcFailure: what the catalog answered, or CHAIN_DIFFERS: the follower holds another history.
    """
    assert view.leader is not None, view
    assert follower.health is not None, follower
    held, last = follower.last_number, max(view.leader.last_number, follower.last_number)
    # One row too many, so that a follower that lacks nothing is compared too: the limit 0 would mean all.
    request = catalog_pb2.ListTradesRequest(after=held, limit=last - held + 1)
    page: catalog_pb2.ListTradesResponse = yield Call(config.catalog, request, PAGE_TIMEOUT_S)
    if held and page.after_chain != follower.health.last_chain:
        raise RpcFailure(
            Reason.CHAIN_DIFFERS,
            f"another history: at order {held} its chain is {follower.health.last_chain:08x},"
            f" the catalog's {page.after_chain:08x}",
        )
    lines = page.rows.splitlines(keepends=True)[: last - held]
    page_bytes = sum(map(len, lines))
    is_estimate = len(lines) < last - held
    byte_count = page_bytes * (last - held) // len(lines) if is_estimate and lines else page_bytes
    return ResyncPlan(follower.replica_id, view.leader.replica_id, held + 1, last, byte_count, is_estimate)


def plan_line(plan: ResyncPlan) -> str:
    """Return what is said of a plan."""
    if not plan.order_count:
        return f"plan: replica {plan.replica_id}  from {plan.leader_id}  nothing to copy, it ends at {plan.last}"
    about = "about " if plan.is_estimate else ""
    return (
        f"plan: replica {plan.replica_id}  from {plan.leader_id}  orders {plan.first}..{plan.last}"
        f" ({plan.order_count})  {about}{size_text(plan.byte_count)}"
    )


def size_text(byte_count: int) -> str:
    """Return a number of bytes for people: 1,900 -> "1.9 KB"."""
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("KB", 10**3)):
        if byte_count >= size:
            return f"{byte_count / size:.1f} {unit}"
    return f"{byte_count} bytes"
