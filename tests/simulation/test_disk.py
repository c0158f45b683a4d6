"""The simulated disk: what it keeps and, above all, what it loses. One that loses nothing would prove nothing."""

import errno
import os
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest

from backends.storage.csv.files import replace_file
from backends.storage.csv.log import Log
from tests.backends.storage.csv.log_files import CLUSTER, die, make_rows
from tests.simulation.disk import Disk, Survival
from tests.simulation.files import DiskFaults, PowerCut, SimulatedFiles
from tests.simulation.process import Killed

FOLDER = Path("/data")
FILE = FOLDER / "file"
CREATE = os.O_RDWR | os.O_CREAT
SURVIVALS: tuple[Survival, ...] = ("nothing", "all", "first", "any")
TRIES = 60


class Machine:
    """A disk with one directory, and one process after the other that uses it."""

    def __init__(self, seed: int = 0) -> None:
        self.random = Random(seed)
        self.disk = Disk()
        self.disk.make_folder(FOLDER)
        self.faults = DiskFaults()
        self.slow: list[float] = []
        self.files = self.start()

    def start(self) -> SimulatedFiles:
        self.files = SimulatedFiles(self.disk, self.faults, self.random, self.slow.append)
        return self.files

    def cut_power(self, survival: Survival) -> SimulatedFiles:
        self.files.end()
        self.disk.cut_power(FOLDER, survival, self.random)
        return self.start()

    def write_synced(self, content: bytes) -> int:
        descriptor = self.files.open(FILE, CREATE)
        self.files.pwrite(descriptor, content, 0)
        self.files.fsync(descriptor)
        self.files.sync_directory(FOLDER)
        return descriptor


def contents_after_power_cut(survival, change):
    """Return what a synced file `12345` is found to hold after a change that nobody synced, in many tries."""
    found = set()
    for seed in range(TRIES):
        machine = Machine(seed)
        change(machine, machine.write_synced(b"12345"))
        machine.cut_power(survival)
        found.add(machine.disk.seen(FILE))
    return found


@pytest.mark.parametrize("survival", SURVIVALS)
def test_what_was_synced_survives(survival):
    machine = Machine()
    machine.write_synced(b"12345")
    machine.cut_power(survival)
    assert machine.disk.seen(FILE) == b"12345"
    assert machine.disk.is_stable(FILE, 5)


def append(machine, descriptor):
    machine.files.pwrite(descriptor, b"678", 5)
    machine.files.pwrite(descriptor, b"9", 8)


@pytest.mark.parametrize(
    ("survival", "expected"),
    [
        ("nothing", {b"12345"}),
        ("all", {b"123456789"}),
        ("first", {b"12345", b"123456", b"1234567", b"12345678", b"123456789"}),
        ("any", {b"12345", b"12345678", b"12345\0\0\x009", b"123456789"}),
    ],
)
def test_unsynced_writes_are_lost_torn_or_kept(survival, expected):
    assert contents_after_power_cut(survival, append) == expected


def test_unsynced_writes_survive_a_kill():
    machine = Machine()
    append(machine, machine.write_synced(b"12345"))
    machine.files.end()
    machine.start()
    assert machine.disk.seen(FILE) == b"123456789"
    assert machine.disk.is_stable(FILE, 5)
    assert not machine.disk.is_stable(FILE, 9)


def test_a_flipped_byte_is_read_and_survives_a_power_cut():
    machine = Machine()
    machine.write_synced(b"12345")
    at = machine.disk.flip_byte(FILE, machine.random)
    machine.cut_power("nothing")
    changed = [place for place, byte in enumerate(machine.disk.seen(FILE)) if byte != b"12345"[place]]
    assert changed == [at]
    assert machine.disk.is_stable(FILE, 5)


def test_what_is_not_on_stable_storage_has_no_byte_to_flip():
    machine = Machine()
    machine.files.pwrite(machine.files.open(FILE, CREATE), b"12345", 0)
    assert machine.disk.flip_byte(FILE, machine.random) is None
    assert machine.disk.seen(FILE) == b"12345"


