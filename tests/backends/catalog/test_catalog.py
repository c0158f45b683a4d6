"""Trades, keys, look-ups and the operator's changes."""

import threading

import grpc
import pytest

from backends.catalog.catalog import MAX_ROWS_BYTES
from backends.row import HEADER, check_rows, parse_row
from common.failures import RpcFailure
from protos import catalog_pb2
from tests.backends.catalog.desk import Desk
from tests.backends.log_files import Died, FaultyFiles


def refusals(results):
    return [result.refusal.reason for result in results]


def test_new_catalog_shows_its_stocks(desk):
    answer = desk.catalog.lookup_stock(catalog_pb2.LookupStockRequest(name="ACME"))
    assert answer.stock == catalog_pb2.Stock(name="ACME", price_cents=4135, quantity=100, initial_quantity=100)
    assert answer.last_number == 0
    health = desk.health()
    assert (health.epoch, health.leader_id, health.last_number, health.halted, health.stalled) == (0, 0, 0, "", False)


def test_stocks_are_listed_in_name_order_by_pages(desk):
    first = desk.catalog.list_stocks(catalog_pb2.ListStocksRequest(limit=2))
    assert [stock.name for stock in first.stocks] == ["ACME", "Blue.Finch"]
    assert first.has_more
    rest = desk.catalog.list_stocks(catalog_pb2.ListStocksRequest(after_name="Blue.Finch", limit=2))
    assert [stock.name for stock in rest.stocks] == ["T"]
    assert not rest.has_more


def test_named_stocks_are_listed_without_the_rest(desk):
    page = desk.catalog.list_stocks(catalog_pb2.ListStocksRequest(names=["T", "none", "ACME"]))
    assert [stock.name for stock in page.stocks] == ["T", "ACME"]
    assert not page.has_more


def test_a_page_of_stocks_says_as_of_which_trade_it_is(desk):
    desk.begin()
    desk.send(desk.buy("ACME", 40), desk.sell("Blue.Finch", 7))
    page = desk.catalog.list_stocks(catalog_pb2.ListStocksRequest(limit=1))
    assert page.last_number == 2
    assert (page.stocks[0].initial_quantity, page.stocks[0].quantity) == (100, 60)


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


def test_key_is_looked_up_by_account(desk):
    desk.begin()
    desk.send(desk.buy("ACME", 1), desk.buy("ACME", 1, idempotency_key="k", account="ann"))
    for account, key, number in (("ann", "k", 2), ("", "k", 0), ("ann", "j", 0)):
        found = desk.catalog.lookup_key(catalog_pb2.LookupKeyRequest(account=account, idempotency_key=key))
        assert (found.number, found.known_from, found.last_number) == (number, 1, 2)
    desk.restart()
    assert desk.catalog.lookup_key(catalog_pb2.LookupKeyRequest(account="ann", idempotency_key="k")).number == 2


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
    assert (caught.value.code, caught.value.reason) == (grpc.StatusCode.ABORTED, "STALE_BATCH")
    assert caught.value.metadata == {"batch_seq": "2"}


