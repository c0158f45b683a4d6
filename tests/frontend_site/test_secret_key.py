import pytest

from common.process.config import ConfigError
from frontend_site.secret_key import read_or_make_secret_key


def test_key_is_kept_and_one_flipped_byte_makes_another_and_is_said(tmp_path, capsys):
    key = read_or_make_secret_key(tmp_path)
    assert read_or_make_secret_key(tmp_path) == key
    path = tmp_path / "secret_key"
    content = path.read_bytes()
    path.write_bytes(content[:9] + bytes([content[9] ^ 1]) + content[10:])
    assert read_or_make_secret_key(tmp_path) != key
    assert capsys.readouterr().err == (
        f"warning: {path} held no key: a new one is made, and who has logged in must do so again\n"
    )


def test_key_of_an_older_version_stays(tmp_path):
    older = "Zm9vYmFy_-" * 6 + "abcd"
    (tmp_path / "secret_key").write_text(f"{older}\n")
    assert read_or_make_secret_key(tmp_path) == older


def test_file_that_cannot_be_read_is_refused_by_its_path(tmp_path):
    (tmp_path / "secret_key").mkdir()
    with pytest.raises(ConfigError, match=r"BOURSE_SECRET_KEY is not set.*secret_key cannot be used: Is a directory"):
        read_or_make_secret_key(tmp_path)
