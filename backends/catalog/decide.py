"""The rules by which the catalog changes its ledger: of one batch, and of one epoch."""

from collections.abc import Callable, Sequence
from datetime import datetime

from backends.catalog import gate
from backends.catalog.batch import Batch
from backends.failures import Diverged
from backends.storage.known_keys import key_of
from backends.storage.values import Answer, Decision, LedgerState
from common.calls.failures import RpcFailure
from common.calls.reasons import Reason
from common.rows import time_text
from protos import catalog_pb2


class BatchRule:
    """What becomes of one UpdateStock request; asked by the ledger, perhaps more than once.

    Attributes:
        batch: as it was last decided; None if the request was refused as a whole, or is a repeat.
    """

    def __init__(self, request: catalog_pb2.UpdateStockRequest, utc_now: Callable[[], datetime]) -> None:
        """`utc_now` is aware."""
        self.batch: Batch | None = None
        self._request = request
        self._utc_now = utc_now

    @property
    def names(self) -> Sequence[str]:
        """The stocks that it looks at."""
        return [trade.stock_name for trade in self._request.trades]

    @property
    def keys(self) -> Sequence[bytes]:
        """The keys that it looks at."""
        return [key_of(trade.account, trade.idempotency_key) for trade in self._request.trades]

    def __call__(self, state: LedgerState) -> Decision:
        """Return the answer; raise FENCED or STALE_BATCH, which no batch_seq is used up for."""
        request = self._request
        self.batch = None
        answer = gate.stored_answer(state.gate, state.newest, request.epoch, request.batch_seq)
        if answer is not None:
            return Decision(answer, batch_seq=0)
        refusal = self._out_of_place(state)
        if refusal is not None:
            return Decision(refusal, request.batch_seq)
        # Times of equal form compare as text. The clock may be set back; the order of the rows may not.
        created_at = max(time_text(self._utc_now()), state.created_at)
        self.batch = Batch(state, request.epoch, created_at)
        self.batch.take(request.trades)
        return Decision(
            catalog_pb2.UpdateStockResponse(results=self.batch.results), request.batch_seq, self.batch.trades
        )

    def _out_of_place(self, state: LedgerState) -> Answer | None:
        """Return why the batch does not continue the history, None if it does."""
        request = self._request
        last_number, last_chain = state.position
        if request.first_number <= last_number:
            return RpcFailure(  # others have traded since
                Reason.BEHIND,
                f"the batch begins at {request.first_number}, but the last number is {last_number}",
                metadata={"last_number": last_number},
            )
        if request.first_number > last_number + 1 or request.prev_chain != last_chain:
            return Diverged(
                f"the batch begins at {request.first_number} behind chain {request.prev_chain:08x}, but the last number"
                f" is {last_number} with chain {last_chain:08x}",
                metadata={"last_number": last_number},
            )
        return None


class EpochRule:
    """Whether an epoch may begin that a BeginEpoch request asks for."""

    def __init__(self, request: catalog_pb2.BeginEpochRequest, cluster_id: str) -> None:
        """`cluster_id` is the ledger's."""
        self._request = request
        self._cluster_id = cluster_id

    def __call__(self, state: LedgerState) -> str | None:
        """Return how the caller proves that history was lost here, None if the epoch may begin.

        Raises:
            RpcFailure: HALTED: the caller is of another cluster.
                FENCED: another epoch than the expected one is the newest.
        """
        request = self._request
        is_other_chain = request.number == 0 and request.chain != state.chain_at(0)
        if is_other_chain or request.cluster_id not in ("", self._cluster_id):
            raise RpcFailure(
                Reason.HALTED, f"replica {request.leader_id} is not of this catalog's cluster {self._cluster_id}"
            )
        proof = proof_of_rollback(request, state)
        if proof is not None:
            return f"this catalog was rolled back: {proof}"
        if request.expected_epoch != state.newest.epoch:
            raise gate.fenced(state.newest, request.expected_epoch)
        return None


def proof_of_rollback(request: catalog_pb2.BeginEpochRequest, state: LedgerState) -> str | None:
    """Return, in words, how a replica's log or the caller's epoch shows that this catalog lost history; else None.

    All that a replica holds, and every epoch that it knows, was made by the catalog: none can be newer than its own.
    At number 0 nothing is held that could be missing here: another chain there is another cluster's id, and no proof.
    """
    holder = f"replica {request.holder_id or request.leader_id}"
    if request.number > state.position.number:
        return f"{holder} holds order {request.number}, but the last trade here is {state.position.number}"
    own_chain = state.chain_at(request.number)
    if request.number > 0 and request.chain != own_chain:
        return (
            f"{holder} holds another history up to order {request.number}: its chain is {request.chain:08x},"
            f" not {own_chain:08x}"
        )
    if request.expected_epoch > state.newest.epoch:
        caller = f"replica {request.leader_id}"
        return f"{caller} knows epoch {request.expected_epoch}, but the newest here is {state.newest.epoch}"
    return None
