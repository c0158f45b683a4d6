import errno

import pytest

from backends.failures import Diverged, InvalidArgument
from backends.order.store import OrderStore, WrongCluster
from backends.storage.csv.data_directory import DataDirectory
from backends.storage.csv.order_log import ORDER_LOG_NAME, CsvOrderLog
from backends.storage.engines import open_csv_log
from backends.storage.values import RowQuery
from common.calls.failures import RpcFailure
from common.rows import chain_seed, end_chain
from tests.backends.order.rows import CLUSTER, make_rows
from tests.backends.storage.csv.log_files import Died, FaultyFiles, die

SEED = chain_seed(CLUSTER)


def test_new_store_holds_nothing_and_belongs_to_nobody(open_store):
    store = open_store()
    assert store.position == (0, 0)
    assert store.cluster_id == ""
    assert store.last_epoch() == 0
    with pytest.raises(RpcFailure, match="UNKNOWN_ORDER: order 1 is not here; the last one is 0") as caught:
        store.order(1)
    assert caught.value.metadata == {"last_number": "0"}
    with pytest.raises(RpcFailure, match=r"UNKNOWN_ORDER: .*order-1 holds no orders yet"):
        store.chain_at(0)
    assert store.read(1, 0) == b""
    assert store.query(RowQuery(10)) == ([], 0, 0)


def test_closed_directory_can_be_opened_again_although_it_never_met_a_cluster(open_store):
    open_store().close()
    assert open_store().position == (0, 0)


def test_first_rows_bring_the_cluster_along(open_store):
    store = open_store()
    rows = make_rows(3)
    assert store.extend(CLUSTER, 0, SEED, rows) == 3
    assert store.cluster_id == CLUSTER
    assert store.position == (3, end_chain(rows))
    assert store.order(2).idempotency_key == "k2"


def test_repeated_and_overlapping_rows_are_skipped(open_store):
    store = open_store()
    rows = make_rows(5)
    lines = rows.splitlines(keepends=True)
    store.extend(CLUSTER, 0, SEED, b"".join(lines[:3]))
    assert store.extend(CLUSTER, 0, SEED, b"".join(lines[:2])) == 2
    assert store.extend(CLUSTER, 1, store.chain_at(1), b"".join(lines[1:])) == 5
    assert store.read(1, 5) == rows


def test_rows_are_read_one_by_one_and_by_pages(open_store):
    store = open_store()
    rows = make_rows(5)
    lines = rows.splitlines(keepends=True)
    store.extend(CLUSTER, 0, SEED, rows)
    assert [store.order(number).transaction_number for number in (1, 5)] == [1, 5]
    with pytest.raises(RpcFailure, match="order 6 is not here; the last one is 5"):
        store.order(6)
    assert store.read(3, 3) == lines[2]
    assert store.read_after(0, 1 << 20) == rows
    assert store.read_after(3, 1 << 20) == b"".join(lines[3:])
    assert store.read_after(1, len(lines[1]) + len(lines[2])) == b"".join(lines[1:3])
    assert store.read_after(1, 1 << 20, 2) == b"".join(lines[1:3])
    assert [row.transaction_number for row in store.query(RowQuery(2, after_number=1)).rows] == [2, 3]


def test_damage_is_told_with_what_the_next_start_does(open_store):
    store = open_store()
    told: list[str] = []
    store.on_damage(told.append)
    store._rows.on_damage("row 2 is bad")
    assert told == ["row 2 is bad; its next start keeps the file aside and fills a new one"]


def test_no_rows_show_equality_up_to_the_number_given(open_store):
    store = open_store()
    store.extend(CLUSTER, 0, SEED, make_rows(4))
    assert store.extend(CLUSTER, 2, store.chain_at(2), b"") == 2


def test_gap_names_the_last_number(open_store):
    store = open_store()
    store.extend(CLUSTER, 0, SEED, make_rows(2))
    with pytest.raises(RpcFailure, match="GAP: rows after 5 were sent, the last one held is 2") as caught:
        store.extend(CLUSTER, 5, 1, make_rows(1, first=6, chain=1))
    assert caught.value.number("last_number") == 2


