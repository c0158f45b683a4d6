"""Who may trade: epochs, fencing, and the proof that a catalog was rolled back."""

import re

import grpc
import pytest

from backends.storage.csv.epochs import EPOCHS_NAME, MalformedEpochs, parse_epochs, render_epochs
from backends.storage.ports import StartRefused
from backends.storage.values import Epoch
from common.calls.failures import RpcFailure
from common.calls.reasons import Reason
from protos import catalog_pb2
from tests.backends.catalog.desk import Desk
from tests.backends.storage.csv.log_files import FaultyFiles


def test_epochs_rise_and_are_recorded(desk):
    assert (desk.begin(leader_id=3).epoch, desk.begin(leader_id=1).epoch) == (1, 2)
    assert (desk.health().epoch, desk.health().leader_id) == (2, 1)
    content = (desk.path / EPOCHS_NAME).read_text()
    assert content == ("epoch,leader_id,time\n1,3,2031-04-09T13:05:22.104511Z\n2,1,2031-04-09T13:05:22.104511Z\n")
    desk.crash()
    desk.open()
    assert (desk.health().epoch, desk.health().leader_id) == (2, 1)
    assert desk.begin().epoch == 3


def listed(desk, limit=1000):
    response = desk.catalog.list_epochs(catalog_pb2.ListEpochsRequest(limit=limit))
    return [(epoch.epoch, epoch.leader_id) for epoch in response.epochs]


def test_the_newest_epochs_are_listed_oldest_first_also_after_a_restart(desk, monkeypatch):
    assert listed(desk) == []
    monkeypatch.setattr("backends.storage.csv.epochs.RECENT_COUNT", 3)
    for leader_id in (3, 2, 1, 3, 2):
        desk.begin(leader_id=leader_id)
    assert listed(desk) == [(3, 1), (4, 3), (5, 2)]
    assert listed(desk, limit=2) == [(4, 3), (5, 2)]
    desk.restart()
    assert listed(desk) == [(3, 1), (4, 3), (5, 2)]
    assert desk.begin().epoch == 6


@pytest.mark.parametrize("limit", [0, -1, 1001])
def test_a_list_of_epochs_is_bounded(desk, limit):
    with pytest.raises(RpcFailure, match=f"limit {limit} is not within 1 to 1000"):
        listed(desk, limit)


def test_begun_epoch_names_the_last_trade_and_the_cluster(desk):
    desk.begin()
    desk.send(desk.buy("ACME", 1))
    response = desk.begin()
    assert (response.last_number, response.last_chain) == desk.position
    assert response.cluster_id == desk.health().cluster_id


def test_epoch_begins_only_behind_the_newest(desk):
    desk.begin(leader_id=2)
    with pytest.raises(RpcFailure) as caught:
        desk.begin(leader_id=1, expected_epoch=0)
    assert (caught.value.code, caught.value.reason) == (grpc.StatusCode.ABORTED, Reason.FENCED)
    assert caught.value.metadata == {"epoch": "1", "leader_id": "2"}
    assert desk.health().epoch == 1


@pytest.mark.parametrize("epoch", [1, 3])
def test_only_the_newest_epoch_trades(desk, epoch):
    desk.begin()
    desk.begin(leader_id=2)
    with pytest.raises(RpcFailure) as caught:
        desk.send(desk.buy("ACME", 1), epoch=epoch)
    assert (caught.value.reason, caught.value.metadata) == (Reason.FENCED, {"epoch": "2", "leader_id": "2"})
    assert desk.send(desk.buy("ACME", 1), batch_seq=1)[0].row


def test_epoch_of_an_earlier_run_is_fenced(desk):
    desk.begin()
    batch = desk.batch(desk.buy("ACME", 1))
    desk.catalog.update_stock(batch)
    desk.restart()
    with pytest.raises(RpcFailure) as caught:
        desk.catalog.update_stock(batch)
    assert (caught.value.reason, caught.value.metadata) == (Reason.FENCED, {"epoch": "1", "leader_id": "3"})
    desk.begin()
    (result,) = desk.send(*batch.trades)
    assert result.exists == 1


def test_batches_count_from_one_in_each_epoch(desk):
    desk.begin()
    desk.send(desk.buy("ACME", 1), batch_seq=7)
    desk.begin()
    assert desk.send(desk.buy("ACME", 1), batch_seq=1)[0].row


