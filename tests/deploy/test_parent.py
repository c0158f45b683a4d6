import os
import subprocess
import sys

import pytest

from deploy.settings import ROOT

SHOW = "import os; print(sorted(os.sched_getaffinity(0)), os.environ['OWN_PID'] == str(os.getpid()))"


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-S", "-E", str(ROOT / "deploy/parent.py"), *arguments, sys.executable, "-c", SHOW]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


def test_command_runs_where_we_do():
    done = run(str(os.getpid()))
    assert (done.stdout.strip(), done.stderr) == (f"{sorted(os.sched_getaffinity(0))} True", "")


@pytest.mark.parametrize("core", sorted(os.sched_getaffinity(0))[-2:])
def test_command_keeps_to_its_core(core):
    done = run(str(os.getpid()), "--core", str(core))
    assert (done.stdout.strip(), done.stderr) == (f"[{core}] True", "")


def test_core_that_cannot_be_had_is_said_and_does_not_matter():
    missing = max(os.sched_getaffinity(0)) + 1000
    done = run(str(os.getpid()), "--core", str(missing))
    assert done.stdout.strip() == f"{sorted(os.sched_getaffinity(0))} True"
    assert f"core {missing} cannot be had" in done.stderr


def test_nothing_is_run_for_a_parent_that_has_ended():
    done = run("1")
    assert (done.returncode, done.stdout) == (1, "")
    assert "process 1 ended" in done.stderr