@pytest.mark.parametrize(
    ("fields", "code", "reason"),
    [
        ({"first_number": 1}, grpc.StatusCode.ABORTED, "BEHIND"),
        ({"first_number": 3}, grpc.StatusCode.DATA_LOSS, "DIVERGED"),
        ({"prev_chain": 7}, grpc.StatusCode.DATA_LOSS, "DIVERGED"),
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
    with pytest.raises(RpcFailure, match=reason):
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


def test_rows_are_listed_behind_a_number(desk):
    desk.begin()
    _, seed = desk.position
    rows = [result.row for result in desk.send(*[desk.buy("ACME", 1) for _ in range(5)])]
    answer = desk.rows(after=2)
    assert answer.rows == b"".join(rows[2:])
    assert answer.after_chain == parse_row(rows[1]).chain
    assert (answer.last_number, answer.cluster_id) == (5, desk.health().cluster_id)
    assert desk.rows(after=0, limit=2).rows == b"".join(rows[:2])
    assert desk.rows(after=0).after_chain == seed
    assert desk.rows(after=5).rows == b""
    with pytest.raises(RpcFailure) as caught:
        desk.rows(after=6)
    assert (caught.value.code, caught.value.metadata) == (grpc.StatusCode.OUT_OF_RANGE, {"last_number": "5"})


def test_list_of_rows_is_bounded_in_bytes(desk):
    desk.begin()
    for _ in range(9):
        desk.send(*[desk.sell("ACME", 1, account="a" * 64) for _ in range(1000)])
    answer = desk.rows()
    assert MAX_ROWS_BYTES - 300 < len(answer.rows) <= MAX_ROWS_BYTES
    assert answer.last_number == 9000


def test_watch_names_what_changed(desk):
    desk.begin()
    first = desk.watch()
    assert first.reset
    desk.send(desk.buy("ACME", 1), desk.sell("Blue.Finch", 2), desk.buy("ACME", 1))
    second = desk.watch(first.cursor)
    assert sorted(second.names) == ["ACME", "Blue.Finch"]
    assert not second.reset
    desk.set_stock(name="T", price_cents=5)
    third = desk.watch(second.cursor)
    assert list(third.names) == ["T"]
    assert not desk.watch(third.cursor).names
    desk.restart()
    assert desk.watch(third.cursor).reset


def test_price_change_is_durable_and_traded_at(desk):
    desk.begin()
    desk.send(desk.buy("ACME", 1))
    answer = desk.set_stock(name="ACME", price_cents=5000)
    assert (answer.stock.price_cents, answer.stock.quantity, answer.created) == (5000, 99, False)
    assert parse_row(desk.send(desk.buy("ACME", 1))[0].row).price_cents == 5000
    desk.crash()
    desk.open()
    stock = desk.catalog.lookup_stock(catalog_pb2.LookupStockRequest(name="ACME")).stock
    assert (stock.price_cents, stock.quantity) == (5000, 98)


def test_new_stock_is_durable_and_idempotent(desk):
    answer = desk.set_stock(name="Aa", price_cents=7, initial_quantity=0)
    assert (answer.stock.quantity, answer.created) == (0, True)
    assert not desk.set_stock(name="Aa", price_cents=7, initial_quantity=0).created
    desk.crash()
    desk.open()
    names = [stock.name for stock in desk.catalog.list_stocks(catalog_pb2.ListStocksRequest(limit=500)).stocks]
    assert names == ["ACME", "Aa", "Blue.Finch", "T"]


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "NEW", "price_cents": 1},
        {"name": "ACME", "price_cents": 1, "initial_quantity": 99},
        {"name": "ACME", "price_cents": 0},
        {"name": "ACME", "price_cents": 10**11 + 1},
        {"name": "A C", "price_cents": 1, "initial_quantity": 1},
        {"name": "NEW", "price_cents": 1, "initial_quantity": -1},
        {"name": "NEW", "price_cents": 1, "initial_quantity": 10**15 + 1},
    ],
)
def test_stock_change_out_of_bounds_is_refused(desk, fields):
    with pytest.raises(RpcFailure) as caught:
        desk.set_stock(**fields)
    assert caught.value.code == grpc.StatusCode.INVALID_ARGUMENT
    assert desk.quantity("ACME") == 100


@pytest.mark.parametrize("name", ["", "A C", "a/b", "ü", "x" * 10_000, "A\n"])
def test_malformed_name_is_an_invalid_argument(desk, name):
    with pytest.raises(RpcFailure) as caught:
        desk.catalog.lookup_stock(catalog_pb2.LookupStockRequest(name=name))
    assert caught.value.code == grpc.StatusCode.INVALID_ARGUMENT
    assert len(caught.value.message) < 300


def test_unknown_name_is_not_found(desk):
    with pytest.raises(RpcFailure) as caught:
        desk.catalog.lookup_stock(catalog_pb2.LookupStockRequest(name="NONE"))
    assert (caught.value.code, caught.value.reason) == (grpc.StatusCode.NOT_FOUND, "UNKNOWN_STOCK")


@pytest.mark.parametrize(
    ("method", "request_"),
    [
        ("list_stocks", catalog_pb2.ListStocksRequest(limit=0)),
        ("list_stocks", catalog_pb2.ListStocksRequest(limit=501)),
        ("list_stocks", catalog_pb2.ListStocksRequest(after_name="a b", limit=5)),
        ("list_stocks", catalog_pb2.ListStocksRequest(names=["a b"])),
        ("list_stocks", catalog_pb2.ListStocksRequest(names=["T"] * 501)),
        ("lookup_key", catalog_pb2.LookupKeyRequest(idempotency_key="")),
        ("lookup_key", catalog_pb2.LookupKeyRequest(idempotency_key="k", account="a,b")),
        ("list_trades", catalog_pb2.ListTradesRequest(after=-1)),
        ("list_trades", catalog_pb2.ListTradesRequest(limit=-1)),
        ("watch_stocks", catalog_pb2.WatchStocksRequest(wait_ms=501)),
        ("watch_stocks", catalog_pb2.WatchStocksRequest(cursor="x" * 101)),
    ],
)
def test_field_out_of_bounds_is_an_invalid_argument(desk, method, request_):
    with pytest.raises(RpcFailure, match="INVALID_ARGUMENT"):
        getattr(desk.catalog, method)(request_)


