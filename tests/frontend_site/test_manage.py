"""manage.py as an operator types it, in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


def manage(tmp_path, *arguments, **variables):
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("BOURSE_", "DJANGO_"))}
    return subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), *arguments],
        cwd=tmp_path,
        env={**kept, "BOURSE_DATA_DIR": str(tmp_path / "var"), **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(("name", "value"), [("BOURSE_DEBUG", "maybe"), ("BOURSE_REPLICAS", "one")])
def test_bad_setting_ends_with_one_line_and_exit_code_1(tmp_path, name, value):
    ended = manage(tmp_path, "check", **{name: value})
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert len(ended.stderr.splitlines()) == 1
    assert ended.stderr.startswith(f"manage.py: {name}")


def test_database_that_cannot_be_opened_ends_with_one_line_and_exit_code_1(tmp_path):
    ended = manage(tmp_path, "migrate", "--verbosity=0", DATABASE_URL=f"sqlite:///{tmp_path}")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert len(ended.stderr.splitlines()) == 1
    assert ended.stderr.startswith("manage.py: Django's own database (DATABASE_URL) cannot be used: ")


def test_migrate_makes_the_database_in_the_data_directory(tmp_path):
    ended = manage(tmp_path, "migrate", "--verbosity=0")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert (tmp_path / "var" / "frontend.sqlite3").exists()
