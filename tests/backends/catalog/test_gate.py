"""The fence: the newest epoch trades, if this run of the catalog has begun it, and one batch after the other."""

import pytest

from backends.catalog.gate import stored_answer
from backends.storage.values import Epoch, Gate
from common.calls.failures import RpcFailure
from common.calls.reasons import Reason
from protos import catalog_pb2

NEWEST = Epoch(7, 2, "2031-04-09T13:05:22.104511Z")
ANSWER = catalog_pb2.UpdateStockResponse()
OPEN = Gate(7, 4, ANSWER)


def test_next_batch_is_new_and_the_last_one_gets_its_answer_again():
    assert stored_answer(OPEN, NEWEST, 7, 4) is ANSWER
    assert stored_answer(OPEN, NEWEST, 7, 5) is None


def test_earlier_batch_is_stale():
    with pytest.raises(RpcFailure, match="batch 3 of epoch 7 comes after batch 4") as caught:
        stored_answer(OPEN, NEWEST, 7, 3)
    assert (caught.value.reason, caught.value.metadata) == (Reason.STALE_BATCH, {"batch_seq": "4"})


@pytest.mark.parametrize(
    ("gate", "epoch", "why"),
    [
        (OPEN, 6, "is not the newest"),
        (OPEN, 8, "is not the newest"),
        (Gate(0, 0, None), 7, "was begun before the catalog started"),
        (Gate(6, 1, ANSWER), 6, "is not the newest"),
    ],
)
def test_any_other_epoch_is_fenced_and_told_who_leads(gate, epoch, why):
    with pytest.raises(RpcFailure) as caught:
        stored_answer(gate, NEWEST, epoch, 5)
    assert caught.value.message == f"epoch {epoch} {why}; the newest is 7, begun by replica 2"
    assert (caught.value.reason, caught.value.metadata) == (Reason.FENCED, {"epoch": "7", "leader_id": "2"})
