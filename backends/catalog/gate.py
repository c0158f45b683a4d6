"""Who may trade: the newest epoch, one batch after the other. Apart from decide.py: it is the fence, whole."""

from backends.storage.values import Answer, Epoch, Gate
from common.calls.failures import RpcFailure
from common.calls.reasons import Reason


def stored_answer(gate: Gate, newest: Epoch, epoch: int, batch_seq: int) -> Answer | None:
    """Return the answer that a repeated batch was given, None if this is a new batch of the epoch that trades.

    Raises:
        RpcFailure: FENCED: the epoch is not the newest, or the gate has forgotten its answers. Metadata: the newest.
            STALE_BATCH: a later batch has been answered. Metadata: batch_seq, of that one.
    """
    if epoch != newest.epoch or epoch != gate.epoch:
        raise fenced(newest, epoch)
    if batch_seq < gate.batch_seq:
        raise RpcFailure(
            Reason.STALE_BATCH,
            f"batch {batch_seq} of epoch {epoch} comes after batch {gate.batch_seq}",
            metadata={"batch_seq": gate.batch_seq},
        )
    return gate.answer if batch_seq == gate.batch_seq else None


def fenced(newest: Epoch, epoch: int) -> RpcFailure:
    """Return the refusal of an epoch, with the newest one and its leader."""
    why = "was begun before the catalog started" if epoch == newest.epoch else "is not the newest"
    return RpcFailure(
        Reason.FENCED,
        f"epoch {epoch} {why}; the newest is {newest.epoch}, begun by replica {newest.leader_id}",
        metadata={"epoch": newest.epoch, "leader_id": newest.leader_id},
    )
