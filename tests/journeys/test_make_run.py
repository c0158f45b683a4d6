"""`make run` on other ports: the whole system in the foreground, until a signal."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from deploy.systems.ports import is_free
from deploy.systems.supervised import SupervisedSystem
from deploy.systems.system import clean_environment
from deploy.systems.waiting import wait_until
from tests.harness.rest import Rest

START_WITHIN_S = 20
STOP_WITHIN_S = 20
DEEP = "d" * 60


class Launch(SupervisedSystem):
    """One `make run`, its data deep below the folder, not started yet."""

    def __init__(self, folder: Path, **variables: str) -> None:
        super().__init__(folder / DEEP, environment=variables)
        self.data_dir.parent.mkdir(parents=True, exist_ok=True)
        self.rest = Rest(self.address)

    def start(self) -> None:
        """Start it and wait for its welcome."""
        already = len(self.launcher.output)
        self.launcher.start()
        wait_until(lambda: "Bourse is open" in self.launcher.output[already:], START_WITHIN_S, "the welcome")

    def close(self) -> None:
        self.rest.close()
        super().close()


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Launch]:
    made = Launch(tmp_path)
    yield made
    made.close()
    print(made.launcher.output)


def answers(rest: Rest, number: int) -> bool:
    """Whether an order can be looked up."""
    try:
        return rest.get(f"/orders/{number}").status_code == 200
    except httpx.TransportError:
        return False


def check_nothing_is_left(launch: Launch, pids: list[int]) -> None:
    """Check that a launch has ended well: no process, no taken port, no file of its supervisor."""
    assert launch.launcher.wait(STOP_WITHIN_S) == 0
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]
    assert all(is_free(port) for port in launch.ports.ports)
    assert sorted(path.name for path in (launch.data_dir / "run").iterdir()) == ["lock"]
    assert "Traceback" not in launch.launcher.output


def test_trade_kill_and_interrupt(launch: Launch):
    """The shipped stocks are traded; a killed process comes back; Ctrl-C ends all and leaves nothing behind."""
    launch.start()
    rest = launch.rest
    (page,) = re.findall(r"Bourse is open:  http://[^/]+(/\?token=\S+) ", launch.launcher.output)
    assert rest.get(page).status_code == 303  # with the cookie of an operator
    name = rest.get("/stocks?limit=1").json()["data"][0]["name"]
    wait_until(lambda: rest.place(name, "buy", 2, "first").status_code == 201, 10, "an order")

    shown = [httpx.get(f"http://{address}/metrics").text for address in launch.ports.addresses[4:10]]
    for metrics, name in zip(shown, ["frontend", "catalog", "replica", "replica", "replica", "watch"], strict=True):
        assert f"\nbourse_{name}_epoch " in metrics

    before = launch.pids()
    for name in ("order-3", "frontend"):
        os.kill(before[name], signal.SIGKILL)
        wait_until(lambda name=name: launch.pids().get(name) not in (None, before[name]), 10, f"a new {name}")  # type: ignore[misc]
    wait_until(lambda: answers(rest, 1), 10, "the order by the new frontend")
    pids = list(launch.pids().values())
    assert len(pids) == 6
    assert all(len(os.sched_getaffinity(pid)) == 1 for pid in pids)
    rest.close()

    os.kill(launch.launcher.pid, signal.SIGINT)
    check_nothing_is_left(launch, pids)


def test_status_needs_only_the_data_directory_and_sigterm_ends_all(launch: Launch):
    """The addresses are those of the running system; when it has ended, one line says so."""

    def status() -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "deploy.control", "status"],
            env={**clean_environment(), "BOURSE_DATA_DIR": str(launch.data_dir)},
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )

    launch.start()
    pids = list(launch.pids().values())
    told = status()
    assert told.returncode == 0, told
    assert launch.replicas[3] in told.stdout
    os.kill(launch.launcher.pid, signal.SIGTERM)
    check_nothing_is_left(launch, pids)
    told = status()
    assert (told.returncode, told.stdout, len(told.stderr.splitlines())) == (1, "", 1)
    assert str(launch.data_dir) in told.stderr


def refusal_of(launch: Launch) -> str:
    """Return the last line of a launch that does not start."""
    launch.launcher.start()
    assert launch.launcher.wait(START_WITHIN_S) == 1
    assert "Traceback" not in launch.launcher.output
    return launch.launcher.output.splitlines()[-1]


def test_second_system_is_refused_and_a_killed_launcher_takes_all_with_it(launch: Launch, tmp_path: Path):
    """One line says what is in use, and the running system is not disturbed; killed, it leaves nothing that would hold
    a port or a data directory: it can be started again at once."""
    launch.start()
    same_folder = Launch(tmp_path)
    same_folder.launcher.output_path = tmp_path / "same-folder"
    assert "is in use by another" in refusal_of(same_folder)
    same_folder.close()

    taken = {name: launch.environment[name] for name in ("BOURSE_CATALOG", "BOURSE_REPLICAS")}
    same_ports = Launch(tmp_path / "other", **taken)
    assert f"cannot listen on {launch.catalog} (catalog): Address already in use" in refusal_of(same_ports)
    same_ports.close()

    pids = list(launch.pids().values())
    assert len(pids) == 6
    os.kill(launch.launcher.pid, signal.SIGKILL)
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), STOP_WITHIN_S, "the end of all")
    launch.start()


def test_malformed_seed_ends_the_start(tmp_path: Path):
    """The line is named before anything starts."""
    seed = tmp_path / "seed.csv"
    seed.write_text("name,price,quantity\nGOOD,1.00,5\nBAD,free,5\n")
    wrong = Launch(tmp_path, SEED=str(seed))
    assert "line 3" in refusal_of(wrong)
    assert not wrong.data_dir.exists()
    wrong.close()


def test_process_that_refuses_to_start_ends_the_start(launch: Launch):
    """The launcher stops what it had started, and says last what the process said: there stands what to mend."""
    launch.data_dir.mkdir(parents=True)
    (launch.data_dir / "catalog").write_text("a file where the catalog's directory should be")
    assert refusal_of(launch) == f"catalog: data directory {launch.data_dir}/catalog cannot be used: Not a directory"
    assert "bourse: catalog did not start, and everything is stopped. It said:\n" in launch.launcher.output
    assert sorted(path.name for path in (launch.data_dir / "run").iterdir()) == ["lock"]