def test_fdatasync_keeps_a_write_but_not_a_cut():
    def cut(machine, descriptor):
        machine.files.ftruncate(descriptor, 2)
        machine.files.fdatasync(descriptor)

    def cut_and_write(machine, descriptor):
        machine.files.ftruncate(descriptor, 2)
        machine.files.pwrite(descriptor, b"x", 2)
        machine.files.fdatasync(descriptor)

    def cut_and_sync(machine, descriptor):
        machine.files.ftruncate(descriptor, 2)
        machine.files.fsync(descriptor)

    assert contents_after_power_cut("nothing", cut) == {b"12345"}
    assert contents_after_power_cut("nothing", cut_and_write) == {b"12x"}
    assert contents_after_power_cut("nothing", cut_and_sync) == {b"12"}


def test_a_synced_file_has_no_name_until_its_directory_is_synced():
    machine = Machine()
    machine.files.fsync(machine.files.open(FILE, CREATE))
    machine.cut_power("nothing")
    assert not machine.files.exists(FILE)


def test_a_synced_name_says_nothing_of_the_content():
    machine = Machine()
    machine.files.pwrite(machine.files.open(FILE, CREATE), b"12345", 0)
    machine.files.sync_directory(FOLDER)
    machine.cut_power("nothing")
    assert machine.files.exists(FILE)
    assert machine.disk.seen(FILE) == b""


def test_an_unsynced_rename_is_kept_or_lost_as_a_whole():
    def replace(machine, _descriptor):
        aside = machine.files.open(FOLDER / "aside", CREATE)
        machine.files.pwrite(aside, b"new", 0)
        machine.files.fsync(aside)
        machine.files.rename(FOLDER / "aside", FILE)

    for survival in ("first", "any"):
        assert contents_after_power_cut(survival, replace) == {b"12345", b"new"}
    assert contents_after_power_cut("nothing", replace) == {b"12345"}


def test_a_replacement_that_syncs_too_little_is_found_torn():
    def without_sync(machine, _descriptor):
        machine.files.fsync = lambda _descriptor: None
        replace_file(FILE, b"new!", machine.files)

    assert contents_after_power_cut("first", without_sync) > {b"new!", b"new", b""}
    assert contents_after_power_cut("first", lambda machine, _: replace_file(FILE, b"new!", machine.files)) == {b"new!"}


def test_after_a_failed_sync_the_page_cache_looks_better_than_the_disk():
    lost = 0
    for seed in range(TRIES):
        machine = Machine(seed)
        descriptor = machine.write_synced(b"12345")
        machine.files.pwrite(descriptor, b"678", 5)
        machine.faults.failure_in = 0
        with pytest.raises(OSError, match="Input/output") as caught:
            machine.files.fdatasync(descriptor)
        assert caught.value.errno == errno.EIO
        assert machine.faults.has_failed
        machine.files.fdatasync(descriptor)  # "succeeds"
        assert machine.files.pread(descriptor, 100, 0) == b"12345678"
        machine.cut_power("all")
        lost += machine.disk.seen(FILE) == b"12345"
    assert 0 < lost < TRIES


def test_a_full_disk_takes_a_part_and_then_nothing():
    machine = Machine()
    descriptor = machine.write_synced(b"12345")
    machine.faults.room = 3
    assert machine.files.pwrite(descriptor, b"abcde", 5) == 3
    with pytest.raises(OSError, match="No space") as caught:
        machine.files.pwrite(descriptor, b"de", 8)
    assert caught.value.errno == errno.ENOSPC
    assert machine.files.pwrite(descriptor, b"ABC", 0) == 3  # in place
    machine.files.ftruncate(descriptor, 7)
    assert machine.faults.room == 1
    machine.faults.heal()
    assert machine.files.pwrite(descriptor, b"x" * 99, 7) == 99


@pytest.mark.parametrize("crash", [Killed, PowerCut])
def test_a_crash_within_a_write_leaves_any_part_of_it(crash):
    found = set()
    for seed in range(TRIES):
        machine = Machine(seed)
        descriptor = machine.write_synced(b"12345")
        machine.faults.crash_in, machine.faults.crash = 1, crash
        machine.files.pwrite(descriptor, b"6", 5)
        with pytest.raises(crash):
            machine.files.pwrite(descriptor, b"78", 6)
        with pytest.raises(Killed):  # what is left of the code of that process
            machine.files.pwrite(descriptor, b"late", 0)
        machine.files.end()
        found.add(machine.disk.seen(FILE))
    assert found == {b"123456", b"1234567", b"12345678"}


