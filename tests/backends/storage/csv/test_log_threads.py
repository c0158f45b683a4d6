import sys
import threading

import pytest

from common.rows import parse_row
from tests.backends.storage.csv.log_files import QuickFiles, make_rows


class BlockingFiles(QuickFiles):
    """Syncs hang while `gate` is closed."""

    def __init__(self):
        self.entered, self.gate = threading.Event(), threading.Event()
        self.gate.set()

    def fdatasync(self, descriptor):
        self.entered.set()
        assert self.gate.wait(10)


def test_hanging_sync_is_told_and_stops_no_reader(open_log):
    rows = make_rows(4)
    now = [50.0]
    files = BlockingFiles()
    log = open_log(rows[:2], files=files, monotonic=lambda: now[0])
    assert log.stalled_s() == 0.0
    files.entered.clear()
    files.gate.clear()
    writer = threading.Thread(target=log.append, args=(rows[2],))
    writer.start()
    try:
        assert files.entered.wait(10)
        now[0] = 52.5
        assert log.stalled_s() == 2.5
        # Written, but not synced: nobody may see it.
        assert log.path.read_bytes().endswith(rows[2])
        assert log.position == (2, parse_row(rows[1]).chain)
        assert log.read_after(0, 10**6) == b"".join(rows[:2])
        assert log.row(2) == parse_row(rows[1])
        with pytest.raises(RuntimeError, match="two appends"):
            log.append(rows[2])
    finally:
        files.gate.set()
        writer.join(10)
    assert log.stalled_s() == 0.0
    assert log.row(3) == parse_row(rows[2])
    log.append(rows[3])


def test_readers_see_whole_appends_while_one_thread_appends(open_log):
    rows = make_rows(3000)
    log = open_log(files=QuickFiles())
    done = threading.Event()
    seen: list[int] = []
    problems: list[Exception] = []

    def read_all_the_time():
        last_seen = 0
        try:
            while not done.is_set() or last_seen < log.last_number:
                number, chain = log.position
                assert number % 3 == 0, "half of an append was seen"
                assert number >= last_seen
                assert log.chain_at(number) == chain
                if number:
                    assert log.read(max(1, number - 50), number) == b"".join(rows[max(1, number - 50) - 1 : number])
                    assert log.read_after(number // 2, 500).startswith(rows[number // 2])
                last_seen = number
            seen.append(last_seen)
        except Exception as problem:  # noqa: BLE001 - shown by the test's own thread
            problems.append(problem)

    readers = [threading.Thread(target=read_all_the_time) for _ in range(4)]
    switch_interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for reader in readers:
            reader.start()
        for start in range(0, len(rows), 3):
            log.append(b"".join(rows[start : start + 3]))
        done.set()
        for reader in readers:
            reader.join(30)
    finally:
        done.set()
        sys.setswitchinterval(switch_interval)
    assert problems == []
    assert seen == [3000] * 4
