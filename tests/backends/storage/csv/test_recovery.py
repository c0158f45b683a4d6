"""Starting on what the files hold: they tell one story, or the catalog names the file, the row and the repair."""

import re
import shutil

import pytest

from backends.storage.csv.ledger import JOURNAL_NAME
from backends.storage.ports import StartRefused
from common.rows import HEADER
from tests.backends.catalog.desk import STOCKS, Desk
from tests.backends.storage.csv.log_files import Crash, CrashingFiles, Died, FaultyFiles

REPAIR = "python -m backends.catalog.rebuild --data-dir"


@pytest.fixture
def traded(desk):
    """A stopped catalog with six trades, of which the checkpoint has four."""
    desk.begin()
    desk.send(*[desk.buy("ACME", 1) for _ in range(3)], desk.sell("Blue.Finch", 5))
    desk.ledger.checkpoint.write()
    desk.send(desk.buy("ACME", 1), desk.sell("ACME", 10))
    desk.crash()
    return desk


def refusal(desk):
    with pytest.raises(StartRefused) as caught:
        desk.open()
    message = str(caught.value)
    assert "\n" not in message
    assert f"{REPAIR} {desk.path}" in message
    return message


def test_trades_above_the_checkpoint_are_replayed(traded):
    traded.open()
    assert (traded.quantity("ACME"), traded.quantity("Blue.Finch"), traded.position[0]) == (106, 5, 6)
    database = (traded.path / "catalog_database.csv").read_text()
    assert database == (
        "name,price,initial_quantity,quantity,last_trade\n"
        "ACME,41.35,100,97,3\nBlue.Finch,0.01,0,5,4\nT,1000000000.00,1000000000000000,1000000000000000,0\n"
    )
    traded.stop()
    assert "ACME,41.35,100,106,6\n" in (traded.path / "catalog_database.csv").read_text()


def test_keys_are_known_after_a_restart(traded):
    traded.open()
    traded.begin()
    results = traded.send(*[traded.buy("ACME", 1, idempotency_key=f"key-{number}") for number in range(1, 7)])
    assert [result.exists for result in results] == [1, 2, 3, 4, 5, 6]


def test_torn_tail_of_the_journal_is_cut_off(traded):
    path = traded.path / JOURNAL_NAME
    good = path.read_bytes()
    path.write_bytes(good[:-5])
    traded.open()
    assert (traded.position[0], traded.quantity("ACME")) == (5, 96)


def test_damaged_journal_is_refused(traded):
    path = traded.path / JOURNAL_NAME
    content = bytearray(path.read_bytes())
    content[content.index(b"\n2,1,") + 8] ^= 1
    path.write_bytes(content)
    assert re.search(rf"{JOURNAL_NAME}: row 2 is damaged", refusal(traded))
    assert path.read_bytes() == content


def test_journal_shorter_than_the_checkpoint_is_refused(traded):
    path = traded.path / JOURNAL_NAME
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:4]))
    assert f"{JOURNAL_NAME}: its last row is 3, but catalog_database.csv is as of trade 4" in refusal(traded)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("ACME,41.35,100,97,3", "ACME,41.35,100,96,3", "at trade 4 the rows give stock 'ACME' 97 shares"),
        ("ACME,41.35,100,97,3", "ACME,41.35,101,97,3", "at trade 4 the rows give stock 'ACME' 98 shares"),
        ("ACME,41.35,100,97,3", "ACME,41.35,100,97,2", "last trade 3, not 97 and 2"),
        ("ACME,41.35,100,97,3\n", "", "row 1 trades stock 'ACME', which is not known"),
        ("ACME,41.35,100,97,3", "ACME,41.35,2,97,3", "row 3 leaves -1 shares of stock 'ACME'"),
        ("ACME,41.35,100,97,3", "ACME,41.3,100,97,3", "line 2 is malformed: 'ACME,41.3,100,97,3'"),
        ("ACME,41.35,100,97,3", "ACME,0.00,100,97,3", "line 2 is malformed"),
        ("ACME,41.35,100,97,3", "ACME,41.35,0100,97,3", "line 2 is malformed"),
        ("Blue.Finch", "ACME", "line 3 names stock 'ACME' again"),
        ("name,price", "names,price", "line 1"),
        (",0\n", ",0", "line 4 has no end"),
    ],
)
def test_checkpoint_that_disagrees_is_refused(traded, old, new, said):
    path = traded.path / "catalog_database.csv"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    message = refusal(traded)
    assert "catalog_database.csv: " in message
    assert said in message


