import errno
import itertools
import sys
import time
import tracemalloc
from itertools import pairwise

import pytest
from structlog.testing import capture_logs

from backends.storage.csv.log import Log
from backends.storage.ports import StartRefused
from common.calls.failures import RpcFailure
from common.calls.reasons import Reason
from common.row_checks import BadRow
from common.rows import HEADER, chain_seed, encode_row, parse_row
from tests.backends.storage.csv.log_files import (
    CLUSTER,
    ROWS,
    FaultyFiles,
    QuickFiles,
    RecordingFiles,
    die,
    make_rows,
    write_log,
)


def test_new_log_is_a_header(open_log):
    log = open_log()
    assert log.path.read_bytes() == HEADER
    assert log.position == (0, chain_seed(CLUSTER))
    assert log.chain_at(0) == chain_seed(CLUSTER)
    assert log.read_after(0, 1000) == b""


def test_appended_rows_are_there_and_after_a_reopening_too(open_log):
    rows = make_rows(5)
    log = open_log()
    log.append(b"".join(rows[:2]))
    log.append(b"")
    log.append(b"".join(rows[2:]))
    again = Log.open(log.path, CLUSTER, damage="refuse")
    for each in (log, again):
        assert (each.last_number, each.last_chain) == each.position == (5, parse_row(rows[4]).chain)
        assert each.read(1, 5) == b"".join(rows)
    assert log.path.read_bytes() == HEADER + b"".join(rows)
    again.append(make_rows(1, first=6, prev_chain=again.last_chain)[0])
    assert again.row(6).transaction_number == 6
    again.close()


def test_range_is_read_with_both_ends(open_log):
    rows = make_rows(6)
    log = open_log(rows)
    for first in range(1, 7):
        for last in range(first, 7):
            assert log.read(first, last) == b"".join(rows[first - 1 : last])


def test_row_and_chain_are_found_by_number(open_log):
    rows = make_rows(6)
    log = open_log(rows)
    for number, row in enumerate(rows, 1):
        assert log.row(number) == parse_row(row)
        assert log.chain_at(number) == parse_row(row).chain


@pytest.mark.parametrize(("first", "last"), [(0, 1), (-1, 2), (3, 2), (1, 4), (4, 4), (2**63, 2**64)])
def test_range_that_is_not_there_is_refused(open_log, first, last):
    with pytest.raises(ValueError, match=r"not within 1\.\.3"):
        open_log(make_rows(3)).read(first, last)


@pytest.mark.parametrize("number", [-1, 4])
def test_number_that_is_not_there_is_refused(open_log, number):
    log = open_log(make_rows(3))
    for read in (log.row, log.chain_at, lambda number: log.read_after(number, 100)):
        with pytest.raises(ValueError, match="not within"):
            read(number)


def test_rows_after_a_number_fit_into_the_bytes_but_are_one_at_least(open_log):
    rows = make_rows(10)
    log = open_log(rows)
    three = len(b"".join(rows[4:7]))
    assert log.read_after(4, three) == b"".join(rows[4:7])
    assert log.read_after(4, three - 1) == b"".join(rows[4:6])
    assert log.read_after(4, 1) == rows[4]
    assert log.read_after(4, 10**9) == b"".join(rows[4:])
    assert log.read_after(4, 10**9, max_rows=2) == b"".join(rows[4:6])
    assert log.read_after(4, three, max_rows=100) == b"".join(rows[4:7])
    assert log.read_after(10, 10**9) == b""


@pytest.mark.parametrize(
    "bad",
    [
        lambda rows: rows[4],  # a gap
        lambda rows: rows[2],  # held already
        lambda rows: rows[3] + rows[4][:-1],  # torn
        lambda rows: rows[3].replace(b"GOOGL", b"GOOGX"),
        lambda rows: b"hello\n",
        lambda rows: b"\x00",
    ],
)
def test_rows_that_do_not_continue_the_log_are_refused_and_nothing_is_written(open_log, bad):
    rows = make_rows(5)
    log = open_log(rows[:3])
    content = log.path.read_bytes()
    with pytest.raises(BadRow):
        log.append(bad([*rows[:3], rows[3].replace(b",T,", b",GOOGL,"), rows[4]]))
    assert log.path.read_bytes() == content
    assert log.last_number == 3
    log.append(b"".join(rows[3:]))
    assert log.last_number == 5


def test_byte_that_changes_after_the_opening_is_not_served(open_log):
    rows = make_rows(4)
    log = open_log(rows)
    content = bytearray(log.path.read_bytes())
    content[len(HEADER) + len(rows[0]) + 10] ^= 1
    log.path.write_bytes(content)
    assert log.row(1) == parse_row(rows[0])
    assert log.row(4) == parse_row(rows[3])
    for read in (lambda: log.row(2), lambda: log.read(1, 4), lambda: log.chain_at(2), lambda: log.read_after(1, 500)):
        with pytest.raises(RpcFailure, match=r"HALTED.*row 2"):
            read()


def test_file_that_was_cut_by_another_program_is_not_served(open_log):
    log = open_log(make_rows(4))
    log.path.write_bytes(log.path.read_bytes()[:-1])
    with pytest.raises(RpcFailure, match=r"HALTED.*is not in the file"):
        log.row(4)


