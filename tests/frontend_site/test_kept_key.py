"""A kept key's file: private, one for all who start at once, replaced when it holds none, read wherever it is."""

import fcntl
import os
import re
import threading

import pytest

from common.process.config import ConfigError
from frontend_site.kept_key import kept_key

OLDER = re.compile(rb"[a-z]{64}\n")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a_key"


def key_of(path):
    return kept_key(path, "the key", once_replaced="people ask for it again", older=OLDER)


def test_key_is_made_once_and_for_its_owner_alone(path):
    former = os.umask(0)
    try:
        key = key_of(path)
    finally:
        os.umask(former)
    assert len(key) >= 50
    assert path.stat().st_mode & 0o777 == 0o600
    assert key_of(path) == key
    assert os.listdir(path.parent) == ["a_key"]


@pytest.mark.parametrize("before", [None, b"", b"\0" * 52])
def test_threads_that_start_at_once_get_the_same_key(path, before):
    if before is not None:
        path.write_bytes(before)
    keys: set[str] = set()
    barrier = threading.Barrier(8)

    def make():
        barrier.wait(10)
        keys.add(key_of(path))

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(keys) == 1
    assert os.listdir(path.parent) == ["a_key"]


def damaged(whole: bytes) -> dict[str, bytes]:
    return {
        "empty": b"",
        "short": b"short\n",
        "NULs": b"\0" * len(whole),
        "empty lines": b"\n" * len(whole),
        "cut": whole[:20],
        "its end cut": whole[:-1],
        "a byte flipped": whole[:5] + bytes([whole[5] ^ 1]) + whole[6:],
        "a byte of the checksum flipped": whole[:-2] + bytes([whole[-2] ^ 1]) + whole[-1:],
        "not text": b"\xff" * len(whole),
        "another file's": b"0123456789abcdefghi\n",
        "an older key cut": b"k" * 64,
    }


@pytest.mark.parametrize("damage", damaged(b"0123456789"))
def test_file_that_holds_no_key_gets_a_new_one_and_a_warning(path, damage, capsys):
    former = key_of(path)
    path.write_bytes(damaged(path.read_bytes())[damage])
    path.chmod(0o644)
    key = key_of(path)
    assert key != former
    assert capsys.readouterr() == (
        "",
        f"warning: {path} held no key: a new one is made, and people ask for it again\n",
    )
    assert path.stat().st_mode & 0o777 == 0o600
    assert key_of(path) == key
    assert capsys.readouterr() == ("", "")


def test_key_from_before_there_were_checksums_still_counts(path):
    path.write_bytes(b"k" * 64 + b"\n")
    assert key_of(path) == "k" * 64


def test_key_that_is_there_is_neither_locked_nor_synced(path, monkeypatch):
    """Its disk may be read-only, or one that locks nothing (NFS, for what is open for reading)."""
    key = key_of(path)

    def refuse(*_arguments: object) -> None:
        raise OSError(9, "Bad file descriptor")

    monkeypatch.setattr(fcntl, "flock", refuse)
    monkeypatch.setattr(os, "fsync", refuse)
    monkeypatch.setattr(os, "open", refuse)
    assert key_of(path) == key


def test_what_is_locked_while_a_key_is_made_is_a_file_open_for_writing(path, monkeypatch):
    modes = []
    flock = fcntl.flock

    def note(descriptor: int, kind: int) -> None:
        modes.append(fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE)
        flock(descriptor, kind)

    monkeypatch.setattr(fcntl, "flock", note)
    key_of(path)
    assert modes == [os.O_RDWR]


def test_what_cannot_be_read_is_refused_with_its_repair(path):
    path.mkdir()
    with pytest.raises(ConfigError, match=r"^the key .*a_key cannot be used: Is a directory; remove it$"):
        key_of(path)
