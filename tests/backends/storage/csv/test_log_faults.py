import errno
import subprocess
import sys

import pytest

from backends.storage.csv.files import DiskFull
from backends.storage.csv.log import Log
from backends.storage.csv.log_opening import marker_path
from common.rows import HEADER
from tests.backends.storage.csv.log_files import CLUSTER, Died, FaultyFiles, die, make_rows, write_log

ROWS = make_rows(6)
BATCH = b"".join(ROWS[3:])


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "log.csv"
    write_log(path, ROWS[:3])
    return path


@pytest.fixture
def files():
    return FaultyFiles()


@pytest.fixture
def log(path, files):
    log = Log.open(path, CLUSTER, damage="refuse", files=files, die=die)
    files.calls.clear()
    yield log
    log.close()


def check_that_only_the_first_three_are_shown(log):
    assert log.last_number == 3
    assert log.read_after(0, 10**6) == b"".join(ROWS[:3])
    assert log.stalled_s() == 0.0


@pytest.mark.parametrize("room", [0, 1, len(ROWS[3]), len(ROWS[3]) + 1, len(BATCH) - 1])
def test_full_disk_is_cut_back_and_reads_go_on(log, files, path, room):
    before = path.read_bytes()
    files.room = room
    for _ in range(2):
        with pytest.raises(DiskFull, match="no space left"):
            log.append(BATCH)
        assert path.read_bytes() == before
        check_that_only_the_first_three_are_shown(log)
        files.room = room
    # Cut, then synced, before anybody is told.
    assert files.calls[-3:-1] == [("ftruncate", "log.csv"), ("fsync", "log.csv")]
    assert not marker_path(path).exists()

    files.room = len(BATCH)
    log.append(BATCH)
    assert log.read(4, 6) == BATCH
    assert path.read_bytes() == HEADER + b"".join(ROWS)


def test_quota_counts_as_a_full_disk(log, files):
    files.faults["pwrite", "log.csv"] = errno.EDQUOT
    with pytest.raises(DiskFull):
        log.append(BATCH)
    log.append(BATCH)
    assert log.last_number == 6


@pytest.mark.parametrize(
    ("call", "number"),
    [
        ("pwrite", errno.EIO),
        ("pwrite", errno.EBADF),
        ("fdatasync", errno.EIO),
        ("fdatasync", errno.ENOSPC),  # found by a sync it may have cost bytes that were taken for written
    ],
)
def test_failed_write_or_sync_ends_the_process_and_leaves_a_marker(log, files, path, call, number):
    files.faults[call, "log.csv"] = number
    with pytest.raises(Died, match=r"log\.csv: .*this process ends without an answer$"):
        log.append(BATCH)
    assert marker_path(path).exists()
    marked = [("open", "log.csv.unsynced"), ("fsync", "log.csv.unsynced"), ("sync_directory", path.parent.name)]
    assert [call for call in files.changes() if call in marked] == marked
    check_that_only_the_first_three_are_shown(log)
    with pytest.raises(RuntimeError, match="has failed"):
        log.append(BATCH)


@pytest.mark.parametrize("call", ["ftruncate", "fsync"])
def test_failed_cut_after_a_full_disk_ends_the_process_and_leaves_a_marker(log, files, path, call):
    files.room = 100
    files.faults[call, "log.csv"] = errno.EIO
    with pytest.raises(Died):
        log.append(BATCH)
    assert marker_path(path).exists()
    check_that_only_the_first_three_are_shown(log)


def test_marker_that_cannot_be_left_is_told(log, files):
    files.faults["fdatasync", "log.csv"] = errno.EIO
    files.faults["open", "log.csv.unsynced"] = errno.EROFS
    with pytest.raises(Died, match="no marker could be left"):
        log.append(BATCH)


def test_start_after_a_failed_sync_writes_the_log_anew(log, files, path):
    """What the failed append left is a prefix of its rows: decided by nobody, harmless, and now really on the disk."""
    files.faults["fdatasync", "log.csv"] = errno.EIO
    with pytest.raises(Died):
        log.append(BATCH)
    inode = path.stat().st_ino
    again = Log.open(path, CLUSTER, damage="refuse")
    assert path.stat().st_ino != inode
    assert again.read(1, 6) == b"".join(ROWS)
    assert not marker_path(path).exists()
    again.close()


def test_process_that_cannot_sync_is_really_gone(path):
    """In a process of its own: no exception that somebody could catch, no exit handler, one line on stderr."""
    program = f"""
import atexit, errno, threading
from pathlib import Path
from backends.storage.csv.log import Log
from tests.backends.storage.csv.log_files import CLUSTER, FaultyFiles
atexit.register(print, "an exit handler ran")
files = FaultyFiles()
log = Log.open(Path({str(path)!r}), CLUSTER, damage="refuse", files=files)
files.faults["fdatasync", "log.csv"] = errno.EIO
def append():
    try:
        log.append({BATCH!r})
    finally:
        print("answered")
threading.Thread(target=append).start()
threading.Event().wait(20)
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode == 74
    assert ended.stdout.count("answered") == ended.stdout.count("handler") == 0
    assert "this process ends without an answer" in ended.stdout + ended.stderr
    assert marker_path(path).exists()
