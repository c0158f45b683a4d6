"""`make status`, `kill`, `freeze`, `stop` and `start`: on what `make run` runs with the same data directory."""

if __name__ == "__main__":
    from common.process.start import start_clean

    start_clean()

import argparse
import contextlib
import http.client
import os
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from supervisor.xmlrpc import Faults

from common.process.finish import run_program
from deploy.settings import ADDRESSES_NAME, CONFIG_NAME, ROOT
from deploy.supervision import connect

WHERE_TO_LOOK = "see its last message in the terminal of `make run`"


class NothingRuns(Exception):
    """No system runs with this data directory; the message says so in one line."""


def main() -> None:
    """Run the command line, and leave with its exit code: 1 if something could not be done.

    Raises:
        NothingRuns: there is nothing to do it on, or not any more.
    """
    parser = argparse.ArgumentParser(prog="python -m deploy.control", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("status", help="the processes, and the replicas")
    for command in ("kill", "stop", "start"):
        commands.add_parser(command).add_argument("names", nargs="+", metavar="PROCESS")
    freeze = commands.add_parser("freeze", help="SIGSTOP a process, and SIGCONT it after a while")
    freeze.add_argument("name", metavar="PROCESS")
    freeze.add_argument("--seconds", type=_freeze_time, default=10.0)
    arguments = parser.parse_args()
    data_dir = Path(os.environ.get("BOURSE_DATA_DIR") or "var")
    supervisor, infos = find_supervisor(data_dir)
    if arguments.command == "status":
        print("\n".join(map(state_line, infos)) + "\n", flush=True)  # noqa: T201
        sys.exit(show_replicas(data_dir))
    known = [info["name"] for info in infos]
    if arguments.command == "freeze":
        sys.exit(freeze_process(supervisor, arguments.name, known, arguments.seconds))
    sys.exit(max(act(supervisor, arguments.command, name, known) for name in arguments.names))


def find_supervisor(data_dir: Path) -> tuple[Any, list[dict[str, Any]]]:
    """Return the supervisor of the system with this data directory, and what it knows of its processes.

    Its calls raise xmlrpc.client.Fault for what it refuses, and NothingRuns as this function does.

    Raises:
        NothingRuns: there is none, it is stopping, or it cannot be reached.
    """
    with reaching(data_dir):
        supervisor = Supervisor(data_dir, connect(data_dir / "run" / CONFIG_NAME))
    return supervisor, supervisor.getAllProcessInfo()


class Supervisor:
    """The remote interface of a supervisor that may end between two calls."""

    def __init__(self, data_dir: Path, remote: Any) -> None:
        self._data_dir = data_dir
        self._remote = remote

    def __getattr__(self, method: str) -> Callable[..., Any]:
        call = getattr(self._remote, method)

        def reached(*arguments: object) -> Any:
            with reaching(self._data_dir):
                return call(*arguments)

        return reached


@contextlib.contextmanager
def reaching(data_dir: Path) -> Iterator[None]:
    """Raise NothingRuns for whatever says, inside the block, that the system is not there or is about to end."""
    try:
        yield
    except xmlrpc.client.Fault as fault:
        if fault.faultCode != Faults.SHUTDOWN_STATE:
            raise
        raise NothingRuns(f"what runs with data directory {data_dir} is being stopped") from fault
    except (FileNotFoundError, ConnectionRefusedError, http.client.HTTPException) as error:
        raise NothingRuns(
            f"nothing runs with data directory {data_dir};"
            " start it with `make run`, or name another one: BOURSE_DATA_DIR=..."
        ) from error
    except OSError as error:
        raise NothingRuns(f"what runs with data directory {data_dir} cannot be reached: {error.strerror}") from error


def state_line(info: dict[str, Any]) -> str:
    """Return the line of one process."""
    failed = info["statename"] in ("BACKOFF", "FATAL")
    what = f"did not start; {WHERE_TO_LOOK}" if failed else info["description"]
    return f"{info['name']:12}{info['statename']:10}{what}"


def show_replicas(data_dir: Path) -> int:
    """Print the state of the replicas at the addresses with which the system was started; return the exit code."""
    environment = {**os.environ, **running_addresses(data_dir)}
    command = [sys.executable, "manage.py", "replicas", "status"]
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


def running_addresses(data_dir: Path) -> dict[str, str]:
    """Return the variables that `make run` left for this data directory."""
    path = data_dir / "run" / ADDRESSES_NAME
    with reaching(data_dir):
        lines = path.read_text(errors="replace").splitlines()
    values = {name: value for name, _, value in (line.partition("=") for line in lines)}
    if not all(name.startswith("BOURSE_") and value.isprintable() for name, value in values.items()) or not values:
        raise NothingRuns(f"{path} is damaged: stop `make run` and start it again, which writes it anew")
    return values


def act(supervisor: Any, command: str, name: str, known: list[str]) -> int:
    """Kill, stop or start one process, and say what came of it; return the exit code."""
    try:
        if command == "kill":
            supervisor.signalProcess(name, "KILL")
            said = "killed; it is started again"
        elif command == "stop":
            supervisor.stopProcess(name)
            said = "stopped"
        else:
            supervisor.startProcess(name)
            said = "started"
    except xmlrpc.client.Fault as fault:
        code, said = explain(fault, command, supervisor.getProcessInfo(name) if name in known else None, known)
        print(f"{name}: {said}", file=sys.stderr if code else sys.stdout)
        return code
    print(f"{name}: {said}")  # noqa: T201
    return 0


def freeze_process(supervisor: Any, name: str, known: list[str], seconds: float) -> int:
    """Stop a process where it stands, and let it go on after this time, or at Ctrl-C; say what came of it.

    Return the exit code. The frontend is refused: what serves is a process below the one that the supervisor knows.
    """
    if name == "frontend" or name not in known:
        allowed = ", ".join(one for one in known if one != "frontend")
        print(f"{name}: cannot be frozen; these can be: {allowed}", file=sys.stderr)  # noqa: T201
        return 1
    try:
        supervisor.signalProcess(name, "STOP")
        print(f"{name}: frozen for {seconds:g} s", flush=True)  # noqa: T201
        with contextlib.suppress(KeyboardInterrupt):
            time.sleep(seconds)
        supervisor.signalProcess(name, "CONT")
    except xmlrpc.client.Fault as fault:
        code, said = explain(fault, "freeze", supervisor.getProcessInfo(name), known)
        print(f"{name}: {said}", file=sys.stderr)  # noqa: T201
        return code
    print(f"{name}: goes on")  # noqa: T201
    return 0


def _freeze_time(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= 3600:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0, up to 3600")
    return seconds


def explain(fault: xmlrpc.client.Fault, command: str, info: dict[str, Any] | None, known: list[str]) -> tuple[int, str]:
    """Return the exit code and the words for what a supervisor refused. What is as it was wanted is no error.

    Args:
        info: what the supervisor knows of the process now; None if there is no such process.
    """
    if info is None:
        return 1, f"there is no such process; there are {', '.join(known)}"
    if fault.faultCode == Faults.ALREADY_STARTED and info["statename"] != "BACKOFF":
        return 0, "runs already"
    if fault.faultCode in (Faults.ALREADY_STARTED, Faults.ABNORMAL_TERMINATION, Faults.SPAWN_ERROR):
        return 1, f"did not start; {WHERE_TO_LOOK}"
    if fault.faultCode == Faults.NOT_RUNNING:
        return (0, "is stopped already") if command == "stop" else (1, "does not run")
    return 1, str(fault.faultString)


if __name__ == "__main__":
    run_program("bourse", main, NothingRuns)
