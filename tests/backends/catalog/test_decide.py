"""Whether an epoch may begin, what proves that history was lost, and where a batch must begin: the rules alone."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from backends.catalog.decide import BatchRule, EpochRule
from backends.failures import Diverged
from backends.storage.values import Epoch, Gate, LedgerState, Position, Stock
from common.calls.failures import RpcFailure
from common.calls.reasons import Reason
from protos import catalog_pb2

CHAINS = {0: 100, 4: 104, 5: 105}


def state_at(number: int = 5) -> LedgerState:
    """A ledger of cluster c1 with so many trades; epoch 7 of replica 2 trades, and its batch 3 was answered."""
    return LedgerState(
        newest=Epoch(7, 2, "2031-04-09T13:05:22.104511Z"),
        gate=Gate(7, 3, None),
        position=Position(number, CHAINS[number]),
        created_at="2031-04-09T13:05:22.104511Z",
        stocks={"ACME": Stock.new("ACME", 4135, 100)},
        number_of=lambda _key: None,
        chain_at=CHAINS.__getitem__,
    )


def shown(number: int, chain: int, expected_epoch: int = 7, **fields: object) -> str | None:
    """What the catalog finds when replica 3 wants to lead and shows this log."""
    request = catalog_pb2.BeginEpochRequest(
        leader_id=3, expected_epoch=expected_epoch, number=number, chain=chain, cluster_id="c1"
    )
    for name, value in fields.items():
        setattr(request, name, value)
    return EpochRule(request, "c1")(state_at())


@pytest.mark.parametrize(("number", "chain"), [(0, 100), (4, 104), (5, 105)])
def test_prefix_of_the_journal_may_lead(number, chain):
    assert shown(number, chain) is None
    assert shown(number, chain, cluster_id="") is None


@pytest.mark.parametrize(
    ("log", "proof"),
    [
        ({"number": 6, "chain": 106}, "replica 3 holds order 6, but the last trade here is 5"),
        ({"number": 6, "chain": 106, "holder_id": 1}, "replica 1 holds order 6, but the last trade here is 5"),
        (
            {"number": 4, "chain": 9},
            "replica 3 holds another history up to order 4: its chain is 00000009, not 00000068",
        ),
        (
            {"number": 5, "chain": 105, "expected_epoch": 8, "holder_id": 1},
            "replica 3 knows epoch 8, but the newest here is 7",
        ),
    ],
)
def test_what_was_made_here_and_is_here_no_more_proves_that_it_was_lost(log, proof):
    assert shown(**log) == f"this catalog was rolled back: {proof}"


@pytest.mark.parametrize("log", [{"number": 0, "chain": 9}, {"number": 6, "chain": 106, "cluster_id": "c2"}])
def test_another_cluster_proves_nothing(log):
    with pytest.raises(RpcFailure) as caught:
        shown(**log)
    assert str(caught.value) == "DATA_LOSS HALTED: replica 3 is not of this catalog's cluster c1"


def test_older_epoch_is_told_the_newest():
    with pytest.raises(RpcFailure) as caught:
        shown(5, 105, expected_epoch=6)
    assert str(caught.value) == "ABORTED FENCED: epoch 6 is not the newest; the newest is 7, begun by replica 2"
    assert caught.value.metadata == {"epoch": "7", "leader_id": "2"}


def batch(first_number: int, prev_chain: int, batch_seq: int = 4) -> BatchRule:
    trade = catalog_pb2.NewOrder(stock_name="ACME", order_type=catalog_pb2.BUY, quantity=3, idempotency_key="k")
    request = catalog_pb2.UpdateStockRequest(
        epoch=7, batch_seq=batch_seq, first_number=first_number, prev_chain=prev_chain, trades=[trade]
    )
    return BatchRule(request, lambda: datetime(2031, 4, 9, tzinfo=UTC))


@pytest.mark.parametrize(
    ("first_number", "prev_chain", "reason", "why"),
    [
        (5, 104, Reason.BEHIND, "the batch begins at 5, but the last number is 5"),
        (
            7,
            105,
            Reason.DIVERGED,
            "the batch begins at 7 behind chain 00000069, but the last number is 5 with chain 00000069",
        ),
        (
            6,
            9,
            Reason.DIVERGED,
            "the batch begins at 6 behind chain 00000009, but the last number is 5 with chain 00000069",
        ),
    ],
)
def test_batch_that_begins_elsewhere_makes_no_trade_and_uses_its_number_up(first_number, prev_chain, reason, why):
    rule = batch(first_number, prev_chain)
    decision = rule(state_at())
    assert (decision.trades, decision.batch_seq, rule.batch) == (None, 4, None)
    assert isinstance(decision.answer, RpcFailure)
    assert isinstance(decision.answer, Diverged) == (reason is Reason.DIVERGED)
    assert (decision.answer.reason, decision.answer.message) == (reason, why)
    assert decision.answer.metadata == {"last_number": "5"}


def test_batch_decided_again_on_a_full_disk_makes_nothing_and_says_why():
    rule = batch(6, 105)
    first = rule(state_at())
    assert first.trades is not None
    assert first.trades.position.number == 6
    assert (rule.names, rule.keys) == (["ACME"], [b",k"])
    again = rule(state_at().when_full())
    assert again.trades is not None
    assert again.trades.rows == b""
    assert isinstance(again.answer, catalog_pb2.UpdateStockResponse)
    (result,) = again.answer.results
    assert result.refusal == catalog_pb2.Refusal(reason="DISK_FULL", message="the catalog's disk is full")
    assert rule.batch is not None
    assert rule.batch.refused == {"DISK_FULL": 1}


def test_repeat_of_the_last_batch_uses_nothing_up():
    stored = catalog_pb2.UpdateStockResponse()
    rule = batch(6, 105, batch_seq=3)
    decision = rule(replace(state_at(), gate=Gate(7, 3, stored)))
    assert decision.answer is stored
    assert (decision.batch_seq, decision.trades, rule.batch) == (0, None, None)
