from backends.storage.csv import checkpoint
from backends.storage.csv.busy import BusyWatch
from tests.harness.waiting import wait_until


def test_checkpoint_is_written_when_it_is_due(desk, monkeypatch):
    monkeypatch.setattr(checkpoint, "TRADES_PER_CHECKPOINT", 3)
    monkeypatch.setattr(desk.ledger.checkpoint, "_look_interval_s", 0.01)
    database = desk.path / "catalog_database.csv"
    desk.begin()
    desk.ledger.start()
    desk.send(desk.buy("ACME", 1), desk.buy("ACME", 1))
    assert not desk.ledger.checkpoint.is_due
    desk.send(desk.buy("ACME", 1))
    wait_until(lambda: "ACME,41.35,100,97,3" in database.read_text(), 5, "the checkpoint")
    desk.ledger.checkpoint.stop()
    assert not desk.ledger.checkpoint.is_due
    desk.crash()
    desk.open()
    assert desk.quantity("ACME") == 97


def test_oldest_write_under_way_counts():
    now = [10.0]
    busy = BusyWatch(lambda: now[0])
    assert busy.stalled_s() == 0.0
    with busy.under_way():
        now[0] = 12.0
        with busy.under_way():
            now[0] = 13.0
            assert busy.stalled_s() == 3.0
    assert busy.stalled_s() == 0.0
