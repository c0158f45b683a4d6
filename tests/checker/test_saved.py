"""A saved history is the same when it is loaded, and is checked again by the command."""

import subprocess
import sys
from pathlib import Path

from deploy.settings import ROOT
from tests.checker.planted import lose_last
from tests.checker.sample import Sample
from tests.checker.saved import load_history, save_history


def test_load_is_what_was_saved(tmp_path: Path):
    """Every field, and files of any bytes."""
    history = Sample().history
    history.files["order-9"] = bytes(range(256))
    history.behind = frozenset({"order-9"})
    save_history(history, tmp_path / "run.jsonl")
    assert load_history(tmp_path / "run.jsonl") == history


def test_command_checks_again(tmp_path: Path):
    """Exit code 0 and no violations, or 1 and each of them."""
    good, bad = Sample(), Sample()
    lose_last(bad)
    for sample, code, text in ((good, 0, "0 violations"), (bad, 1, "I3")):
        save_history(sample.history, tmp_path / "run.jsonl")
        ended = subprocess.run(
            [sys.executable, "-m", "tests.checker", str(tmp_path / "run.jsonl")],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert (ended.returncode, ended.stderr) == (code, "")
        assert text in ended.stdout
