import subprocess
import sys

import pytest

PROGRAM = """
import os, signal, sys, threading
from deploy.stopping import call_at_stop
told = threading.Event()
call_at_stop(told.set)
signal.signal(signal.SIGUSR1, lambda *_: None)
signal.signal(signal.{name}, lambda *_: None)  # another's handler, set later
os.kill(os.getpid(), signal.SIGUSR1)
assert not told.wait(0.2)
os.kill(os.getpid(), signal.{name})
sys.exit(0 if told.wait(5) else 7)
"""


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_stop_is_heard_beside_another_handler(name):
    done = subprocess.run([sys.executable, "-c", PROGRAM.format(name=name)], timeout=20, check=False)
    assert done.returncode == 0