def test_full_disk_refuses_new_trades_alone_and_is_stored(tmp_path):
    files = FaultyFiles()
    desk = Desk(tmp_path, files=files)
    desk.begin()
    desk.send(desk.buy("ACME", 1, idempotency_key="known"))
    files.room = 10
    batch = desk.batch(
        desk.buy("ACME", 99, idempotency_key="new"),
        desk.buy("ACME", 99),
        desk.buy("ACME", 1, idempotency_key="known"),
        desk.buy("ACME", 1, idempotency_key="new"),
        desk.buy("NONE", 1),
    )
    answer = desk.catalog.update_stock(batch)
    # The second one is not refused for shares that the first one did not get.
    assert refusals(answer.results) == ["DISK_FULL", "DISK_FULL", "", "DISK_FULL", "UNKNOWN_STOCK"]
    assert answer.results[2].exists == 1
    assert (desk.quantity("ACME"), desk.position[0]) == (99, 1)
    files.room = None
    assert desk.catalog.update_stock(batch) == answer
    desk.batch_seq += 1
    assert parse_row(desk.send(desk.buy("ACME", 99, idempotency_key="new"))[0].row).transaction_number == 2


def test_failed_sync_ends_the_process_and_shows_nothing(tmp_path):
    files = FaultyFiles()
    desk = Desk(tmp_path, files=files)
    desk.begin()
    files.faults["fdatasync", "catalog_journal.csv"] = 5
    with pytest.raises(Died):
        desk.send(desk.buy("ACME", 1))
    assert (desk.quantity("ACME"), desk.position[0]) == (100, 0)


def test_full_disk_refuses_epochs_and_stock_changes_but_no_reads(tmp_path):
    files = FaultyFiles()
    desk = Desk(tmp_path, files=files)
    files.room = 3
    for refused in (desk.begin, lambda: desk.set_stock(name="ACME", price_cents=1)):
        with pytest.raises(RpcFailure) as caught:
            refused()
        assert (caught.value.code, caught.value.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "DISK_FULL")
    assert desk.catalog.lookup_stock(catalog_pb2.LookupStockRequest(name="ACME")).stock.price_cents == 4135
    desk.stop()  # a checkpoint that finds no space is no error: the journal holds everything
    files.room = None
    desk.open()
    assert desk.begin().epoch == 1


@pytest.mark.parametrize("fault", [("fdatasync", "catalog_epochs.csv"), ("fsync", "catalog_database.csv.new")])
def test_failed_sync_of_a_small_file_ends_the_process(tmp_path, fault):
    files = FaultyFiles()
    desk = Desk(tmp_path, files=files)
    files.faults[fault] = 5

    def change_all():
        desk.begin()
        desk.set_stock(name="ACME", price_cents=1)

    with pytest.raises(Died):
        change_all()
    desk.crash()
    desk.open()
    assert not (tmp_path / "catalog_epochs.csv.unsynced").exists()
    assert desk.begin().epoch >= 1


def test_health_is_answered_while_a_batch_waits_for_the_disk(tmp_path):
    files = HangingFiles()
    desk = Desk(tmp_path, files=files)
    desk.begin()
    files.hangs.set()
    batch = desk.batch(desk.buy("ACME", 1))
    sender = threading.Thread(target=desk.catalog.update_stock, args=(batch,))
    sender.start()
    try:
        assert files.reached.wait(5)
        assert desk.health().last_number == 0
        assert desk.quantity("ACME") == 100
        assert desk.rows().rows == b""
    finally:
        files.goes_on.set()
        sender.join()
    assert desk.quantity("ACME") == 99


class HangingFiles(FaultyFiles):
    """A disk whose next fdatasync hangs until it is told to go on."""

    def __init__(self):
        super().__init__()
        self.hangs, self.reached, self.goes_on = threading.Event(), threading.Event(), threading.Event()

    def fdatasync(self, descriptor):
        if self.hangs.is_set():
            self.reached.set()
            assert self.goes_on.wait(10)
        super().fdatasync(descriptor)


def test_checkpoint_beside_a_stock_change_does_not_undo_it(desk):
    """A checkpoint that waits for its turn must see the stock as it was just written."""
    put = desk.catalog._stocks.put
    checkpoint = threading.Thread(target=desk.catalog.write_checkpoint)

    def put_late(stock):
        checkpoint.start()
        checkpoint.join(0.2)  # it would take its snapshot now, if it were let
        put(stock)

    desk.catalog._stocks.put = put_late
    desk.set_stock(name="NEW", price_cents=100, initial_quantity=5)
    checkpoint.join()
    desk.crash()
    desk.open()
    assert desk.quantity("NEW") == 5


def test_closed_catalog_refuses(desk):
    desk.begin()
    batch = desk.batch(desk.buy("ACME", 1))
    desk.stop()
    with pytest.raises(RpcFailure, match="SHUTTING_DOWN"):
        desk.catalog.update_stock(batch)
