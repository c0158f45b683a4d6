"""Trades: accepted, refused, repeated, out of place."""

import grpc
import pytest

from backends.catalog.batch import Batch
from common.calls.failures import RpcFailure
from common.calls.reasons import Reason
from common.row_checks import check_rows
from common.rows import HEADER, parse_row
from tests.backends.catalog.desk import Desk


def refusals(results):
    return [result.refusal.reason for result in results]


def test_accepted_trades_become_rows_of_one_chain(desk):
    desk.begin()
    _, seed = desk.position
    results = desk.send(desk.buy("ACME", 40), desk.sell("Blue.Finch", 7, account="alice@example.org"))
    rows = b"".join(result.row for result in results)
    assert check_rows(rows, 0, seed).last_number == 2
    second = parse_row(results[1].row)
    assert (second.transaction_number, second.epoch, second.stock_name, second.order_type) == (
        2,
        1,
        "Blue.Finch",
        "sell",
    )
    assert (second.quantity, second.price_cents, second.account) == (7, 1, "alice@example.org")
    assert second.created_at == "2031-04-09T13:05:22.104511Z"
    assert (desk.quantity("ACME"), desk.quantity("Blue.Finch")) == (60, 7)
    assert desk.position == (2, second.chain)
    assert (desk.path / "catalog_journal.csv").read_bytes() == HEADER + rows


def test_one_refused_trade_fails_no_other(desk):
    desk.begin()
    results = desk.send(
        desk.buy("ACME", 101),
        desk.buy("NONE", 1),
        desk.sell("T", 1),
        desk.trade(0, "ACME", 1),
        desk.buy("AC ME", 1),
        desk.buy("ACME", 0),
        desk.buy("ACME", 10**9 + 1),
        desk.buy("ACME", 1, idempotency_key=""),
        desk.buy("ACME", 1, account="a,b"),
        desk.buy("ACME", 100),
        desk.buy("ACME", 1),
    )
    invalid = ["INVALID_ARGUMENT"] * 6
    assert refusals(results) == [
        "INSUFFICIENT_STOCK",
        "UNKNOWN_STOCK",
        "STOCK_LIMIT",
        *invalid,
        "",
        "INSUFFICIENT_STOCK",
    ]
    assert results[0].refusal.available == 100
    assert results[0].refusal.message == "stock 'ACME': 100 left, 101 asked"
    assert parse_row(results[9].row).transaction_number == 1
    assert results[10].refusal.available == 0


def test_stock_may_be_filled_to_its_limit_and_not_above(desk):
    """Stock T has 10^15 shares, the most that there may be."""
    desk.begin()
    results = desk.send(desk.buy("T", 2), desk.sell("T", 1), desk.sell("T", 1), desk.sell("T", 1))
    assert refusals(results) == ["", "", "", "STOCK_LIMIT"]
    assert results[3].refusal.message == "stock 'T': 1000000000000000 and 1 are above 1000000000000000"
    assert desk.quantity("T") == 10**15
    desk.restart()
    assert desk.quantity("T") == 10**15


def test_stock_may_be_emptied(desk):
    desk.begin()
    assert refusals(desk.send(desk.buy("ACME", 100), desk.buy("ACME", 1))) == ["", "INSUFFICIENT_STOCK"]
    desk.crash()
    desk.open()
    assert desk.quantity("ACME") == 0


def test_known_key_answers_with_its_number_whatever_else_it_asks(desk):
    desk.begin()
    desk.send(desk.buy("ACME", 1, idempotency_key="k", account="a"))
    results = desk.send(
        desk.buy("ACME", 1000, idempotency_key="k", account="a"),
        desk.buy("NONE", 1, idempotency_key="k", account="a"),
        desk.buy("ACME", 1, idempotency_key="k", account="b"),
        desk.buy("ACME", 1, idempotency_key="k", account="b"),
    )
    assert [result.exists for result in results] == [1, 1, 0, 2]
    assert parse_row(results[2].row).transaction_number == 2
    assert desk.quantity("ACME") == 98


def test_times_of_rows_never_fall(desk):
    desk.begin()
    (first,) = desk.send(desk.buy("ACME", 1))
    desk.tick(-3600)
    (second,) = desk.send(desk.buy("ACME", 1))
    desk.restart()
    desk.begin()
    (third,) = desk.send(desk.buy("ACME", 1))
    times = [parse_row(result.row).created_at for result in (first, second, third)]
    assert times == ["2031-04-09T13:05:22.104511Z"] * 3


