"""Files that are there already are shut to others where that can be done, and nowhere does the attempt end a start."""

import errno
import stat
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from common.process.private import keep_private

CHANGED = "other users could open this; now they cannot"
LEFT = "other users can open this, and it is not ours to change"


@pytest.fixture
def loose(tmp_path: Path) -> Path:
    path = tmp_path / "accounts"
    path.touch()
    path.chmod(0o644)
    return path


def said_of(path: Path) -> list[tuple[str, str, str]]:
    with capture_logs() as lines:
        keep_private(path)
    return [(line["event"], line["path"], line["mode"]) for line in lines]


def test_others_are_shut_out_and_that_is_said_once(loose):
    assert said_of(loose) == [(CHANGED, str(loose), "0644")]
    assert stat.S_IMODE(loose.stat().st_mode) == 0o600
    assert said_of(loose) == []


@pytest.mark.parametrize("refusal", [errno.EROFS, errno.EPERM, errno.ENOTSUP])
def test_file_system_that_refuses_is_only_warned_about(loose, refusal, monkeypatch):
    def refuse(_path: Path, _mode: int) -> None:
        raise OSError(refusal, "refused")

    monkeypatch.setattr(Path, "chmod", refuse)
    assert said_of(loose) == [(LEFT, str(loose), "0644")]


def test_file_system_that_only_says_it_did_is_not_believed(loose, monkeypatch):
    monkeypatch.setattr(Path, "chmod", lambda _path, _mode: None)
    assert said_of(loose) == [(LEFT, str(loose), "0644")]
