"""`catalog_database.csv` while the catalog runs: right soon after the last trade, and never old under load."""

import threading
from contextlib import contextmanager

import pytest

from backends.storage.csv.checkpoint import LONGEST_AGE_S, LOOK_INTERVAL_S, CheckpointFile
from backends.storage.csv.files import DiskFull
from backends.storage.csv.small_files import SmallFiles
from deploy.systems.waiting import wait_until
from tests.backends.catalog.desk import Desk
from tests.backends.order.direct import Clock
from tests.backends.storage.csv.log_files import FaultyFiles, RecordingFiles, die

NAME = "catalog_database.csv"


def shown(desk: Desk, name: str = "ACME") -> tuple[int, int]:
    """Return the quantity and the last trade that the file shows of a stock."""
    lines = (desk.path / NAME).read_text().splitlines()
    quantity, last_trade = next(line for line in lines if line.startswith(f"{name},")).split(",")[3:]
    return int(quantity), int(last_trade)


def wait_for(desk: Desk, quantity: int, last_trade: int) -> None:
    """Wait until the file shows the last trade, as long as it is given."""
    wait_until(lambda: shown(desk) == (quantity, last_trade), 2.0, "the last trade")


def test_file_is_right_within_two_seconds_of_the_last_trade(desk):
    desk.begin()
    desk.ledger.start()
    for count in (1, 2):
        desk.send(desk.buy("ACME", 1), desk.buy("ACME", 2))
        wait_for(desk, 100 - 3 * count, 2 * count)
    desk.crash()
    desk.ledger.checkpoint.stop()


class Watched:
    """A checkpoint that a test has look, by a clock of its own."""

    def __init__(self, desk: Desk, files: FaultyFiles) -> None:
        self.clock = Clock()
        self.files = files
        self.file = CheckpointFile(SmallFiles(desk.path, files, die), desk.ledger._stocks, monotonic=self.clock)

    def look(self, after_s: float = LOOK_INTERVAL_S) -> int:
        """Return how many times the file was replaced by a look so much later."""
        before = self.replaced()
        self.clock.now += after_s
        self.file.look()
        return self.replaced() - before

    def replaced(self) -> int:
        return sum(call[0] == "rename" for call in self.files.calls)


@pytest.fixture
def watched(desk) -> Watched:
    desk.begin()
    return Watched(desk, FaultyFiles())


def test_file_is_written_once_when_trades_pause(desk, watched):
    assert watched.look() == 0
    desk.send(desk.buy("ACME", 1))
    assert watched.look() == 0  # more may come
    assert watched.look() == 1
    assert shown(desk) == (99, 1)
    desk.send(desk.buy("ACME", 1000))  # refused: nothing has changed
    assert [watched.look(after_s) for after_s in (LOOK_INTERVAL_S, LONGEST_AGE_S, LONGEST_AGE_S)] == [0, 0, 0]


def test_file_grows_no_older_than_its_longest_age_while_trades_never_pause(desk, watched):
    looks = int(LONGEST_AGE_S / LOOK_INTERVAL_S)
    for number in range(1, 3 * looks + 1):
        desk.send(desk.sell("ACME", 1))
        assert watched.look() == (number % looks == 0)
        assert number - shown(desk)[1] < looks


def test_full_disk_leaves_the_old_file_until_there_is_room(desk, watched):
    desk.send(desk.buy("ACME", 1))
    watched.look()
    watched.files.room = 3
    with pytest.raises(DiskFull):
        watched.look()
    assert shown(desk) == (100, 0)
    watched.files.room = None
    assert watched.look() == 1
    assert shown(desk) == (99, 1)


class SlowDisk(RecordingFiles):
    """A disk whose sync of the file aside hangs until it is told to go on."""

    def __init__(self) -> None:
        super().__init__()
        self.reached, self.goes_on = threading.Event(), threading.Event()

    def fsync(self, descriptor: int) -> None:
        self.reached.set()
        assert self.goes_on.wait(10)
        super().fsync(descriptor)

    @contextmanager
    def hanging_in(self, work):
        """Let a thread hang in its sync inside of a `with` block."""
        thread = threading.Thread(target=work)
        thread.start()
        try:
            assert self.reached.wait(5)
            yield
        finally:
            self.goes_on.set()
            thread.join()


def test_trades_and_reads_go_on_while_the_file_waits_for_the_disk(desk):
    """A trade that comes meanwhile is in the next file: this one is of an older one."""
    desk.begin()
    disk = SlowDisk()
    file = CheckpointFile(SmallFiles(desk.path, disk, die), desk.ledger._stocks)
    desk.send(desk.buy("ACME", 1))
    with disk.hanging_in(file.write):
        desk.send(desk.buy("ACME", 1))
        assert desk.quantity("ACME") == 98
    assert shown(desk) == (99, 1)
    file.look()
    file.look()
    assert shown(desk) == (98, 2)


def test_file_is_written_anew_at_every_start(desk):
    database = desk.path / NAME
    before = database.stat().st_ino
    desk.ledger.start()
    assert database.stat().st_ino != before
    desk.stop()
