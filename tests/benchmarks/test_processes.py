import os
import subprocess
import sys

from benchmarks.processes import FRONTEND_PLACE, cpu_seconds, memory_bytes, tree_memory_bytes
from deploy.settings import RunSettings
from deploy.supervision import programs

BUSY = "import time\nwhile time.process_time() < 0.3: pass\n"


def test_cpu_time_is_counted_with_that_of_children_that_run_and_that_ended():
    before = cpu_seconds(os.getpid())
    child = subprocess.Popen([sys.executable, "-c", BUSY + "print(flush=True)\ninput()"], stdin=-1, stdout=-1)
    assert child.stdout is not None
    child.stdout.readline()
    running = cpu_seconds(os.getpid()) - before
    child.communicate(b"\n")
    rounded = 0.05  # each of its parts is told in whole hundredths
    assert 0.3 - rounded <= running < 5
    assert cpu_seconds(os.getpid()) - before >= running - rounded


def test_memory_is_that_of_the_process():
    before = memory_bytes(os.getpid())
    held = bytearray(os.urandom(1)) * (64 << 20)
    assert memory_bytes(os.getpid()) - before > 50 << 20
    assert len(held) == 64 << 20


def test_what_is_compared_has_the_place_of_the_frontend():
    assert programs(RunSettings.from_environment({}))[FRONTEND_PLACE].name == "frontend"


def test_memory_of_a_tree_is_that_of_all_in_it():
    holds = "import os; held = bytearray(os.urandom(1)) * (64 << 20); print(flush=True); input()"
    before = tree_memory_bytes(os.getpid())
    child = subprocess.Popen([sys.executable, "-c", holds], stdin=-1, stdout=-1)
    assert child.stdout is not None
    child.stdout.readline()
    assert tree_memory_bytes(os.getpid()) - before > 50 << 20
    child.communicate(b"\n")
