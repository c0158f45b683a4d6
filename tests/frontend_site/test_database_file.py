import re
import sqlite3
import subprocess

import pytest

from common.process.config import ConfigError
from frontend_site.database_file import check_database_file
from tests.frontend_site.test_manage import manage


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "frontend.sqlite3"
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE session (key TEXT PRIMARY KEY, data TEXT)")
    database.executemany("INSERT INTO session VALUES (?, ?)", [(f"key-{n}", "x" * 100) for n in range(500)])
    database.commit()
    database.close()
    return path


def test_good_missing_and_empty_files_pass(path, tmp_path):
    check_database_file(path)
    check_database_file(tmp_path / "missing")
    (tmp_path / "empty").touch()
    check_database_file(tmp_path / "empty")


def test_file_that_somebody_writes_to_passes(path):
    database = sqlite3.connect(path)
    database.execute("BEGIN EXCLUSIVE")
    check_database_file(path)
    database.close()


@pytest.mark.parametrize("harm", ["NULs", "cut", "flipped", "not a database"])
def test_damaged_file_is_refused_with_its_repair(path, harm):
    content = bytearray(path.read_bytes())
    if harm == "NULs":
        content = bytearray(len(content))
    elif harm == "cut":
        del content[len(content) * 2 // 3 :]
    elif harm == "flipped":
        content[4096 * 2] ^= 1  # a page's type
    else:
        content[:6] = b"hello "
    path.write_bytes(content)
    with pytest.raises(ConfigError) as refused:
        check_database_file(path)
    assert str(refused.value).endswith(f": mv {path} {path}.damaged && python manage.py migrate")
    assert str(refused.value).isprintable()


def test_the_repair_of_a_damaged_file_makes_it_anew(tmp_path):
    (tmp_path / "var").mkdir()
    (tmp_path / "var" / "frontend.sqlite3").write_bytes(bytes(5000))
    refused = manage(tmp_path, "migrate", "--verbosity=0")
    assert (refused.returncode, len(refused.stderr.splitlines())) == (1, 1)
    repair = re.search(r"begin with none: (mv \S+ \S+) && python manage.py migrate$", refused.stderr.strip())
    assert repair is not None
    subprocess.run(repair[1].split(), check=True)
    assert manage(tmp_path, "migrate", "--verbosity=0").returncode == 0
    check_database_file(tmp_path / "var" / "frontend.sqlite3")
