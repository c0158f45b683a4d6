from backends.storage.csv import checkpoint
from deploy.systems.waiting import wait_until


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


def test_checkpoint_is_written_anew_at_every_start(desk):
    database = desk.path / "catalog_database.csv"
    before = database.stat().st_ino
    desk.ledger.start()
    assert database.stat().st_ino != before
