"""Replicate: one batch to the leader's own log and to every follower in sync, side by side."""

import structlog

from backends.failures import Diverged
from backends.order.followers import Followers, SyncTarget
from backends.order.peer_link import PeerLink
from backends.order.store import OrderStore
from common.calls.failures import RpcFailure
from common.calls.steps import Outcome, Steps, Together
from common.process.failpoints import failpoint

log = structlog.get_logger()


class Replication:
    """Brings the followers in sync up to date and knows what is committed. Used by one thread at a time.

    Attributes:
        followers: those of the leadership.
    """

    def __init__(self, store: OrderStore, followers: Followers, min_in_sync: int) -> None:
        self._store = store
        self.followers = followers
        self._min_in_sync = min_in_sync
        self._peers = PeerLink(store)
        # Invariant: every row up to it is synced here, at every follower in sync, and at min_in_sync replicas in all.
        self.committed_number = 0

    def replicate(self, rows: bytes, *, asks_all: bool = False) -> Steps[None]:
        """Append rows (they continue the store) here and at the followers in sync or joining; then count who holds all.

        With `asks_all` the followers that lack nothing are asked too, whether they still hold everything: one that came
        back with less than it had would be taken for one in sync until the next order.

        A joining follower is sent what it lacks and the batch in one message, so that its membership and the batch
        are one step.

        Raises:
            RpcFailure: the rows could not be appended here. The followers may hold them: that is harmless.
            Diverged: a follower's checked log shows another history (PeerLink).
        """
        prev_number, prev_chain = self._store.position
        cluster_id = self._store.cluster_id
        end = prev_number + rows.count(b"\n")

        def append() -> None:
            if rows:
                self._store.extend(cluster_id, prev_number, prev_chain, rows)
                failpoint("leader-appended")

        members = self.followers.sync_targets()
        lacking = [member for member in members if asks_all or member.number < end or member.is_joining]
        holders = 1 + len(members) - len(lacking)
        calls = [self._peers.sync_call(member, member.number, prev_number, rows) for member in lacking]
        outcomes: list[Outcome] = yield Together(calls, meanwhile=append)
        for member, outcome in zip(lacking, outcomes, strict=True):
            holders += self._record(member, outcome, end)
        if holders >= self._min_in_sync:
            self.committed_number = end

    def _record(self, target: SyncTarget, outcome: Outcome, end: int) -> bool:
        """Record one follower's answer; whether it holds everything."""
        try:
            self._peers.check_equal(target, outcome, end)
        except Diverged:
            raise
        except RpcFailure as failure:
            if self.followers.mark_faulty(target.replica_id, str(failure)):
                log.warning("follower faulty", follower_id=target.replica_id, error=str(failure))
            return False
        if self.followers.mark_in_sync(target.replica_id, end):
            log.info("follower in sync", follower_id=target.replica_id, last_number=end)
        return True