@pytest.mark.parametrize(
    "fields", [{"leader_id": 0}, {"leader_id": 1001}, {"expected_epoch": -1}, {"number": -1}, {"number": 2**53}]
)
def test_field_out_of_bounds_begins_nothing(desk, fields):
    with pytest.raises(RpcFailure, match="INVALID_ARGUMENT"):
        desk.begin(**fields)
    assert (desk.health().epoch, desk.health().halted) == (0, "")


@pytest.mark.parametrize("fields", [{"number": 2}, {"chain": 7}, {"expected_epoch": 2}])
def test_proof_of_a_rollback_halts_for_good(desk, fields):
    desk.begin()
    batch = desk.batch(desk.buy("ACME", 1))
    desk.catalog.update_stock(batch)
    with pytest.raises(RpcFailure) as caught:
        desk.begin(**fields)
    assert (caught.value.code, caught.value.reason) == (grpc.StatusCode.DATA_LOSS, Reason.HALTED)
    assert re.search(r"rolled back.*python -m backends.catalog.rebuild", desk.health().halted)
    assert caught.value.message == desk.health().halted
    for call in (
        lambda: desk.quantity("ACME"),
        lambda: desk.catalog.list_stocks(catalog_pb2.ListStocksRequest(limit=1)),
        lambda: desk.catalog.update_stock(batch),
        lambda: desk.set_stock(name="ACME", price_cents=1),
        desk.begin,
        desk.rows,
        desk.watch,
    ):
        with pytest.raises(RpcFailure, match="HALTED"):
            call()
    desk.stop()
    with pytest.raises(StartRefused, match=r"rolled back.*replica 3.*python -m backends.catalog.rebuild"):
        desk.open()


def test_another_cluster_without_orders_proves_nothing(desk):
    desk.begin()
    with pytest.raises(RpcFailure, match="not of this catalog's cluster"):
        desk.begin(number=0, chain=7)
    assert desk.health().halted == ""
    assert desk.begin().epoch == 2


def test_an_older_position_of_the_same_history_is_no_proof(desk):
    _, seed = desk.position
    desk.begin()
    desk.send(desk.buy("ACME", 1))
    assert desk.begin(number=0, chain=seed).epoch == 2


def test_halt_on_a_full_disk_holds_in_memory(tmp_path):
    files = FaultyFiles()
    desk = Desk(tmp_path, files=files)
    files.room = 0
    with pytest.raises(RpcFailure, match="HALTED"):
        desk.begin(number=9)
    with pytest.raises(RpcFailure, match="HALTED"):
        desk.quantity("ACME")


def test_torn_last_line_is_cut_off(desk):
    desk.begin()
    desk.crash()
    path = desk.path / EPOCHS_NAME
    good = path.read_bytes()
    path.write_bytes(good + b"2,1,2031-04-09T13:0")
    desk.open()
    assert path.read_bytes() == good
    assert desk.begin().epoch == 2


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"", 1),
        (b"epoch,leader,time\n", 1),
        (b"epoch,leader_id,time\n1,3\n", 2),
        (b"epoch,leader_id,time\n01,3,2031-04-09T13:05:22.104511Z\n", 2),
        (b"epoch,leader_id,time\n1,3,2031-04-09T13:05:22.104511Z\n3,3,2031-04-09T13:05:22.104511Z\n", 3),
        (b"epoch,leader_id,time\n1,3,2031-04-09T13:05:22.104511Z\n\n", 3),
        (b"epoch,leader_id,time\n1,3,\xff\n", 2),
    ],
)
def test_damaged_epochs_are_written_anew_above_all_that_is_left_of_them(desk, content, line):
    desk.crash()
    (desk.path / EPOCHS_NAME).write_bytes(content)
    with pytest.raises(MalformedEpochs, match=f"line {line}"):
        parse_epochs(content)
    desk.open()
    seen = [int(number) for number in re.findall(rb"^([0-9]+),3,2031", content, re.MULTILINE) if number != b"01"]
    assert desk.health().epoch == max(seen, default=0) + 1000
    (finding,) = desk.health().findings
    assert (f"line {line} " if content else "it is empty or missing") in finding
    kept = [path.read_bytes() for path in desk.path.glob("catalog_epochs.csv.damaged-*")]
    assert kept == ([content] if content else [])
    assert desk.begin().epoch == desk.health().epoch


def test_file_may_begin_above_one_and_is_read_back():
    epochs = [Epoch(1007, 0, "2031-04-09T13:05:22.104511Z"), Epoch(1008, 2, "2031-04-09T13:05:23.000000Z")]
    content = render_epochs(epochs)
    assert parse_epochs(content) == (epochs, len(content))
