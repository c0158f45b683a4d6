"""Who may trade: the newest epoch, if it was begun in this run, one batch after the other."""

import grpc

from backends.failures import Fenced
from backends.storage.csv.epochs import Epoch
from common.calls.failures import RpcFailure
from protos import catalog_pb2


class StaleBatch(RpcFailure):
    """A later batch of this epoch has been answered. Metadata: batch_seq, of that one."""

    code = grpc.StatusCode.ABORTED
    reason = "STALE_BATCH"


class EpochGate:
    """The last answer of the epoch that trades. Not thread-safe: the catalog's writers take turns.

    In memory only. After a restart nothing tells whether the last batch before it was answered, so no earlier epoch
    may go on: its leader begins a new one, and reads what was decided.
    """

    def __init__(self) -> None:
        self._epoch = 0  # begun in this run; 0: none
        self._batch_seq = 0
        self._answer: catalog_pb2.UpdateStockResponse | RpcFailure | None = None

    def begin(self, epoch: int) -> None:
        """Let this epoch trade, from its first batch on."""
        self._epoch, self._batch_seq, self._answer = epoch, 0, None

    def stored_answer(
        self, newest: Epoch, epoch: int, batch_seq: int
    ) -> catalog_pb2.UpdateStockResponse | RpcFailure | None:
        """Return the answer that a repeated batch was given, None if this is a new batch.

        Raises:
            Fenced: the epoch is not the newest, or was begun before this run. Metadata: the newest.
            StaleBatch: a later batch has been answered.
        """
        if epoch != newest.epoch or epoch != self._epoch:
            raise fenced(newest, epoch)
        if batch_seq < self._batch_seq:
            raise StaleBatch(
                f"batch {batch_seq} of epoch {epoch} comes after batch {self._batch_seq}",
                metadata={"batch_seq": self._batch_seq},
            )
        return self._answer if batch_seq == self._batch_seq else None

    def store(self, batch_seq: int, answer: catalog_pb2.UpdateStockResponse | RpcFailure) -> None:
        """Keep the answer of a new batch: a repeat of it gets the same again."""
        self._batch_seq, self._answer = batch_seq, answer


def fenced(newest: Epoch, epoch: int) -> Fenced:
    """Return the refusal of an epoch, with the newest one and its leader."""
    why = "was begun before the catalog started" if epoch == newest.epoch else "is not the newest"
    return Fenced(
        f"epoch {epoch} {why}; the newest is {newest.epoch}, begun by replica {newest.leader_id}",
        metadata={"epoch": newest.epoch, "leader_id": newest.leader_id},
    )
