"""The catalog on a disk that is full, fails or hangs."""

import threading

import grpc
import pytest

from common.calls.failures import RpcFailure
from common.calls.reasons import Reason
from common.rows import parse_row
from protos import catalog_pb2
from tests.backends.catalog.desk import Desk
from tests.backends.storage.csv.log_files import Died, FaultyFiles


def refusals(results):
    return [result.refusal.reason for result in results]


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


def test_full_disk_refuses_epochs_and_stock_changes_but_no_reads(tmp_path):
    files = FaultyFiles()
    desk = Desk(tmp_path, files=files)
    files.room = 3
    for refused in (desk.begin, lambda: desk.set_stock(name="ACME", price_cents=1)):
        with pytest.raises(RpcFailure) as caught:
            refused()
        assert (caught.value.code, caught.value.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, Reason.DISK_FULL)
    assert desk.catalog.lookup_stock(catalog_pb2.LookupStockRequest(stock_name="ACME")).stock.price_cents == 4135
    desk.stop()  # a checkpoint that finds no space is no error: the journal holds everything
    files.room = None
    desk.open()
    assert desk.begin().epoch == 1


def test_failed_sync_ends_the_process_and_shows_nothing(tmp_path):
    files = FaultyFiles()
    desk = Desk(tmp_path, files=files)
    desk.begin()
    files.faults["fdatasync", "catalog_journal.csv"] = 5
    with pytest.raises(Died):
        desk.send(desk.buy("ACME", 1))
    assert (desk.quantity("ACME"), desk.position[0]) == (100, 0)


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
