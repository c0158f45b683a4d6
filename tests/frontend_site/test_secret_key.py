import os
import threading

import pytest

from common.process.config import ConfigError
from frontend_site.secret_key import read_or_make_secret_key


def test_threads_that_start_at_once_get_the_same_key(tmp_path):
    keys: set[str] = set()
    barrier = threading.Barrier(8)

    def make():
        barrier.wait(10)
        keys.add(read_or_make_secret_key(tmp_path))

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(keys) == 1
    assert os.listdir(tmp_path) == ["secret_key"]


@pytest.mark.parametrize("content", [b"", b"short\n", b"\xff" * 60, bytes(65), b"\n" * 65, b"0123456789\x00abcdefghi"])
def test_file_that_holds_no_key_is_made_anew_and_that_is_said(tmp_path, content, capsys):
    (tmp_path / "secret_key").write_bytes(content)
    key = read_or_make_secret_key(tmp_path)
    assert len(key) >= 16
    assert capsys.readouterr().err == (
        f"warning: {tmp_path / 'secret_key'} held no key: a new one is made, and who has logged in must do so again\n"
    )
    assert read_or_make_secret_key(tmp_path) == key
    assert capsys.readouterr().err == ""
    assert (tmp_path / "secret_key").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", [b"", bytes(65)])
def test_threads_that_find_no_key_at_once_get_the_same_one(tmp_path, content):
    (tmp_path / "secret_key").write_bytes(content)
    test_threads_that_start_at_once_get_the_same_key(tmp_path)


def test_file_that_cannot_be_read_is_refused_by_its_path(tmp_path):
    (tmp_path / "secret_key").mkdir()
    with pytest.raises(ConfigError, match="Is a directory"):
        read_or_make_secret_key(tmp_path)
