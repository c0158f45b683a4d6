import subprocess
import sys

import pytest

NAMES = ["SIGTERM", "SIGINT"]

BESIDE_ANOTHER_HANDLER = """
import os, signal, sys, threading
from common.process.stop_signals import call_at_stop
told = threading.Event()
call_at_stop(lambda _signal: told.set())
signal.signal(signal.SIGUSR1, lambda *_: None)
signal.signal(signal.{name}, lambda *_: None)  # another's handler, set later
os.kill(os.getpid(), signal.SIGUSR1)
assert not told.wait(0.2)
os.kill(os.getpid(), signal.{name})
sys.exit(0 if told.wait(5) else 7)
"""

# The main thread's wait is not interrupted: the kernel gives the signal to the other thread.
TO_ANOTHER_THREAD = """
import os, signal, sys, threading
from common.process.stop_signals import wait_for_stop
waiting = threading.Thread(target=threading.Event().wait, daemon=True)
waiting.start()
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.{name}])
threading.Timer(0.2, os.kill, (os.getpid(), signal.{name})).start()
print(wait_for_stop())
"""

OF_ITS_OWN = """
import os, queue, signal
from common.process.stop_signals import call_at_stop
heard = queue.SimpleQueue()
call_at_stop(heard.put, [signal.SIGHUP])
for _ in range(2):
    os.kill(os.getpid(), signal.SIGHUP)
    assert heard.get(timeout=5) == signal.SIGHUP
os.kill(os.getpid(), signal.{name})
"""


def run(program: str, name: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", program.format(name=name)]
    return subprocess.run(command, timeout=20, check=False, capture_output=True, text=True)


@pytest.mark.parametrize("name", NAMES)
def test_stop_is_heard_beside_another_handler(name):
    assert run(BESIDE_ANOTHER_HANDLER, name).returncode == 0


@pytest.mark.parametrize("name", NAMES)
def test_stop_is_heard_whichever_thread_gets_the_signal(name):
    assert run(TO_ANOTHER_THREAD, name).stdout == f"{name}\n"


def test_only_the_signals_asked_for_are_heard_each_time():
    assert run(OF_ITS_OWN, "SIGTERM").returncode == -15