def test_a_crash_within_a_sync_comes_before_or_behind_it():
    found = set()
    for seed in range(TRIES):
        machine = Machine(seed)
        descriptor = machine.write_synced(b"12345")
        machine.files.pwrite(descriptor, b"6", 5)
        machine.faults.crash_in, machine.faults.crash = 0, PowerCut
        with pytest.raises(PowerCut):
            machine.files.fdatasync(descriptor)
        machine.cut_power("nothing")
        found.add(machine.disk.seen(FILE))
    assert found == {b"12345", b"123456"}


def test_a_lock_is_held_until_its_process_ends():
    machine = Machine()
    first = machine.files
    first.lock(first.open(FILE, CREATE))
    second = machine.start()
    descriptor = second.open(FILE, CREATE)
    with pytest.raises(BlockingIOError):
        second.lock(descriptor)
    first.end()
    second.lock(descriptor)


def test_slow_syncs_are_told():
    machine = Machine()
    machine.faults.sync_s = 1.5
    machine.write_synced(b"")
    assert machine.slow == [1.5, 1.5]


def test_a_wiped_directory_is_gone_and_a_copy_of_it_comes_back():
    machine = Machine()
    descriptor = machine.write_synced(b"12345")
    saved = machine.disk.save(FOLDER)
    machine.files.pwrite(descriptor, b"678", 5)
    machine.files.end()
    machine.disk.wipe(FOLDER)
    assert machine.disk.seen(FILE) == b""
    machine.disk.restore(FOLDER, saved)
    assert machine.disk.seen(FILE) == b"12345"


@pytest.mark.parametrize("survival", SURVIVALS)
def test_the_log_keeps_every_batch_that_it_has_shown(survival):
    """Crashes in any call to the disk, then a power cut."""
    rows = make_rows(TRIES)
    machine = Machine()
    shown = 0
    for step in range(TRIES):
        machine.faults.crash_in, machine.faults.crash = machine.random.randint(3, 12), PowerCut
        with suppress(PowerCut):
            log = Log.open(FILE, CLUSTER, damage="keep_prefix", files=machine.files, die=die)
            assert shown <= log.last_number <= shown + 1
            shown = log.last_number
            for row in rows[shown : shown + step % 4]:
                log.append(row)
                shown = log.last_number
        machine.faults.heal()
        machine.cut_power(survival)
    assert shown > 10


def test_a_log_that_does_not_sync_loses_batches(monkeypatch):
    machine = Machine()
    monkeypatch.setattr(SimulatedFiles, "fdatasync", lambda _files, _descriptor: None)
    log = Log.open(FILE, CLUSTER, damage="keep_prefix", files=machine.files, die=die)
    log.append(make_rows(1)[0])
    machine.cut_power("nothing")
    assert Log.open(FILE, CLUSTER, damage="keep_prefix", files=machine.files, die=die).last_number == 0


@pytest.mark.parametrize("survival", SURVIVALS)
def test_a_log_does_not_believe_what_a_failed_sync_left_although_nobody_could_leave_a_marker(survival):
    """The process is killed behind the sync that failed; the next one's sync succeeds, and then the power is cut."""
    rows = make_rows(TRIES)
    machine = Machine()
    shown = 0
    for _try in range(TRIES):
        with suppress(Killed):
            log = Log.open(FILE, CLUSTER, damage="keep_prefix", files=machine.files, die=die)
            shown = log.last_number
            machine.faults.failure_in, machine.faults.crash_in, machine.faults.crash = 1, 2, Killed
            log.append(rows[shown])
        machine.faults.heal()
        machine.files.end()
        shown = Log.open(FILE, CLUSTER, damage="keep_prefix", files=machine.start(), die=die).last_number
        machine.cut_power(survival)
        assert machine.disk.seen(FILE).count(b"\n") - 1 >= shown
    assert shown > 10
