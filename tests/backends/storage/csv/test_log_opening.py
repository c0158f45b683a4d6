import errno
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from backends.storage.csv.log import Log
from backends.storage.csv.log_opening import DamagedLog, marker_path
from common.rows import HEADER, MAX_ROW_BYTES
from tests.backends.storage.csv.log_files import (
    CLUSTER,
    CONTENT,
    ROW_ENDS,
    ROWS,
    FaultyFiles,
    QuickFiles,
    RecordingFiles,
    content_after_opening,
    flipped,
    make_rows,
    write_log,
)

LAST_SYNCS = [("pwrite", "log.csv"), ("fdatasync", "log.csv"), ("sync_directory", "data")]


@pytest.fixture
def path(tmp_path):
    (tmp_path / "data").mkdir()
    return tmp_path / "data" / "log.csv"


def about(path, logs):
    """The captured entries about this log: other tests' threads may log too."""
    return [entry for entry in logs if entry.get("path") == str(path)]


def names(path):
    return sorted(entry.name for entry in path.parent.iterdir())


def test_good_log_is_left_as_it_is_and_synced(path):
    write_log(path, ROWS)
    files = RecordingFiles()
    assert content_after_opening(path, "refuse", files) == CONTENT
    assert files.changes() == [("open", "log.csv"), *LAST_SYNCS]
    assert names(path) == ["log.csv"]


def test_new_log_is_written_aside_first(path):
    files = RecordingFiles()
    assert content_after_opening(path, "refuse", files) == HEADER
    assert files.changes() == [
        ("open", "log.csv.new"),
        ("pwrite", "log.csv.new"),
        ("fsync", "log.csv.new"),
        ("rename", "log.csv.new", "log.csv"),
        ("sync_directory", "data"),
        ("open", "log.csv"),
        *LAST_SYNCS,
    ]


@pytest.mark.parametrize("damage", ["keep_prefix", "refuse"])
def test_torn_tail_is_kept_aside_and_cut_off_with_a_warning(path, damage):
    torn = CONTENT[:-5]
    path.write_bytes(torn)
    files = RecordingFiles()
    with capture_logs() as logs:
        assert content_after_opening(path, damage, files) == CONTENT[: ROW_ENDS[7]]
    assert (path.parent / "log.csv.torn-1").read_bytes() == torn[ROW_ENDS[7] :]
    assert [(entry["log_level"], entry["event"], entry["row"]) for entry in about(path, logs)] == [
        ("warning", "torn tail cut off", 8)
    ]
    kept_first = [("fsync", "log.csv.torn-1"), ("sync_directory", "data"), ("ftruncate", "log.csv")]
    assert [call for call in files.changes() if call in kept_first] == [*kept_first, ("sync_directory", "data")]
    assert files.changes()[-5:] == [("fsync", "log.csv"), ("open", "log.csv"), *LAST_SYNCS]

    path.write_bytes(torn)
    content_after_opening(path, damage)
    assert names(path) == ["log.csv", "log.csv.torn-1", "log.csv.torn-2"]


def test_any_truncation_opens_with_the_whole_rows(path):
    """Cut at every byte of the last batch, three rows."""
    for length in range(ROW_ENDS[5], len(CONTENT) + 1):
        shutil.rmtree(path.parent)
        path.parent.mkdir()
        path.write_bytes(CONTENT[:length])
        expected = max(end for end in ROW_ENDS if end <= length)
        assert content_after_opening(path, "refuse", QuickFiles()) == CONTENT[:expected]
        kept = b"".join(beside.read_bytes() for beside in path.parent.glob("*.torn-*"))
        assert CONTENT[:expected] + kept == CONTENT[:length]


@pytest.mark.parametrize("content", [b"", HEADER[:-1], bytes(len(CONTENT)), HEADER.replace(b"price", b"prize")])
def test_file_without_its_header_is_damaged(path, content):
    """It was there, synced, before the file had its name: no crash leaves less."""
    path.write_bytes(content)
    with pytest.raises(DamagedLog, match="the header"):
        content_after_opening(path, "refuse")
    assert content_after_opening(path, "keep_prefix") == HEADER
    assert (path.parent / "log.csv.damaged-1").read_bytes() == content


@pytest.mark.parametrize(
    "tail",
    [
        pytest.param(b"9,1,ACME,buy,2,41.35,,key-9,2031-04-09T13:05:22.104511Z,00000000\n", id="whole, wrong chain"),
        pytest.param(b"\n", id="a line end"),
        pytest.param(b"x" * MAX_ROW_BYTES, id="longer than any row"),
    ],
)
def test_last_row_that_no_crash_explains_is_damaged(path, tail):
    path.write_bytes(CONTENT + tail)
    with pytest.raises(DamagedLog, match=r"row 9 .*it is whole: no crash leaves such a row"):
        content_after_opening(path, "refuse")
    assert content_after_opening(path, "keep_prefix") == CONTENT
    assert (path.parent / "log.csv.damaged-1").read_bytes() == CONTENT + tail


@pytest.mark.parametrize("tail", [b"9,1,AC", bytes(70), bytes(40) + b",key-9,2031-04-09T13:05:22.104511Z,00000000\n"])
def test_last_row_as_a_power_cut_leaves_it_is_a_torn_tail(path, tail):
    path.write_bytes(CONTENT + tail)
    assert content_after_opening(path, "refuse") == CONTENT
    assert (path.parent / "log.csv.torn-1").read_bytes() == tail


