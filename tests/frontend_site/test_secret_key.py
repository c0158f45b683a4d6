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


@pytest.mark.parametrize("content", [b"", b"short\n", b"\xff" * 60])
def test_file_that_holds_no_key_is_refused_by_its_path(tmp_path, content):
    (tmp_path / "secret_key").write_bytes(content)
    with pytest.raises(ConfigError, match=r"secret_key"):
        read_or_make_secret_key(tmp_path)


def test_file_that_cannot_be_read_is_refused_by_its_path(tmp_path):
    (tmp_path / "secret_key").mkdir()
    with pytest.raises(ConfigError, match="Is a directory"):
        read_or_make_secret_key(tmp_path)
