"""Crashes, failures and a full disk at every step of opening a log, from every state that one can be found in."""

import errno
import itertools
import shutil

import pytest

from backends.storage.csv.log_opening import marker_path
from backends.storage.ports import StartRefused
from common.rows import HEADER
from tests.backends.storage.csv.log_files import (
    CONTENT,
    ROW_ENDS,
    Crash,
    CrashingFiles,
    Died,
    FaultyFiles,
    RecordingFiles,
    content_after_opening,
    flipped,
)


@pytest.fixture
def path(tmp_path):
    (tmp_path / "data").mkdir()
    return tmp_path / "data" / "log.csv"


STATES = {
    "missing": (None, False),
    "empty": (b"", False),
    "half a header": (HEADER[:20], False),
    "good": (CONTENT, False),
    "torn": (CONTENT[:-5], False),
    "damaged": (flipped(ROW_ENDS[3] + 10), False),
    "damaged header": (flipped(3), False),
    "marked": (CONTENT, True),
    "marked and torn": (CONTENT[:-5], True),
    "marked and damaged": (flipped(ROW_ENDS[3] + 10), True),
}


def prepare(path, state):
    shutil.rmtree(path.parent)
    path.parent.mkdir()
    content, has_marker = STATES[state]
    if content is not None:
        path.write_bytes(content)
    if has_marker:
        marker_path(path).touch()


@pytest.mark.parametrize("state", STATES)
def test_crash_at_any_step_of_an_opening_loses_nothing(path, state):
    prepare(path, state)
    expected = content_after_opening(path)
    for crash_at in itertools.count():
        prepare(path, state)
        try:
            content_after_opening(path, files=CrashingFiles(crash_at))
        except Crash:
            kept = b"".join(entry.read_bytes() for entry in sorted(path.parent.iterdir()) if entry.suffix != ".new")
            assert (STATES[state][0] or b"")[-100:] in kept
            assert content_after_opening(path) == expected
            assert not path.with_name("log.csv.new").exists()
            assert not marker_path(path).exists()
        else:
            break
    assert crash_at > 2


@pytest.mark.parametrize("state", STATES)
def test_failure_at_any_step_of_an_opening_ends_the_process_and_leaves_a_marker(path, state):
    prepare(path, state)
    recording = RecordingFiles()
    expected = content_after_opening(path, files=recording)
    checked = ("pwrite", "fsync", "fdatasync", "ftruncate", "rename", "sync_directory", "unlink")
    for call in {call for call in recording.changes() if call[0] in checked}:
        prepare(path, state)
        files = FaultyFiles()
        files.faults[call] = errno.EIO
        with pytest.raises(Died, match=r"log\.csv.*Input/output error.*ends without an answer$"):
            content_after_opening(path, files=files)
        assert marker_path(path).exists()
        assert content_after_opening(path) == expected
        assert not marker_path(path).exists()


@pytest.mark.parametrize("state", [state for state in STATES if state != "good"])
def test_full_disk_at_an_opening_refuses_and_loses_nothing(path, state):
    prepare(path, state)
    before = {entry.name: entry.read_bytes() for entry in path.parent.iterdir()}
    files = FaultyFiles()
    files.room = 2
    with pytest.raises(StartRefused, match="no space left"):
        content_after_opening(path, files=files)
    assert {entry.name: entry.read_bytes() for entry in path.parent.iterdir()} == before
