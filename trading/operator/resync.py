"""Bringing one follower up to date through the leader, and proving at the end that the two are equal."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from common.calls.failures import RpcFailure
from common.calls.network import Network
from common.calls.reasons import Reason
from common.process.config import ClusterConfig
from protos import order_pb2
from trading.operator.answerer import require_answer_of
from trading.replicas.election import LeaderAndEpoch
from trading.replicas.view import poll

# Far above the time that copying a full log takes; a stream that gets stuck ends sooner, at the leader.
RESYNC_TIMEOUT_S = 3600.0
# While orders go on, the two are compared when their numbers happen to be equal: looked for so often, so long.
COMPARE_TRIES = 20
COMPARE_PAUSE_S = 0.05

Show = Callable[[order_pb2.ResyncProgress], None]


@dataclass(frozen=True)
class ResyncResult:
    """A follower that was brought into sync.

    Attributes:
        number, chain: where it was shown equal to the leader.
        is_compared: whether its own HealthCheck was compared with the leader's at one number too. False only when
            orders went on so fast that the two numbers were never seen equal.
    """

    replica_id: int
    number: int
    chain: int
    copied_orders: int
    seconds: float
    is_compared: bool


class Resyncer:
    """Runs resyncs. Any number of threads may use it; two of one follower at once are harmless."""

    def __init__(
        self, config: ClusterConfig, network: Network, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._config = config
        self._network = network
        self._monotonic = monotonic
        self._waiting = threading.Event()  # never set: to wait on, bounded

    def resync(self, leader: LeaderAndEpoch, replica_id: int, show: Show = lambda _: None) -> ResyncResult:
        """Have the leader bring a follower into sync; `show` gets each message of progress, in this thread.

        Raises:
            RpcFailure: the leader's refusal (NOT_LEADER, UNKNOWN_REPLICA, FOLLOWER), or NOT_IN_SYNC when its stream
                ended too soon, WRONG_REPLICA when another one answers in its place, or CHAIN_DIFFERS when follower and
                leader hold different histories.
        """
        started = self._monotonic()
        last: order_pb2.ResyncProgress | None = None
        request = order_pb2.ResyncRequest(replica_id=replica_id, to=leader.addressee)
        for progress in self._network.stream(leader.address, request, RESYNC_TIMEOUT_S):
            require_answer_of(leader.leader_id, leader.address, progress)
            last = progress
            show(progress)
        if last is None or last.state != order_pb2.IN_SYNC:
            raise RpcFailure(Reason.NOT_IN_SYNC, f"the leader ended before replica {replica_id} was in sync")
        seconds = self._monotonic() - started
        number, chain, is_compared = last.done_number, last.chain, False
        for _ in range(COMPARE_TRIES):
            equal = self._compare(replica_id)
            if equal is not None:
                (number, chain), is_compared = equal, True
                break
            self._waiting.wait(COMPARE_PAUSE_S)
        return ResyncResult(replica_id, number, chain, last.done_number - last.from_number, seconds, is_compared)

    def _compare(self, replica_id: int) -> tuple[int, int] | None:
        """Return the number and chain that follower and leader share now; None when their numbers differ.

        Raises:
            RpcFailure: CHAIN_DIFFERS.
        """
        view = self._network.run(poll(self._config))
        follower, leader = view.find(replica_id), view.leader
        if follower is None or follower.health is None or leader is None or leader.health is None:
            return None
        theirs, own = leader.health, follower.health
        if theirs.last_number != own.last_number:
            return None
        if theirs.last_chain != own.last_chain:
            raise RpcFailure(
                Reason.CHAIN_DIFFERS,
                f"at number {own.last_number} replica {replica_id} has chain {own.last_chain:08x}, "
                f"the leader {theirs.last_chain:08x}",
            )
        return own.last_number, own.last_chain
