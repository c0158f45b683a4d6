import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from common.process.config_error import ConfigError
from common.process.failpoints import STEPS, arm, failpoint
from deploy.systems.waiting import wait_until

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def disarmed() -> Iterator[None]:
    yield
    arm({})


def in_a_process(failpoints: str, visits: int) -> int:
    """Return the exit code of a process that comes by leader-decided so often."""
    code = (
        "import os\nfrom common.process.failpoints import arm, failpoint\narm(os.environ)\n"
        f"for _ in range({visits}): failpoint('leader-decided')"
    )
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, env={"BOURSE_FAILPOINTS": failpoints}).returncode


def test_nothing_happens_when_nothing_is_armed():
    arm({})
    for name in STEPS:
        failpoint(name)


def test_kill_ends_the_process_at_the_named_visit_only():
    assert in_a_process("leader-decided=kill", 1) == -signal.SIGKILL
    assert in_a_process("leader-decided=kill@3", 2) == 0
    assert in_a_process("leader-decided=kill@3", 3) == -signal.SIGKILL
    assert in_a_process("leader-deciding=kill", 3) == 0


def test_park_waits_once():
    arm({"BOURSE_FAILPOINTS": "log-written=park:0.2@2"})
    times = [timed("log-written") for _ in range(3)]
    assert [seconds >= 0.2 for seconds in times] == [False, True, False]


def timed(name: str) -> float:
    started = time.monotonic()
    failpoint(name)
    return time.monotonic() - started


def test_park_until_a_file_is_there(tmp_path: Path):
    """The file that arms the step goes when it is reached, and can be put there again."""
    armed, released = tmp_path / "armed", tmp_path / "go"
    arm({"BOURSE_FAILPOINTS": f"log-synced=park-until:{released}@{armed}"})
    failpoint("log-synced")
    for _ in range(2):
        armed.touch()
        parked = threading.Thread(target=failpoint, args=("log-synced",))
        parked.start()
        wait_until(lambda: not armed.exists(), 5, "the step reached")
        parked.join(0.1)
        assert parked.is_alive()
        released.touch()
        parked.join(5)
        assert not parked.is_alive()
        released.unlink()


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("leader-gone=kill", "'leader-gone' is no failpoint; there are: leader-deciding, "),
        ("leader-decided=explode", "'explode' is none of kill, park:SECONDS, park-until:FILE"),
        ("leader-decided=park:soon", "'park:soon' is none of"),
        ("leader-decided=park-until:", "'park-until:' is none of"),
        ("leader-decided", "'' is none of"),
        ("leader-decided=kill@0", "'0' is neither a number of at least 1 nor the path of a file"),
        ("leader-decided=kill@soon", "'soon' is neither"),
    ],
)
def test_what_is_none_is_refused_and_named(text: str, named: str):
    with pytest.raises(ConfigError, match=re.escape(named)):
        arm({"BOURSE_FAILPOINTS": f"log-written=kill@1000,{text}"})
    failpoint("log-written")


def test_every_step_is_in_the_code_once():
    sources = [path.read_text() for folder in ("backends", "trading") for path in (ROOT / folder).rglob("*.py")]
    found = sorted(name for text in sources for name in re.findall(r'\bfailpoint\("([a-z-]+)"\)', text))
    assert found == sorted(STEPS)


@pytest.mark.parametrize("module", ["backends.catalog", "backends.order", "deploy.frontend"])
def test_a_process_refuses_to_start_with_an_unknown_name(module: str, tmp_path: Path):
    arguments = ["--replica-id", "1"] if module == "backends.order" else []
    environment = {"BOURSE_FAILPOINTS": "no-such-step=kill", "BOURSE_DATA_DIR": str(tmp_path)}
    ended = subprocess.run(
        [sys.executable, "-m", module, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert "'no-such-step' is no failpoint" in ended.stderr
