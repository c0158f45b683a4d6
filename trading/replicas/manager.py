"""The replica manager of one process: remembers the leader, and lets one thread at a time look for another one."""

import threading
import time
from collections.abc import Callable

from common.calls.failures import RpcFailure
from common.calls.network import Network
from common.calls.reasons import Reason
from common.calls.steps import Steps
from common.process.config import ClusterConfig
from common.shared import Load
from trading.process import OncePerProcess, cluster_config, network
from trading.replicas.election import LeaderAndEpoch
from trading.replicas.search import ElectionMemory, LeaderSearch, confirm
from trading.replicas.view import ClusterView

# A leader that has answered nothing for this long is asked for its health, and the catalog too, before it is given an
# order: an order that meets dead processes is then known not to be executed. Under load it costs nothing. If it has an
# order already, it is asked beside that: it may be slow.
SILENCE_S = 0.3


class ReplicaManager:
    """Knows the leadership that orders are sent to. Any number of threads may use it.

    It keeps no state that matters: a new one finds the present leader by asking. No lock is held across an RPC.
    """

    def __init__(
        self,
        config: ClusterConfig,
        network: Network,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._config = config
        self._network = network
        self._monotonic = monotonic
        self._memory = ElectionMemory()  # but for its poll, used by the thread of the round under way alone
        self._lock = threading.Lock()  # guards the fields below; _known and _heard_at may be read without it
        self._known: LeaderAndEpoch | None = None
        self._heard_at = float("-inf")
        self._round: Load[LeaderAndEpoch] | None = None  # the search that is under way

    @property
    def known(self) -> LeaderAndEpoch | None:
        """The leadership last found, without asking anybody; None when there is none."""
        return self._known

    def leadership(self, deadline: float) -> Steps[LeaderAndEpoch]:
        """Return the leadership to send an order to: it has answered within SILENCE_S, or is asked now.

        `deadline` is a time of the monotonic clock; this may take half a second longer.

        Raises:
            RpcFailure: NO_LEADER, CATALOG, HALTED: no order can be placed now.
        """
        known = self._known
        if known is not None and self._monotonic() - self._heard_at <= SILENCE_S:
            return known
        return (yield from self._join_round(None, None, deadline))

    def replace(self, failed: LeaderAndEpoch, failure: RpcFailure, deadline: float) -> Steps[LeaderAndEpoch]:
        """Return the leadership to go on with after `failed` answered, or failed to answer, with `failure`.

        It is the same one again when that is healthy: then it was merely slow.

        Raises:
            RpcFailure: NO_LEADER, CATALOG, HALTED: no order can be placed now.
        """
        return self._join_round(failed, failure, deadline)

    def heard_from(self, leadership: LeaderAndEpoch) -> None:
        """Note that the leadership has just answered a call."""
        if leadership == self._known:
            self._heard_at = self._monotonic()

    def poll(self) -> Steps[ClusterView]:
        """Ask all processes how they are, whatever is known of them; takes half a second at most."""
        return self._memory.poll(self._config)

    def _join_round(
        self, failed: LeaderAndEpoch | None, failure: RpcFailure | None, deadline: float
    ) -> Steps[LeaderAndEpoch]:
        """Search for a leader, or wait for the outcome of the search that is under way."""
        with self._lock:
            known = self._known
            if failed is not None and known is not None and known != failed and known.epoch >= failed.epoch:
                return known  # another thread has replaced it meanwhile
            if failed is None and known is not None and self._monotonic() - self._heard_at <= SILENCE_S:
                return known
            round_ = self._round
            is_mine = round_ is None
            if round_ is None:
                round_ = self._round = Load()
        if is_mine:
            return (yield from self._run_round(round_, self._search(known, failed, failure, deadline)))
        found = yield from round_.join(max(0.0, deadline - self._monotonic()))
        if found is None:
            raise RpcFailure(Reason.NO_LEADER, "the time was up while another request looked for a leader")
        return found

    def _search(
        self, known: LeaderAndEpoch | None, failed: LeaderAndEpoch | None, failure: RpcFailure | None, deadline: float
    ) -> Steps[LeaderAndEpoch]:
        if failed is None and known is not None:
            confirmed = yield from confirm(self._config, self._memory, known, self._monotonic, deadline)
            if confirmed is not None:
                return confirmed
            failed = known
        search = LeaderSearch(
            self._config,
            self._memory,
            monotonic=self._monotonic,
            deadline=deadline,
            failed=failed,
            failure=failure,
        )
        return (yield from search.steps())

    def _run_round(self, round_: Load[LeaderAndEpoch], steps: Steps[LeaderAndEpoch]) -> Steps[LeaderAndEpoch]:
        outcome: LeaderAndEpoch | RpcFailure = RpcFailure(Reason.NO_LEADER, "the search for a leader failed")
        try:
            found = outcome = yield from steps
        except RpcFailure as failure:
            outcome = failure
            raise
        finally:
            with self._lock:
                self._round = None
                if isinstance(outcome, LeaderAndEpoch):
                    self._known, self._heard_at = outcome, self._monotonic()
                else:
                    self._heard_at = float("-inf")
                    if outcome.reason is not Reason.CATALOG:
                        self._known = None
            round_.end(outcome)
        return found


replica_manager = OncePerProcess(lambda: ReplicaManager(cluster_config(), network()))
