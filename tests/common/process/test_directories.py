import os

import pytest

from common.process.directories import make_directory


def test_each_missing_folder_is_synced_in_its_parent(tmp_path, monkeypatch):
    synced = []
    fsync = os.fsync

    def note(descriptor):
        synced.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    make_directory(tmp_path / "var" / "run")
    assert (tmp_path / "var" / "run").is_dir()
    assert synced == [str(tmp_path), str(tmp_path / "var")]
    make_directory(tmp_path / "var" / "run")
    assert len(synced) == 2


def test_file_in_the_way_is_refused(tmp_path):
    (tmp_path / "var").touch()
    for path in (tmp_path / "var", tmp_path / "var" / "run"):
        with pytest.raises(NotADirectoryError):
            make_directory(path)
