import subprocess
import sys
import threading

import pytest

from deploy.settings import ROOT
from trading.process import OncePerProcess


def test_threads_get_the_same_object():
    once = OncePerProcess(object)
    got = []
    threads = [threading.Thread(target=lambda: got.append(once())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(got) == 8
    assert len(set(map(id, got))) == 1


FORKING = """
import os
from trading.process import OncePerProcess
once = OncePerProcess(os.getpid)
assert once() == os.getpid()
child = os.fork()
if child == 0:
    os._exit(0 if once() == os.getpid() else 1)
_, status = os.waitpid(child, 0)
assert os.waitstatus_to_exitcode(status) == 0
"""


def test_a_forked_child_makes_its_own():
    """In a process of its own: this one has threads, and a child of it might wait for their locks for ever."""
    subprocess.run([sys.executable, "-c", FORKING], cwd=ROOT, check=True, timeout=30)


def test_what_making_it_raises_is_raised_and_tried_again():
    failures = [ValueError("bad setting")]

    def make():
        if failures:
            raise failures.pop()
        return "made"

    once = OncePerProcess(make)
    with pytest.raises(ValueError, match="bad setting"):
        once()
    assert once() == "made"