def test_repeated_batch_gets_its_stored_answer(desk):
    desk.begin()
    batch = desk.batch(desk.buy("ACME", 1), desk.buy("ACME", 1000))
    answer = desk.catalog.update_stock(batch)
    assert desk.catalog.update_stock(batch) == answer
    assert desk.quantity("ACME") == 99


def test_earlier_batch_is_stale(desk):
    desk.begin()
    desk.send(desk.buy("ACME", 1))
    desk.send(desk.buy("ACME", 1))
    with pytest.raises(RpcFailure) as caught:
        desk.send(desk.buy("ACME", 1), batch_seq=1)
    assert (caught.value.code, caught.value.reason) == (grpc.StatusCode.ABORTED, Reason.STALE_BATCH)
    assert caught.value.metadata == {"batch_seq": "2"}


@pytest.mark.parametrize(
    ("fields", "code", "reason"),
    [
        ({"first_number": 1}, grpc.StatusCode.ABORTED, Reason.BEHIND),
        ({"first_number": 3}, grpc.StatusCode.DATA_LOSS, Reason.DIVERGED),
        ({"prev_chain": 7}, grpc.StatusCode.DATA_LOSS, Reason.DIVERGED),
    ],
)
def test_batch_at_another_place_is_refused_and_used_up(desk, fields, code, reason):
    desk.begin()
    desk.send(desk.buy("ACME", 1))
    for _ in range(2):
        with pytest.raises(RpcFailure) as caught:
            desk.catalog.update_stock(desk.batch(desk.buy("ACME", 1), batch_seq=2, **fields))
        assert (caught.value.code, caught.value.reason) == (code, reason)
        assert caught.value.metadata == {"last_number": "1"}
    # The batch_seq has its answer: even a right batch of that number gets the stored one.
    with pytest.raises(RpcFailure, match=reason.name):
        desk.catalog.update_stock(desk.batch(desk.buy("ACME", 1), batch_seq=2))
    assert desk.quantity("ACME") == 99
    assert desk.send(desk.buy("ACME", 1), batch_seq=3)[0].row


@pytest.mark.parametrize(
    "fields", [{"epoch": 0}, {"epoch": -1}, {"batch_seq": 0}, {"first_number": 0}, {"first_number": 2**53}]
)
def test_batch_out_of_bounds_uses_nothing_up(desk, fields):
    desk.begin()
    with pytest.raises(RpcFailure, match="INVALID_ARGUMENT"):
        desk.catalog.update_stock(desk.batch(desk.buy("ACME", 1), **fields))
    assert desk.send(desk.buy("ACME", 1))[0].row


@pytest.mark.parametrize("count", [0, 1001])
def test_batch_of_no_or_too_many_trades_is_refused(desk, count):
    desk.begin()
    with pytest.raises(RpcFailure, match="INVALID_ARGUMENT"):
        desk.send(*[desk.buy("ACME", 1)] * count)


def test_batch_without_new_trades_writes_nothing(desk):
    desk.begin()
    cursor = desk.watch().cursor
    assert refusals(desk.send(desk.buy("NONE", 1))) == ["UNKNOWN_STOCK"]
    assert desk.position[0] == 0
    assert not desk.watch(cursor).names


def test_closed_catalog_refuses(desk):
    desk.begin()
    batch = desk.batch(desk.buy("ACME", 1))
    desk.stop()
    with pytest.raises(RpcFailure, match="SHUTTING_DOWN"):
        desk.catalog.update_stock(batch)


def test_batch_says_what_it_made_and_why_it_refused(tmp_path):
    batches: list[Batch] = []
    desk = Desk(tmp_path / "catalog", on_batch=batches.append)
    desk.begin()
    desk.send(desk.buy("ACME", 1), desk.buy("ACME", 100), desk.buy("NONE", 1), desk.buy("NONE", 1), desk.buy("A C", 1))
    (batch,) = batches
    assert batch.trade_count == 1
    assert batch.refused == {"INSUFFICIENT_STOCK": 1, "UNKNOWN_STOCK": 2, "INVALID_ARGUMENT": 1}
    assert [result.refusal.available for result in batch.results] == [0, 99, 0, 0, 0]
    assert [result.refusal.message for result in batch.results[:4]] == [
        "",
        "stock 'ACME': 99 left, 100 asked",
        "no stock is named 'NONE'",
        "no stock is named 'NONE'",
    ]
    assert batch.results[4].refusal.message.startswith("stock_name 'A C' is not ")
