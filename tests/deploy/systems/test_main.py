"""`python -m deploy.systems`; that of a system which starts is tested by the workload that uses it."""

import subprocess
import sys
from pathlib import Path

from deploy.settings import ROOT


def test_system_that_does_not_start_says_why(tmp_path: Path):
    seed = tmp_path / "seed.csv"
    seed.write_text("name,price,quantity\nBAD,free,5\n")
    command = [sys.executable, "-m", "deploy.systems", str(tmp_path / "system"), "--seed", str(seed)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "line 2: price 'free'" in ended.stderr
    assert "Traceback" not in ended.stderr
