"""What `make` hands on to the programs that it starts."""

import os
import subprocess
from pathlib import Path

from tests.common.process.test_start import EVERYTHING

ROOT = Path(__file__).parent.parent.parent


def test_recipes_do_not_see_what_the_callers_shell_says_to_python():
    shell = {"PATH": os.environ["PATH"], "PORT": "9081", **EVERYTHING, "PYTHONSAFEPATH": "1"}
    seen = subprocess.run(
        ["make", "--no-print-directory", "--eval", "seen: ; @env", "seen"],
        cwd=ROOT,
        env=shell,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    ).stdout
    names = {line.partition("=")[0] for line in seen.splitlines()}
    foreign = {n for n in names if n.startswith(("PYTHON", "GRPC_", "DJANGO_")) or n == "CDPATH"}
    assert foreign == {"PYTHONNOUSERSITE"}
    assert "PORT" in names
