"""What the log and the list of leaderships have in common; their own tests try the rest."""

import errno
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from backends.storage.csv.appended_file import AppendedFile
from backends.storage.csv.busy import BusyWatch
from backends.storage.csv.files import DiskFull
from backends.storage.csv.log_opening import marker_path
from tests.backends.storage.csv.log_files import Died, FaultyFiles, die


class Steps:
    """An appended file of five bytes, and what happened to it in which order."""

    def __init__(self, path: Path) -> None:
        path.write_bytes(b"begin")
        self.path, self.files, self.busy = path, FaultyFiles(), BusyWatch(time.monotonic)
        self.descriptor = os.open(path, os.O_RDWR)
        self.contents: list[bytes] = []
        self.file = AppendedFile(
            path,
            self.descriptor,
            files=self.files,
            busy=self.busy,
            die=die,
            on_written=self.look,
            on_synced=self.look,
        )

    def look(self) -> None:
        assert self.busy.stalled_s() > 0
        self.contents.append(self.path.read_bytes())


@pytest.fixture
def steps(tmp_path: Path) -> Iterator[Steps]:
    yield (steps := Steps(tmp_path / "file"))
    os.close(steps.descriptor)


def test_bytes_are_written_then_synced(steps):
    assert steps.file.append(b"more", 5) >= 0.0
    assert steps.contents == [b"beginmore"] * 2
    assert steps.files.changes() == [("pwrite", "file"), ("fdatasync", "file")]
    assert (steps.path.stat().st_size, steps.busy.stalled_s()) == (9, 0.0)


def test_full_disk_leaves_what_was(steps):
    steps.files.room = 2
    with pytest.raises(DiskFull):
        steps.file.append(b"more", 5)
    assert (steps.path.read_bytes(), steps.busy.stalled_s()) == (b"begin", 0.0)
    assert not marker_path(steps.path).exists()
    steps.files.room = 100
    steps.file.append(b"more", 5)
    assert steps.path.read_bytes() == b"beginmore"


def test_after_a_failed_sync_nothing_is_appended_and_the_next_start_is_told(steps):
    steps.files.faults = {("fdatasync", "file"): errno.EIO}
    with pytest.raises(Died, match="ends without an answer"):
        steps.file.append(b"more", 5)
    assert marker_path(steps.path).exists()
    assert steps.busy.stalled_s() == 0.0
    with pytest.raises(RuntimeError, match="should have ended"):
        steps.file.append(b"more", 5)
