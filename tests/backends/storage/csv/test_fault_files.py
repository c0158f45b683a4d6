import errno
import os
import random
import threading
from pathlib import Path

import pytest

from backends.storage.csv.files import OS_FILES, DiskFull, Files, replace_file, write_all
from backends.storage.engines import files_from_environment
from common.process.config_error import ConfigError
from tests.chaos.disk import Disk


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    return Disk(tmp_path / "control")


@pytest.fixture
def files(disk: Disk) -> Files:
    return files_from_environment({"BOURSE_DISK_FAULTS": str(disk.control)})


def opened(files: Files, path: Path) -> int:
    return files.open(path, os.O_RDWR | os.O_CREAT)


def test_production_uses_the_plain_files():
    assert files_from_environment({}) is OS_FILES
    assert files_from_environment({"BOURSE_DISK_FAULTS": ""}) is OS_FILES


def test_a_control_file_in_no_folder_is_refused(tmp_path: Path):
    with pytest.raises(ConfigError, match="no such folder"):
        files_from_environment({"BOURSE_DISK_FAULTS": str(tmp_path / "none" / "control")})


def test_only_the_named_operation_and_file_fail(disk: Disk, files: Files, tmp_path: Path):
    log, other = opened(files, tmp_path / "log.csv"), opened(files, tmp_path / "other.csv")
    disk.fail("sync", "log*", "EIO")
    write_all(files, log, b"abc", 0)
    files.fsync(other)
    for sync in (files.fsync, files.fdatasync):
        with pytest.raises(OSError, match="Input/output error") as failed:
            sync(log)
        assert failed.value.errno == errno.EIO
    disk.clear()
    files.fdatasync(log)


def test_a_full_disk_takes_what_fits(disk: Disk, files: Files, tmp_path: Path):
    log = opened(files, tmp_path / "log.csv")
    write_all(files, log, b"abc", 0)
    disk.fail("write", "log.csv", "full:5")
    with pytest.raises(DiskFull):
        write_all(files, log, b"defgh", 3)
    assert (tmp_path / "log.csv").read_bytes() == b"abcde"
    disk.clear()
    write_all(files, log, b"defgh", 3)
    assert (tmp_path / "log.csv").read_bytes() == b"abcdefgh"


def test_a_sync_hangs_while_the_rule_stands(disk: Disk, files: Files, tmp_path: Path):
    log = opened(files, tmp_path / "log.csv")
    disk.fail("sync", "*", "hang")
    syncing = threading.Thread(target=files.fdatasync, args=(log,))
    syncing.start()
    syncing.join(0.1)
    assert syncing.is_alive()
    disk.clear()
    syncing.join(5)
    assert not syncing.is_alive()


def test_what_is_synced_is_on_record(disk: Disk, files: Files, tmp_path: Path):
    log = opened(files, tmp_path / "log.csv")
    write_all(files, log, b"abc", 0)
    assert disk.synced_lengths() == {}
    files.fdatasync(log)
    write_all(files, log, b"def", 3)
    replace_file(tmp_path / "small", b"1234", files)
    assert disk.synced_lengths()[tmp_path / "log.csv"] == 3
    assert disk.synced_lengths()[tmp_path / "small"] == 4


def test_power_is_cut_between_synced_and_written(disk: Disk, files: Files, tmp_path: Path):
    path = tmp_path / "log.csv"
    log = opened(files, path)
    write_all(files, log, b"abc", 0)
    files.fdatasync(log)
    kept, chance = set(), random.Random(1)
    for _ in range(50):
        write_all(files, log, b"defg", 3)
        lost = disk.cut_power(chance)
        kept.add(path.read_bytes())
        assert lost.get("log.csv", 0) == 7 - path.stat().st_size
        assert path.read_bytes() == b"abcdefg"[: path.stat().st_size]
        assert path.stat().st_size >= 3
    assert len(kept) == 5
