"""A replica's standing: who leads, as far as it knows, and its own part in that.

What several threads change of a replica's role is here, behind one lock: its server's threads and the one that takes
its turns. In memory only: a replica starts as a follower.
"""

import threading
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass

import structlog

from backends.order.leader import Leader, Leadership
from backends.order.peer_link import Peer
from common.calls.failures import RpcFailure
from common.calls.reasons import Reason
from protos import order_pb2

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A standing at one moment.

    Attributes:
        leader: the newest that was seen.
        leadership: our own, None if we do not lead.
        held_s: how long the health loop leaves our leadership alone.
        halted: why we trade nothing until an operator acts; "" if we may.
    """

    leader: Leader
    leadership: Leadership | None
    role: order_pb2.Role.ValueType
    held_s: float
    halted: str


class Standing:
    """The standing of one replica. Any thread may use it.

    A leadership ends here and nowhere else, whoever saw that it is over: its turn, the heartbeat, AssignLeader, a stop.
    The first one ends it, and its callers are told once; for those who come later nothing is left to do.
    """

    def __init__(self, replica_id: int, last_epoch: int, monotonic: Callable[[], float]) -> None:
        """Start as a follower that has seen `last_epoch`."""
        self._replica_id = replica_id
        self._monotonic = monotonic
        self._lock = threading.Lock()
        # All below are guarded by _lock. Nobody is answered, and nothing is awaited, while it is held.
        self._leader = Leader(0, last_epoch)  # the newest that others named, or that we became
        self._leadership: Leadership | None = None
        self._addresses: Mapping[int, str] = {}  # of all replicas, as the manager last told them
        self._held_until = float("-inf")
        self._is_promoting = False
        self._halted = ""
        self._reason = Reason.HALTED

    @property
    def leadership(self) -> Leadership | None:
        """Our own leadership, None if we do not lead. Never waits."""
        return self._leadership

    @property
    def epoch(self) -> int:
        """The highest epoch that was seen. Never waits."""
        return self._newest().epoch

    def snapshot(self) -> Snapshot:
        """Return all of it, as it is now."""
        with self._lock:
            leadership = self._leadership
            other_role = order_pb2.PROMOTING if self._is_promoting else order_pb2.FOLLOWER
            return Snapshot(
                leader=self._newest(),
                leadership=leadership,
                role=order_pb2.LEADER if leadership else other_role,
                held_s=max(0.0, self._held_until - self._monotonic()) if leadership else 0.0,
                halted=self._halted,
            )

    def leading(self, epoch: int | None = None) -> Leadership:
        """Return our leadership, of this epoch unless None is given.

        Raises:
            RpcFailure: HALTED, DAMAGED. NOT_LEADER: we do not lead, or in another epoch; names who does, if known.
        """
        with self._lock:
            self._refuse_if_halted()
            leadership, newest = self._leadership, self._newest()
            address = self._addresses.get(newest.leader_id)
        if leadership is None or epoch not in (None, leadership.epoch):
            addressed = "" if epoch is None else f" in epoch {epoch}"
            raise RpcFailure(
                Reason.NOT_LEADER,
                f"replica {self._replica_id} does not lead{addressed}; leader {newest.leader_id}, epoch {newest.epoch}",
                metadata={"leader_id": newest.leader_id, "epoch": newest.epoch}
                | ({"leader_address": address} if address else {}),
            )
        return leadership

    def note_addresses(self, addresses: Mapping[int, str]) -> None:
        """Learn where all replicas are, by id: for whoever has to be sent to the leader."""
        with self._lock:
            self._addresses = addresses

    def see(self, leader: Leader) -> None:
        """Learn who leads; an older leader is no news. A leadership of our own in an older epoch is over."""
        with self._lock:
            if leader.epoch < self._newest().epoch:
                return
            self._leader = leader
            leadership = self._leadership
        if leadership is not None and leader.epoch > leadership.epoch and leader.leader_id != self._replica_id:
            self.end(leadership, leader, "a newer epoch has begun")

    def refuse_older(self, epoch: int) -> None:
        """Raise FENCED if a newer epoch was seen."""
        with self._lock:
            self._refuse_older(epoch)

    def begin_promotion(self, expected_epoch: int, peers: Set[Peer]) -> bool:
        """Claim the promotion to the leader after `expected_epoch`; False if we lead in it already, with these peers.

        Raises:
            RpcFailure: HALTED, DAMAGED. FENCED: a newer epoch was seen. PROMOTING: one is under way.
        """
        with self._lock:
            self._refuse_if_halted()
            self._refuse_older(expected_epoch)
            leadership = self._leadership
            if leadership and (leadership.epoch, set(leadership.followers.peers())) == (expected_epoch, peers):
                return False
            if self._is_promoting:
                raise RpcFailure(Reason.PROMOTING, f"replica {self._replica_id} is being promoted already")
            self._is_promoting = True
            return True

    def end_promotion(self) -> None:
        """Give the claim back."""
        with self._lock:
            self._is_promoting = False

    def lead(self, leadership: Leadership, hold_s: float) -> None:
        """Lead from now on; for `hold_s` the health loop leaves it so.

        Raises:
            RpcFailure: HALTED, DAMAGED. FENCED: a newer epoch was seen meanwhile.
        """
        with self._lock:
            self._refuse_if_halted()
            self._refuse_older(leadership.epoch)
            self._leader = Leader(self._replica_id, leadership.epoch)
            self._held_until = self._monotonic() + hold_s
            self._leadership = leadership

    def end(self, leadership: Leadership, successor: Leader, why: str) -> None:
        """End a leadership, unless it is over already; its callers are told. Of its successor, the id may be 0."""
        with self._lock:
            if self._leadership is not leadership:
                return
            newest = self._newest()
            # In this order: `_newest` may be asked without the lock.
            self._leader = successor if successor.epoch >= newest.epoch else Leader(0, newest.epoch)
            self._leadership = None
        log.warning("stepped down", epoch=leadership.epoch, why=why, leader_id=successor.leader_id)
        leadership.close(successor, why)

    def step_down(self, epoch: int, why: str) -> None:
        """End our leadership, if there is one; nobody is known yet who leads after `epoch`."""
        if (leadership := self._leadership) is not None:
            self.end(leadership, Leader(0, epoch), why)

    def halt(self, why: str, reason: Reason = Reason.HALTED) -> None:
        """Trade nothing in this process, and refuse with `reason`. The first one stays."""
        with self._lock:
            if is_new := not self._halted:
                self._halted, self._reason = why, reason
        if is_new:
            log.error("halted", why=why)
            self.step_down(self.epoch, f"halted: {why}")

    def _newest(self) -> Leader:
        """Return the newest leader. A leadership of ours begins a new epoch by itself after the catalog's restart."""
        leadership, leader = self._leadership, self._leader
        if leadership is not None and leadership.epoch > leader.epoch:
            return Leader(self._replica_id, leadership.epoch)
        return leader

    def _refuse_if_halted(self) -> None:
        if self._halted:
            raise RpcFailure(self._reason, f"replica {self._replica_id} has halted: {self._halted}")

    def _refuse_older(self, epoch: int) -> None:
        newest = self._newest()
        if epoch < newest.epoch:
            raise RpcFailure(
                Reason.FENCED,
                f"epoch {epoch} is older than epoch {newest.epoch} of leader {newest.leader_id}",
                metadata={"epoch": newest.epoch, "leader_id": newest.leader_id},
            )