@pytest.mark.parametrize("name", ["catalog_database.csv", JOURNAL_NAME])
def test_missing_file_is_refused(traded, name):
    (traded.path / name).unlink()
    assert f"{name}: the file is missing" in refusal(traded)


def test_trades_without_an_identity_are_not_taken_for_a_new_directory(traded):
    (traded.path / "identity.csv").unlink()
    assert "the identity of the directory, is missing or damaged" in refusal(traded)
    (traded.path / JOURNAL_NAME).unlink()
    assert "the identity of the directory, is missing or damaged" in refusal(traded)
    (traded.path / "catalog_epochs.csv").unlink()
    assert "the identity of the directory, is missing or damaged" in refusal(traded)


def test_epochs_below_those_of_the_journal_are_written_anew_above_them(traded):
    (traded.path / "catalog_epochs.csv").write_text("epoch,leader_id,time\n")
    traded.open()
    assert traded.health().epoch == 1001
    (finding,) = traded.health().findings
    assert "catalog_epochs.csv was damaged: its newest epoch is 0, but the journal's last row is of epoch 1" in finding
    assert traded.begin().epoch == 1002


def test_full_disk_at_a_first_start_is_refused(tmp_path):
    files = FaultyFiles()
    files.room = 100
    with pytest.raises(StartRefused, match="no space left"):
        Desk(tmp_path, files=files)
    files.room = None
    assert Desk(tmp_path, files=files).quantity("ACME") == 100


def test_failed_sync_at_the_end_of_a_batch_is_mended_at_the_next_start(tmp_path):
    files = FaultyFiles()
    desk = Desk(tmp_path, files=files)
    desk.begin()
    files.faults["fdatasync", JOURNAL_NAME] = 5
    with pytest.raises(Died):
        desk.send(desk.buy("ACME", 1))
    desk.crash()
    assert (tmp_path / f"{JOURNAL_NAME}.unsynced").exists()
    desk.open()
    assert not (tmp_path / f"{JOURNAL_NAME}.unsynced").exists()


def test_crash_at_any_step_of_the_first_start_is_a_new_directory_again(tmp_path):
    for step in range(100):
        path = tmp_path / str(step)
        try:
            desk = Desk(path, files=CrashingFiles(step))
        except Crash:
            pass
        else:
            desk.crash()
            break
        again = Desk(path, stocks=[*STOCKS, ("NEW", 1, 1)])
        again.begin()
        assert again.send(again.buy("ACME", 1))[0].row
        again.stop()
    else:
        pytest.fail("the first start never ended")
    assert step > 10


def test_replay_of_every_kind_of_restart_ends_alike(traded, tmp_path):
    """A clean stop, a crash and a journal without its checkpoint's help give the same stocks."""
    copy = tmp_path / "copy"
    shutil.copytree(traded.path, copy)
    database = copy / "catalog_database.csv"
    lines = ["name,price,initial_quantity,quantity,last_trade"]
    lines += [f"{name},{cents // 100}.{cents % 100:02d},{quantity},{quantity},0" for name, cents, quantity in STOCKS]
    database.write_text("\n".join(lines) + "\n")
    traded.open()
    traded.stop()
    other = Desk(copy)
    other.stop()
    assert database.read_bytes() == (traded.path / "catalog_database.csv").read_bytes()
    assert (copy / JOURNAL_NAME).read_bytes().startswith(HEADER)
