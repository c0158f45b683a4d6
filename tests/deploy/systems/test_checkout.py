import sys
from pathlib import Path

import pytest

from deploy.settings import ROOT
from deploy.systems.checkout import THIS, Checkout, NoCheckout


def make(folder: Path, *paths: str) -> Path:
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).touch()
    return folder


def test_this_one_is_run_by_our_own_interpreter():
    assert (THIS.folder, THIS.python) == (ROOT, sys.executable)


def test_another_one_is_run_by_the_interpreter_of_its_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    make(tmp_path / "before", "deploy/run.py", ".venv/bin/python")
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "before"
    assert Checkout.at(Path("before")) == Checkout(folder, str(folder / ".venv/bin/python"))


def test_what_is_missing_is_named(tmp_path: Path):
    with pytest.raises(NoCheckout, match=rf"{tmp_path}: deploy/run\.py is missing"):
        Checkout.at(tmp_path)
    with pytest.raises(NoCheckout, match=r"\.venv/bin/python is missing: run `make install` there"):
        Checkout.at(make(tmp_path, "deploy/run.py"))
