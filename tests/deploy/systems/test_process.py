"""Processes that are killed, frozen and started again, with what they wrote."""

import os
import sys
from pathlib import Path

import pytest

from deploy.systems.process import Process, ProcessEnded
from deploy.systems.waiting import wait_until

TALKS = "import os, time\nprint('number', os.environ['NUMBER'], flush=True)\ntime.sleep(60)"


@pytest.fixture
def process(tmp_path: Path):
    made = Process("talker", [sys.executable, "-c", TALKS], {"NUMBER": "1"}, tmp_path / "output")
    yield made
    made.kill()


def state(process: Process) -> str:
    """Return the letter that proc(5) has for its state."""
    return Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_output_of_all_runs_is_kept_and_the_next_start_has_its_own_variables(process: Process):
    process.start()
    wait_until(lambda: process.output == "number 1\n", 10, "its first line")
    process.kill()
    assert not process.is_running
    process.environment["NUMBER"] = "2"
    process.start()
    wait_until(lambda: process.output == "number 1\nnumber 2\n", 10, "its second line")


def test_frozen_process_stands_still_until_it_is_resumed(process: Process):
    process.start()
    wait_until(lambda: process.output, 10, "its first line")
    process.freeze()
    wait_until(lambda: state(process) == "T", 10, "that it stands still")
    process.resume()
    wait_until(lambda: state(process) != "T", 10, "that it goes on")


def test_one_that_has_ended_is_told_with_the_last_that_it_wrote(process: Process):
    process.command[-1] = "import sys; sys.exit('no room')"
    process.start()
    assert process.wait(10) == 1
    with pytest.raises(ProcessEnded, match="talker ended:\nno room"):
        process.check_runs()
    process.stop()


def test_stop_kills_what_does_not_hear(process: Process):
    process.command[-1] = "import signal\nsignal.signal(15, signal.SIG_IGN)\n" + TALKS
    process.start()
    wait_until(lambda: process.output, 10, "its first line")
    process.stop(within_s=0.1)
    assert not process.is_running


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="no cores to keep to")
def test_one_keeps_to_its_core(tmp_path: Path):
    core = min(os.sched_getaffinity(0))
    pinned = Process("pinned", [sys.executable, "-c", TALKS], {"NUMBER": "1"}, tmp_path / "output", core=core)
    pinned.start()
    wait_until(lambda: pinned.output, 10, "its first line")
    assert os.sched_getaffinity(pinned.pid) == {core}
    pinned.kill()


def test_a_process_runs_in_the_folder_it_is_given(tmp_path: Path):
    other = Process(
        "other", [sys.executable, "-c", "import os; print(os.getcwd())"], {}, tmp_path / "o", folder=tmp_path
    )
    other.start()
    assert other.wait(10) == 0
    assert other.output == f"{tmp_path}\n"
