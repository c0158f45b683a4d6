import errno
import threading
import time

import pytest

from backends.storage.csv.data_directory import FindingsIn
from backends.storage.csv.files import OS_FILES
from common.process.findings import MOST_FINDINGS, Findings
from tests.backends.storage.csv.log_files import FaultyFiles


def test_what_was_found_is_told_by_later_runs_until_the_file_is_removed(tmp_path):
    findings = Findings(tmp_path, FindingsIn(OS_FILES))
    assert findings.all() == ()
    findings.note("row 8 was damaged")
    findings.note("row 9 was damaged")
    findings.note("row 8 was damaged")
    again = Findings(tmp_path, FindingsIn(OS_FILES))
    assert findings.all() == again.all() == ("row 8 was damaged", "row 9 was damaged")
    (tmp_path / "findings.txt").unlink()
    findings.look()
    again.look()
    assert findings.all() == again.all() == Findings(tmp_path, FindingsIn(OS_FILES)).all() == ()
    again.note("row 3 was damaged")
    assert (tmp_path / "findings.txt").read_text() == "row 3 was damaged\n"


@pytest.mark.parametrize("fault", [errno.ENOSPC, errno.EIO])
def test_what_cannot_be_written_is_told_by_this_run(tmp_path, fault):
    files = FaultyFiles()
    files.faults["pwrite", "findings.txt.new"] = fault
    findings = Findings(tmp_path, FindingsIn(files))
    findings.note("row 8 was damaged")
    assert findings.all() == ("row 8 was damaged",)
    assert Findings(tmp_path, FindingsIn(files)).all() == ()


def test_the_newest_are_kept_each_in_one_short_line(tmp_path):
    findings = Findings(tmp_path, FindingsIn(OS_FILES))
    for number in range(MOST_FINDINGS + 5):
        findings.note(f"row {number}\n\0 " + "x" * 1000)
    assert len(findings.all()) == MOST_FINDINGS
    assert findings.all()[0].startswith("row 5\\n\\x00 xxx")
    assert Findings(tmp_path, FindingsIn(OS_FILES)).all() == findings.all()
    assert max(map(len, findings.all())) <= 500


def test_threads_that_find_something_at_once_lose_nothing(tmp_path):
    findings = Findings(tmp_path, FindingsIn(OS_FILES))
    threads = [threading.Thread(target=findings.note, args=(f"row {number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert sorted(Findings(tmp_path, FindingsIn(OS_FILES)).all()) == [f"row {number}" for number in range(8)]


def test_directory_in_its_place_is_told_and_holds_nobody_up(tmp_path):
    (tmp_path / "findings.txt").mkdir()
    findings = Findings(tmp_path, FindingsIn(OS_FILES))
    assert findings.all() == ("findings.txt cannot be read: Is a directory",)
    findings.note("row 8 was damaged")
    assert findings.all()[-1] == "row 8 was damaged"


class HungFiles(FindingsIn):
    """Once the disk hangs, nobody learns whether a file is there."""

    def __init__(self):
        super().__init__(OS_FILES)
        self.works = threading.Event()
        self.works.set()
        self.exists = self.look_up

    def look_up(self, path):
        assert self.works.wait(10)
        return OS_FILES.exists(path)


def test_findings_are_told_while_the_disk_hangs(tmp_path):
    files = HungFiles()
    findings = Findings(tmp_path, files)
    findings.note("row 8 was damaged")
    files.works.clear()
    looking = threading.Thread(target=findings.look)
    looking.start()
    began = time.monotonic()
    assert findings.all() == ("row 8 was damaged",)
    assert time.monotonic() - began < 1
    files.works.set()
    looking.join(10)
    assert not looking.is_alive()


def test_removal_of_the_file_is_noticed_until_it_is_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr("common.process.findings.LOOK_INTERVAL_S", 0.01)
    findings = Findings(tmp_path, FindingsIn(OS_FILES))
    findings.note("row 8 was damaged")
    findings.follow()
    (tmp_path / "findings.txt").unlink()
    deadline = time.monotonic() + 10
    while findings.all() and time.monotonic() < deadline:
        threading.Event().wait(0.01)
    assert findings.all() == ()
    findings.stop()
    for thread in [one for one in threading.enumerate() if one.name == "findings"]:
        thread.join(10)
        assert not thread.is_alive()


def test_what_is_found_while_another_thread_looks_is_not_lost(tmp_path):
    findings = Findings(tmp_path, FindingsIn(OS_FILES))
    for number in range(100):
        findings.note("first")
        (tmp_path / "findings.txt").unlink()
        threads = [threading.Thread(target=findings.look), threading.Thread(target=findings.note, args=(f"{number}",))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        assert findings.all()[-1] == f"{number}"
        (tmp_path / "findings.txt").unlink()
        findings.look()