def test_another_chain_before_the_rows_is_diverged_and_nothing_is_written(open_store):
    store = open_store()
    store.extend(CLUSTER, 0, SEED, make_rows(2))
    why = f"another history up to order 2: the chain here is {store.chain_at(2):08x}, not 00003039$"
    with pytest.raises(Diverged, match=why) as caught:
        store.extend(CLUSTER, 2, 12345, make_rows(1, first=3, chain=12345))
    assert caught.value.metadata == {"number": "2", "chain": str(store.chain_at(2))}
    assert store.last_number == 2


def test_other_bytes_at_a_held_number_are_diverged(open_store):
    store = open_store()
    store.extend(CLUSTER, 0, SEED, make_rows(3))
    why = f"another history up to order 2: the chain here is {store.chain_at(2):08x}$"
    with pytest.raises(Diverged, match=why) as caught:
        store.extend(CLUSTER, 0, SEED, make_rows(2, names=("OTHER",)))
    assert caught.value.number("number") == 2
    assert caught.value.number("chain") == store.chain_at(2)


def test_rows_of_another_cluster_are_refused(open_store):
    store = open_store()
    store.extend(CLUSTER, 0, SEED, make_rows(1))
    for meets in (lambda: store.extend("elsewhere", 0, chain_seed("elsewhere"), b""), lambda: store.adopt("elsewhere")):
        with pytest.raises(WrongCluster, match="test-cluster, not to elsewhere") as caught:
            meets()
        assert caught.value.metadata == {"cluster_id": CLUSTER}


def test_foreign_store_refuses_with_the_reason_that_it_was_given(open_store):
    store = open_store()
    store.refuse_if_foreign()
    store.mark_foreign("these are another cluster's")
    with pytest.raises(RpcFailure, match="HALTED: these are another cluster's"):
        store.refuse_if_foreign()


def test_rows_that_break_the_chain_are_refused_and_nothing_is_written(open_store):
    store = open_store()
    rows = make_rows(3)
    broken = rows.replace(b"ACME", b"ACNE", 1)
    with pytest.raises(InvalidArgument, match="the rows do not continue the log: row 1 has the chain"):
        store.extend(CLUSTER, 0, SEED, broken)
    assert store.last_number == 0


def test_reopened_store_holds_the_same(open_store):
    rows = make_rows(10)
    store = open_store()
    store.extend(CLUSTER, 0, SEED, rows)
    store.close()
    again = open_store()
    assert again.cluster_id == CLUSTER
    assert again.read(1, 10) == rows
    assert again.last_epoch() == 1


def test_a_full_disk_puts_off_the_beginning_of_a_new_directory(tmp_path):
    store, files = faulty_store(tmp_path)
    files.faults["pwrite", "order_database.csv.new"] = errno.ENOSPC
    with pytest.raises(RpcFailure, match=r"DISK_FULL: .*no space left"):
        store.adopt(CLUSTER)
    assert store.cluster_id == ""
    files.faults["pwrite", "identity.csv.new"] = errno.ENOSPC
    with pytest.raises(RpcFailure, match=r"DISK_FULL: .*no space left"):
        store.extend(CLUSTER, 0, chain_seed(CLUSTER), b"")
    store.adopt(CLUSTER)
    assert (store.cluster_id, store.last_number) == (CLUSTER, 0)
    files.faults["pwrite", "order_database.csv"] = errno.ENOSPC
    with pytest.raises(RpcFailure, match=r"RESOURCE_EXHAUSTED DISK_FULL: the disk of .*order-1 is full"):
        store.extend(CLUSTER, 0, SEED, make_rows(1))
    assert store.extend(CLUSTER, 0, SEED, make_rows(2)) == 2
    store.close()


def test_an_identity_that_may_not_be_durable_ends_the_process(tmp_path):
    store, files = faulty_store(tmp_path)
    files.faults["fsync", "identity.csv.new"] = errno.EIO
    with pytest.raises(Died, match="ends without an answer"):
        store.extend(CLUSTER, 0, chain_seed(CLUSTER), b"")
    store.close()


def faulty_store(path):
    files = FaultyFiles()
    directory = DataDirectory.open(path / "order-1", "order", 1, files)
    return OrderStore(CsvOrderLog(directory, open_csv_log(directory.path / ORDER_LOG_NAME, files), die)), files