def test_rows_that_moved_in_the_file_are_not_served_as_others(open_log):
    fields = parse_row(make_rows(1)[0])._asdict()
    chain, rows = chain_seed(CLUSTER), []
    del fields["chain"]
    for number in range(1, 9):  # all of one length
        row, chain = encode_row(**fields | {"transaction_number": number}, prev_chain=chain)
        rows.append(row)
    log = open_log(rows)
    log.path.write_bytes(HEADER + b"".join(rows[:2] + rows[3:]))
    assert log.row(2) == parse_row(rows[1])
    for read in (lambda: log.row(5), lambda: log.read(5, 6), lambda: log.chain_at(5), lambda: log.read_after(4, 150)):
        with pytest.raises(RpcFailure, match=r"HALTED.*row 5 has the number 6"):
            read()


def test_rows_are_visited_in_order_while_they_are_checked(tmp_path):
    rows = make_rows(25_000)  # more than one chunk of the file
    path = tmp_path / "log.csv"
    write_log(path, rows)
    visited = []
    Log.open(
        path, CLUSTER, damage="refuse", visit=lambda data, first_number: visited.append((first_number, data))
    ).close()
    assert b"".join(data for _, data in visited) == b"".join(rows)
    assert len(visited) > 1
    assert [first for first, _ in visited] == [
        parse_row(data.split(b"\n")[0]).transaction_number for _, data in visited
    ]
    assert max(len(data) for _, data in visited) <= 2 << 20


@pytest.mark.parametrize("name", ["missing/log.csv", "file/log.csv", "directory"])
def test_path_that_cannot_be_a_log_is_refused_in_one_line(tmp_path, name):
    (tmp_path / "file").touch()
    (tmp_path / "directory").mkdir()
    with pytest.raises(StartRefused, match=name) as caught:
        Log.open(tmp_path / name, CLUSTER, damage="refuse", die=die)
    assert "\n" not in str(caught.value)


@pytest.fixture(scope="module")
def many_rows():
    return make_rows(100_003)


def test_append_and_reads_make_the_same_calls_with_few_rows_and_with_many(open_log, many_rows):
    calls = []
    for count in (10, 100_000):
        files = RecordingFiles()
        log = open_log(many_rows[:count], files=files)
        files.calls.clear()
        log.append(many_rows[count])
        log.append(b"".join(many_rows[count + 1 : count + 3]))
        for number in (1, count // 2, count):
            log.row(number)
            log.chain_at(number)
            log.read(number, number + 3)
            log.read_after(number, 1000)
        calls.append([call[0] for call in files.calls])
    assert calls[0] == calls[1] == ["pwrite", "fdatasync"] * 2 + ["pread"] * 12


def test_opening_takes_eight_bytes_a_row_and_bounded_memory_besides(tmp_path, many_rows):
    path = tmp_path / "log.csv"
    kept, besides = [], []
    for count in (30_000, 100_000):
        write_log(path, many_rows[:count])
        tracemalloc.start()
        try:
            log = Log.open(path, CLUSTER, damage="refuse")
            now, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        log.close()
        kept.append(now)
        besides.append(peak - now)
    assert (kept[1] - kept[0]) / 70_000 < 9  # 8, and what an array grows ahead
    assert besides[1] < 1.2 * besides[0] < 4_000_000


def test_hundred_thousand_rows_are_opened_in_a_part_of_a_second(tmp_path, many_rows):
    path = tmp_path / "log.csv"
    write_log(path, many_rows)
    times = []
    for _ in range(3):
        start = time.process_time()
        Log.open(path, CLUSTER, damage="refuse").close()
        times.append(time.process_time() - start)
    assert min(times) < 0.5  # processor time, whatever else the machine does; it takes about 0.15 s


def test_growth_never_moves_many_rows_at_a_time(open_log):
    """The array of offsets grows ahead in steps, so the cost of an append does not depend on the rows before it."""
    log = open_log(files=QuickFiles())
    sizes = [sys.getsizeof(log._ends)]
    for row in make_rows(2000):
        log.append(row)
        sizes.append(sys.getsizeof(log._ends))
    assert sum(before != after for before, after in pairwise(sizes)) < 200


@pytest.mark.parametrize(("seconds", "lines"), [(0.4, 0), (3.0, 1)])
def test_slow_write_is_logged(open_log, seconds, lines):
    ticks = itertools.count(step=seconds)  # each look at the clock is so much later
    log = open_log(monotonic=lambda: next(ticks))
    with capture_logs() as logs:
        log.append(ROWS[0])
    assert [(line["event"], line["seconds"]) for line in logs] == [("a write was slow", seconds)] * lines


@pytest.mark.parametrize(("damage", "reason"), [("keep_prefix", Reason.DAMAGED), ("refuse", Reason.HALTED)])
def test_bytes_that_the_disk_does_not_give_any_more_are_damage(tmp_path, damage, reason):
    write_log(tmp_path / "log.csv", make_rows(4))
    files = FaultyFiles()
    found: list[str] = []
    damages: list[str] = []
    log = Log.open(tmp_path / "log.csv", CLUSTER, damage=damage, files=files, found=found.append)
    log.on_damage = damages.append
    files.faults["pread", "log.csv"] = errno.EIO
    with pytest.raises(RpcFailure, match="Input/output error") as caught:
        log.row(2)
    assert caught.value.reason is reason
    assert len(damages) == 1
    assert found == damages
    files.faults.clear()
    with pytest.raises(RpcFailure, match="Input/output error"):
        log.append(make_rows(5)[4])
    log.close()
