"""`make run` on other ports: the whole system in the foreground, until a signal."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.harness.ports import PortBlock, is_free
from tests.harness.process import ManagedProcess
from tests.harness.rest import Rest
from tests.harness.waiting import wait_until

START_WITHIN_S = 20
STOP_WITHIN_S = 20
DEEP = "d" * 60


@dataclass
class Launch:
    """One `make run`, not started yet."""

    process: ManagedProcess
    data_dir: Path
    environment: dict[str, str]
    ports: list[int]

    @property
    def rest(self) -> Rest:
        """A client of its frontend."""
        return Rest(f"127.0.0.1:{self.ports[4]}")

    def start(self) -> None:
        """Start it and wait for its welcome."""
        already = len(self.process.output)
        self.process.start()
        wait_until(lambda: "Bourse is open" in self.process.output[already:], START_WITHIN_S, "the welcome")

    def ctl(self, *arguments: str) -> str:
        """Return what supervisorctl answers."""
        return subprocess.run(
            [sys.executable, "-m", "supervisor.supervisorctl"]
            + ["-c", str(self.data_dir / "run" / "supervisord.conf"), *arguments],
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        ).stdout

    def pids(self) -> list[int]:
        """Return the ids of the six processes."""
        return [int(line) for line in self.ctl("pid", "all").split()]


def make_launch(folder: Path, ports: list[int], **more: str) -> Launch:
    """Return a launch with its data deep below the folder."""
    data_dir = folder / DEEP / "var"
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("BOURSE_")},
        "BOURSE_CATALOG": f"127.0.0.1:{ports[0]}",
        "BOURSE_REPLICAS": ",".join(f"{number}=127.0.0.1:{ports[number]}" for number in (1, 2, 3)),
        "BOURSE_DATA_DIR": str(data_dir),
        "PORT": str(ports[4]),
        "BOURSE_METRICS_PORT": str(ports[4] + 1),
        **more,
    }
    environment.pop("DATABASE_URL", None)
    return Launch(
        ManagedProcess("make-run", ["-m", "deploy.run"], environment, folder / "output"), data_dir, environment, ports
    )


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Launch]:
    block = PortBlock()
    made = make_launch(tmp_path, block.ports)
    yield made
    if made.process.is_running:
        made.process.terminate(STOP_WITHIN_S)
    print(made.process.output)
    block.close()


def answers(rest: Rest, number: int) -> bool:
    """Whether an order can be looked up."""
    try:
        return rest.get(f"/orders/{number}").status_code == 200
    except httpx.TransportError:
        return False


@pytest.mark.parametrize("stop_signal", [signal.SIGINT, signal.SIGTERM])
def test_trade_kill_and_stop(launch: Launch, stop_signal: signal.Signals):
    """The shipped stocks are traded; a killed process comes back; a signal ends all and leaves nothing behind."""
    launch.start()
    rest = launch.rest
    name = rest.get("/stocks?limit=1").json()["data"][0]["name"]
    wait_until(lambda: rest.place(name, "buy", 2, "first").status_code == 201, 10, "an order")

    shown = [httpx.get(f"http://127.0.0.1:{port}/metrics").text for port in launch.ports[4:10]]
    for metrics, name in zip(shown, ["frontend", "catalog", "replica", "replica", "replica", "watch"], strict=True):
        assert f"\nbourse_{name}_epoch " in metrics

    victim = int(launch.ctl("pid", "order-3"))
    os.kill(victim, signal.SIGKILL)
    wait_until(lambda: launch.ctl("pid", "order-3").strip() not in ("0", str(victim)), 10, "a new order-3")
    frontend = int(launch.ctl("pid", "frontend"))
    os.kill(frontend, signal.SIGKILL)
    wait_until(lambda: int(launch.ctl("pid", "frontend")) not in (0, frontend), 10, "a new frontend")
    wait_until(lambda: answers(rest, 1), 10, "the order by the new frontend")
    pids = launch.pids()
    assert len(pids) == 6
    assert all(len(os.sched_getaffinity(pid)) == 1 for pid in pids)
    rest.close()

    os.kill(launch.process.pid, stop_signal)
    assert launch.process.wait(STOP_WITHIN_S) == 0
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]
    assert all(is_free(port) for port in launch.ports)
    assert sorted(path.name for path in (launch.data_dir / "run").iterdir()) == ["lock"]
    assert "Traceback" not in launch.process.output


def test_launcher_that_is_killed_takes_all_with_it(launch: Launch):
    """Nothing is left that would hold a port or a data directory: it can be started again at once."""
    launch.start()
    pids = launch.pids()
    os.kill(launch.process.pid, signal.SIGKILL)
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), STOP_WITHIN_S, "the end of all")
    launch.start()


def refusal_of(launch: Launch) -> str:
    """Return the last line of a launch that does not start."""
    launch.process.start()
    assert launch.process.wait(START_WITHIN_S) == 1
    assert "Traceback" not in launch.process.output
    return launch.process.output.splitlines()[-1]


def test_second_system_on_the_same_directory_or_ports_is_refused(launch: Launch, tmp_path: Path):
    """One line says what is in use; the running system is not disturbed."""
    launch.start()
    block = PortBlock()
    same_folder = make_launch(tmp_path, block.ports)
    same_folder.process.output_path = tmp_path / "same-folder"
    assert "is in use by another" in refusal_of(same_folder)

    same_ports = make_launch(tmp_path / "other", [*launch.ports[:4], block.ports[4]])
    same_ports.process.output_path = tmp_path / "same-ports"
    assert f"cannot listen on 127.0.0.1:{launch.ports[0]} (catalog): Address already in use" in refusal_of(same_ports)
    block.close()
    assert len(launch.pids()) == 6


def test_malformed_seed_ends_the_start(launch: Launch, tmp_path: Path):
    """The line is named before anything starts."""
    seed = tmp_path / "seed.csv"
    seed.write_text("name,price,quantity\nGOOD,1.00,5\nBAD,free,5\n")
    wrong = make_launch(tmp_path, launch.ports, SEED=str(seed))
    assert "line 3" in refusal_of(wrong)
    assert not launch.data_dir.exists()


def test_process_that_refuses_to_start_ends_the_start(launch: Launch):
    """It says why; the launcher stops what it had started."""
    launch.data_dir.mkdir(parents=True)
    (launch.data_dir / "catalog").write_text("a file where the catalog's directory should be")
    assert "catalog did not start" in refusal_of(launch)
    assert sorted(path.name for path in (launch.data_dir / "run").iterdir()) == ["lock"]


def test_status_needs_only_the_data_directory(launch: Launch):
    """The addresses are those of the running system; when it has ended, one line says so."""

    def status() -> "subprocess.CompletedProcess[str]":
        kept = {name: value for name, value in launch.environment.items() if not name.startswith("BOURSE_")}
        return subprocess.run(
            [sys.executable, "-m", "deploy.control", "status"],
            env={**kept, "BOURSE_DATA_DIR": str(launch.data_dir)},
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )

    launch.start()
    told = status()
    assert told.returncode == 0, told
    assert f"127.0.0.1:{launch.ports[3]}" in told.stdout
    launch.process.terminate(STOP_WITHIN_S)
    told = status()
    assert (told.returncode, told.stdout, len(told.stderr.splitlines())) == (1, "", 1)
    assert str(launch.data_dir) in told.stderr
