"""What a leader knows of its followers."""

import threading
from collections.abc import Iterable
from dataclasses import dataclass

from backends.order.peer_link import Peer
from protos import order_pb2

IN_SYNC = order_pb2.IN_SYNC
CATCHING_UP = order_pb2.CATCHING_UP
FAULTY = order_pb2.FAULTY


@dataclass(slots=True)
class Follower:
    """One follower of a leadership. The fields are guarded by the lock of Followers.

    Invariant: while IN_SYNC or joining, the follower holds exactly the leader's rows up to `number`, on disk.
    """

    replica_id: int
    address: str
    state: order_pb2.FollowerState.ValueType = FAULTY
    is_joining: bool = False  # the next Replicate sends what it lacks, and makes it IN_SYNC
    is_being_caught_up: bool = False  # a catch-up runs; there is at most one
    number: int = 0
    error: str = "not yet caught up by this leader"


@dataclass(frozen=True, slots=True)
class SyncTarget(Peer):
    """A follower that is in sync up to `number`, or joins with that number."""

    number: int
    is_joining: bool


class Followers:
    """The followers of one leadership. Any thread may use it; nothing is awaited inside."""

    def __init__(self, peers: Iterable[order_pb2.Peer], own_id: int) -> None:
        """Begin with all peers but ourselves, as faulty."""
        self._lock = threading.Lock()
        self._by_id = {
            peer.replica_id: Follower(peer.replica_id, peer.address) for peer in peers if peer.replica_id != own_id
        }

    def peers(self) -> list[Peer]:
        """Return all followers."""
        return [Peer(follower.replica_id, follower.address) for follower in self._by_id.values()]

    def sync_targets(self) -> list[SyncTarget]:
        """Return the followers that are in sync or join now."""
        with self._lock:
            return [
                SyncTarget(follower.replica_id, follower.address, follower.number, follower.is_joining)
                for follower in self._by_id.values()
                if follower.state == IN_SYNC or follower.is_joining
            ]

    def has_joining(self) -> bool:
        """Whether a follower waits to be taken in by the next Replicate."""
        with self._lock:
            return any(follower.is_joining for follower in self._by_id.values())

    def mark_in_sync(self, replica_id: int, number: int) -> bool:
        """Record that the follower holds everything up to `number`. Returns whether that is a change of state."""
        with self._lock:
            follower = self._by_id[replica_id]
            changed = follower.state != IN_SYNC
            follower.state, follower.number, follower.is_joining, follower.error = IN_SYNC, number, False, ""
            return changed

    def mark_faulty(self, replica_id: int, error: str) -> bool:
        """Record that the follower is left out from now on. Returns whether that is a change of state."""
        with self._lock:
            follower = self._by_id[replica_id]
            changed = follower.state != FAULTY
            follower.state, follower.is_joining, follower.error = FAULTY, False, error
            return changed

    def begin_catch_up(self, replica_id: int) -> bool:
        """Claim the catch-up of a follower; False if it is in sync or somebody else catches it up.

        Raises:
            KeyError: no follower has this id.
        """
        with self._lock:
            follower = self._by_id[replica_id]
            if follower.state == IN_SYNC or follower.is_being_caught_up:
                return False
            follower.is_being_caught_up = True
            follower.state, follower.error = CATCHING_UP, ""
            return True

    def end_catch_up(self, replica_id: int) -> None:
        """Give the claim back."""
        with self._lock:
            self._by_id[replica_id].is_being_caught_up = False

    def record_progress(self, replica_id: int, number: int) -> None:
        """Record up to which number a follower that is being caught up was shown equal."""
        with self._lock:
            self._by_id[replica_id].number = number

    def ask_to_join(self, replica_id: int, number: int) -> None:
        """Let the next Replicate take in a follower that holds everything up to `number`."""
        with self._lock:
            follower = self._by_id[replica_id]
            if follower.state != IN_SYNC:
                follower.number, follower.is_joining = number, True

    def status(self, replica_id: int, last_number: int) -> order_pb2.FollowerStatus:
        """Return one follower's status; last_number is the leader's.

        Raises:
            KeyError: no follower has this id.
        """
        with self._lock:
            follower = self._by_id[replica_id]
            return order_pb2.FollowerStatus(
                replica_id=replica_id,
                state=follower.state,
                last_number=follower.number,
                lag_orders=max(0, last_number - follower.number),
                error=follower.error,
                address=follower.address,
            )

    def statuses(self, last_number: int) -> list[order_pb2.FollowerStatus]:
        """Return the status of every follower."""
        return [self.status(replica_id, last_number) for replica_id in self._by_id]
