"""The file of the operator key: private, shared by processes that start at once, and replaced when it holds none."""

import os
import threading

import pytest
from structlog.testing import capture_logs

from common.process.config import ConfigError
from frontend_site.operator_key import authentication_is_on, read_or_make_operator_key


def test_key_is_made_once_and_for_its_owner_alone(tmp_path):
    former = os.umask(0)
    try:
        key = read_or_make_operator_key(tmp_path)
    finally:
        os.umask(former)
    assert len(key) > 40
    assert (tmp_path / "operator_key").stat().st_mode & 0o777 == 0o600
    assert read_or_make_operator_key(tmp_path) == key
    assert os.listdir(tmp_path) == ["operator_key"]


@pytest.mark.parametrize("before", [None, b"\0" * 52])
def test_threads_that_start_at_once_get_the_same_key(tmp_path, before):
    if before is not None:
        (tmp_path / "operator_key").write_bytes(before)
    keys: set[str] = set()
    barrier = threading.Barrier(8)

    def make():
        barrier.wait(10)
        keys.add(read_or_make_operator_key(tmp_path))

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(keys) == 1
    assert os.listdir(tmp_path) == ["operator_key"]


def damaged(whole: bytes) -> dict[str, bytes]:
    flipped = bytes([whole[5] ^ 1])
    return {
        "empty": b"",
        "NULs": b"\0" * len(whole),
        "cut": whole[:20],
        "its end cut": whole[:-1],
        "a byte flipped": whole[:5] + flipped + whole[6:],
        "not text": b"\xff" * len(whole),
        "another file's": b"operator\n",
    }


@pytest.mark.parametrize("damage", damaged(b"0123456789"))
def test_file_that_holds_no_key_gets_a_new_one_and_a_warning(tmp_path, damage):
    former = read_or_make_operator_key(tmp_path)
    path = tmp_path / "operator_key"
    path.write_bytes(damaged(path.read_bytes())[damage])
    with capture_logs() as lines:
        key = read_or_make_operator_key(tmp_path)
    assert key != former
    assert [(line["log_level"], line["path"]) for line in lines] == [("warning", str(path))]
    assert path.stat().st_mode & 0o777 == 0o600
    with capture_logs() as lines:
        assert read_or_make_operator_key(tmp_path) == key
    assert lines == []


def test_what_cannot_be_read_is_refused_with_its_repair(tmp_path):
    (tmp_path / "operator_key").mkdir()
    with pytest.raises(ConfigError, match=r"operator_key cannot be used: Is a directory; remove it"):
        read_or_make_operator_key(tmp_path)


@pytest.mark.parametrize(
    ("environment", "is_on"),
    [
        ({}, False),
        ({"BOURSE_AUTH": " "}, False),
        ({"BOURSE_AUTH": "on"}, True),
        ({"BOURSE_PRODUCTION": "on"}, True),
        ({"BOURSE_PRODUCTION": "off", "BOURSE_AUTH": "off"}, False),
    ],
)
def test_accounts_take_the_place_of_the_key(environment, is_on):
    assert authentication_is_on(environment) is is_on