@settings(max_examples=300, deadline=None)
@given(place=st.integers(0, len(CONTENT) - 1), xor=st.integers(1, 255), keep=st.booleans())
def test_flipped_byte_never_goes_unnoticed(place, xor, keep):
    """It is damage, unless the last row lost its end or got a zero; what is opened is the rows before it."""
    broken = flipped(place, xor)
    good_length = max((end for end in ROW_ENDS if end <= place), default=0)
    last_row = broken[ROW_ENDS[7] :].partition(b"\n")
    is_damage = place < ROW_ENDS[7] or (last_row[1] == b"\n" and b"\0" not in last_row[0])
    with tempfile.TemporaryDirectory() as directory, capture_logs() as logs:
        path = Path(directory) / "log.csv"
        path.write_bytes(broken)
        if is_damage and not keep:
            with pytest.raises(DamagedLog) as caught:
                content_after_opening(path, "refuse", QuickFiles())
            assert path.read_bytes() == broken
            assert caught.value.number == (ROW_ENDS.index(good_length) + 1 if good_length else 0)
            return
        opened = content_after_opening(path, "keep_prefix" if keep else "refuse", QuickFiles())
        assert opened == CONTENT[: good_length or len(HEADER)]
        kept = path.with_name("log.csv.damaged-1" if is_damage else "log.csv.torn-1").read_bytes()
        assert kept == (broken if is_damage else broken[good_length:])
        assert [entry["log_level"] for entry in about(path, logs)] == ["error" if is_damage else "warning"]


@settings(max_examples=150, deadline=None)
@given(kept_rows=st.integers(0, 8), tail=st.binary(max_size=400))
def test_any_bytes_behind_the_rows_leave_a_prefix(kept_rows, tail):
    whole = CONTENT[: ROW_ENDS[kept_rows]]
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "log.csv"
        path.write_bytes(whole + tail)
        assert content_after_opening(path, files=QuickFiles()) == whole


@settings(max_examples=200, deadline=None)
@given(pieces=st.lists(st.sampled_from([HEADER, *ROWS]) | st.binary(max_size=50), max_size=6))
def test_any_file_at_all_opens_with_a_prefix(pieces):
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "log.csv"
        path.write_bytes(b"".join(pieces))
        opened = content_after_opening(path, files=QuickFiles())
        assert opened in [CONTENT[:end] for end in ROW_ENDS]


def test_damage_keeps_the_whole_file_aside_and_the_rows_before(path):
    broken = flipped(ROW_ENDS[3] + 10)
    path.write_bytes(broken)
    with capture_logs() as logs:
        assert content_after_opening(path) == CONTENT[: ROW_ENDS[3]]
    assert (path.parent / "log.csv.damaged-1").read_bytes() == broken
    assert [(entry["log_level"], entry["row"]) for entry in about(path, logs)] == [("error", 4)]

    path.write_bytes(broken)
    content_after_opening(path)
    assert names(path) == ["log.csv", "log.csv.damaged-1", "log.csv.damaged-2"]
    # The file aside must not be the same file as the log any more.
    log = Log.open(path, CLUSTER, damage="keep_prefix")
    log.append(ROWS[3])
    log.close()
    assert (path.parent / "log.csv.damaged-2").read_bytes() == broken


def test_damaged_file_is_copied_aside_where_there_are_no_links(path):
    broken = flipped(ROW_ENDS[3] + 10)
    path.write_bytes(broken)
    files = FaultyFiles()
    files.faults["link", "log.csv", "log.csv.damaged-1"] = errno.EPERM
    assert content_after_opening(path, files=files) == CONTENT[: ROW_ENDS[3]]
    assert (path.parent / "log.csv.damaged-1").read_bytes() == broken


def test_refused_damage_names_file_and_row_and_changes_nothing(path):
    broken = flipped(ROW_ENDS[3] + 10)
    path.write_bytes(broken)
    with pytest.raises(DamagedLog) as caught:
        content_after_opening(path, "refuse")
    assert (caught.value.path, caught.value.number) == (path, 4)
    assert str(caught.value).startswith(f"{path} is damaged: row 4 is not well formed: ")
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == broken
    assert names(path) == ["log.csv"]


def test_log_of_another_cluster_is_damage_from_its_first_row(path):
    write_log(path, make_rows(5, cluster_id="cluster-2"))
    with pytest.raises(DamagedLog) as caught:
        content_after_opening(path, "refuse")
    assert caught.value.number == 1
    assert content_after_opening(path) == HEADER


def test_broken_header_before_rows_is_damage_of_row_0(path):
    path.write_bytes(flipped(3))
    with pytest.raises(DamagedLog) as caught:
        content_after_opening(path, "refuse")
    assert caught.value.number == 0
    assert "header" in str(caught.value)


def test_marker_makes_the_start_write_the_log_anew(path):
    write_log(path, ROWS)
    marker_path(path).touch()
    inode = path.stat().st_ino
    files = RecordingFiles()
    assert content_after_opening(path, "refuse", files) == CONTENT
    assert path.stat().st_ino != inode
    assert names(path) == ["log.csv"]
    changes = files.changes()
    steps = [
        ("fsync", "log.csv.new"),
        ("rename", "log.csv.new", "log.csv"),
        ("sync_directory", "data"),
        *LAST_SYNCS,
        ("unlink", "log.csv.unsynced"),
        ("sync_directory", "data"),
    ]
    assert [call for call in changes if call in steps] == steps


def test_marker_stays_while_the_log_is_refused(path):
    path.write_bytes(flipped(ROW_ENDS[3] + 10))
    marker_path(path).touch()
    with pytest.raises(DamagedLog):
        content_after_opening(path, "refuse")
    assert names(path) == ["log.csv", "log.csv.unsynced"]
