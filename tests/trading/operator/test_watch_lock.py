import errno
import os
import socket
from datetime import UTC, datetime

import pytest

from common.process.config import ConfigError
from trading.operator.watch_lock import WatchRuns, watching

NOW = datetime(2031, 4, 9, 13, 5, 22, tzinfo=UTC)


def test_a_second_loop_is_told_who_runs_where_and_since_when(tmp_path):
    me = f"pid {os.getpid()} on {socket.gethostname()} since 2031-04-09 13:05:22Z"
    with watching(tmp_path / "health", NOW), pytest.raises(WatchRuns) as refused, watching(tmp_path / "health", NOW):
        pass
    assert str(refused.value) == f"a health loop runs already on {tmp_path / 'health'}: {me}"


def test_the_lock_is_free_again_afterwards(tmp_path):
    for _ in range(2):
        with watching(tmp_path, NOW):
            pass


def test_directories_of_two_systems_do_not_meet(tmp_path):
    with watching(tmp_path / "a", NOW), watching(tmp_path / "b", NOW):
        assert (tmp_path / "a" / "lock").read_text() == (tmp_path / "b" / "lock").read_text()


def test_a_directory_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    with (
        pytest.raises(ConfigError, match=r"file/health cannot be used: Not a directory"),
        watching(tmp_path / "file" / "health", NOW),
    ):
        pass


def test_a_full_disk_does_not_keep_the_loop_from_running(tmp_path, monkeypatch):
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "pwrite", full)
    with watching(tmp_path, NOW), pytest.raises(WatchRuns, match="another process"), watching(tmp_path, NOW):
        pass
