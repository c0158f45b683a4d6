import errno
import itertools
import os

import pytest

from backends.storage.csv.files import (
    COPY_BYTES,
    MOST_UNSYNCED_BYTES,
    DiskFull,
    Files,
    copy_bytes,
    new_file,
    replace_file,
    sync_shown,
    write_all,
)
from tests.backends.storage.csv.log_files import Crash, CrashingFiles, FaultyFiles, RecordingFiles


@pytest.fixture
def path(tmp_path):
    (tmp_path / "data").mkdir()
    return tmp_path / "data" / "stocks.csv"


def names(path):
    return sorted(entry.name for entry in path.parent.iterdir())


def test_replaced_file_is_synced_before_it_gets_its_name_and_the_name_before_the_return(path):
    files = RecordingFiles()
    replace_file(path, b"old", files)
    files.calls.clear()
    replace_file(path, b"new", files)
    assert path.read_bytes() == b"new"
    assert names(path) == ["stocks.csv"]
    assert files.calls == [
        ("open", "stocks.csv.new"),
        ("pwrite", "stocks.csv.new"),
        ("fsync", "stocks.csv.new"),
        ("close", "stocks.csv.new"),
        ("rename", "stocks.csv.new", "stocks.csv"),
        ("sync_directory", "data"),
    ]


def test_crash_at_any_step_leaves_the_old_or_the_new_content(path):
    seen = set()
    for crash_at in itertools.count():
        path.write_bytes(b"old")
        try:
            replace_file(path, b"new", CrashingFiles(crash_at))
        except Crash:
            seen.add(path.read_bytes())
        else:
            break
    assert seen == {b"old", b"new"}
    replace_file(path, b"newest")  # what the crash left aside is in nobody's way
    assert (path.read_bytes(), names(path)) == (b"newest", ["stocks.csv"])


@pytest.mark.parametrize("room", [0, 2])
def test_full_disk_leaves_the_old_content_and_nothing_aside(path, room):
    path.write_bytes(b"old")
    files = FaultyFiles()
    files.room = room
    with pytest.raises(DiskFull, match="No space left on device"):
        replace_file(path, b"new", files)
    assert (path.read_bytes(), names(path)) == (b"old", ["stocks.csv"])


def test_disk_without_room_for_a_file_is_full(path):
    files = FaultyFiles()
    files.faults["open", "stocks.csv.new"] = errno.ENOSPC
    with pytest.raises(DiskFull):
        replace_file(path, b"new", files)


@pytest.mark.parametrize("call", [("fsync", "stocks.csv.new"), ("sync_directory", "data")])
def test_other_failures_are_those_of_the_system(path, call):
    files = FaultyFiles()
    files.faults[call] = errno.EIO
    with pytest.raises(OSError, match="Input/output error"):
        replace_file(path, b"new", files)


class ShortFiles(Files):
    """Takes at most three bytes at a time."""

    def pwrite(self, descriptor: int, data: bytes, offset: int) -> int:
        return super().pwrite(descriptor, data[:3], offset)


def test_rest_of_a_short_write_is_written(path):
    files = ShortFiles()
    with new_file(files, path) as descriptor:
        write_all(files, descriptor, b"0123456789", 2)
    assert path.read_bytes() == b"\0\0" + b"0123456789"


def test_bytes_are_copied_in_bounded_chunks(path):
    content = os.urandom(2 * COPY_BYTES + 10)
    path.write_bytes(content)
    files = RecordingFiles()
    source = os.open(path, os.O_RDONLY)
    copy = path.with_name("copy")
    with new_file(files, copy) as target:
        copy_bytes(files, source, 5, len(content) - 1, target)
        assert [call[0] for call in files.calls[1:]] == ["pread", "pwrite"] * 3
        with pytest.raises(OSError, match=f"ends at byte {len(content)}"):
            copy_bytes(files, source, 0, len(content) + 1, target)
        files.ftruncate(target, 0)
        copy_bytes(files, source, 5, len(content) - 1, target)
    os.close(source)
    assert copy.read_bytes() == content[5:-1]


def test_descriptors_are_not_inherited_by_started_programs(path):
    files = Files()
    descriptor = files.open(path, os.O_RDWR | os.O_CREAT)
    assert not os.get_inheritable(descriptor)
    files.close(descriptor)


class OffsetFiles(RecordingFiles):
    """Also records where is written, and how much."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[tuple[int, int]] = []

    def pwrite(self, descriptor, data, offset):
        self.written.append((offset, len(data)))
        return super().pwrite(descriptor, data, offset)


@pytest.mark.parametrize("size", [0, 7, MOST_UNSYNCED_BYTES + COPY_BYTES + 3])
def test_what_is_shown_is_written_over_itself_from_its_last_bytes_on_and_synced(path, size):
    content = os.urandom(size)
    path.write_bytes(content)
    files = OffsetFiles()
    descriptor = files.open(path, os.O_RDWR)
    sync_shown(files, descriptor)
    assert path.read_bytes() == content
    assert sum(length for _offset, length in files.written) == min(size, MOST_UNSYNCED_BYTES)
    assert files.written[:1] == ([(size - min(size, MOST_UNSYNCED_BYTES), min(size, COPY_BYTES))] if size else [])
    assert files.calls[-1] == ("fdatasync", "stocks.csv")
    files.close(descriptor)


def test_what_is_shown_is_synced_also_where_a_full_disk_has_no_place_to_write_it_anew(path):
    path.write_bytes(b"content")
    files = FaultyFiles()
    files.room = 3
    descriptor = files.open(path, os.O_RDWR)
    sync_shown(files, descriptor)
    assert path.read_bytes() == b"content"
    assert files.calls[-1] == ("fdatasync", "stocks.csv")
    files.close(descriptor)
