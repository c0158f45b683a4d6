"""`make run`: the whole system in the foreground, under a supervisor that restarts a process that dies.

Checks what would make a start fail, migrates Django's own tables, starts supervisord, says when trading is possible and
how to kill a replica, and on Ctrl-C, SIGTERM or a closed terminal stops everything and leaves nothing behind.
"""

if __name__ == "__main__":
    from common.process.start import start_clean

    start_clean()

import argparse
import fcntl
import getpass
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from backends.storage.ports import StartRefused
from backends.storage.seed import read_seed
from common.process.config import ConfigError
from common.process.directories import make_directory
from common.process.finish import EXIT_FAILED, run_program, tell
from common.process.metrics import METRICS_VARIABLE
from common.process.private import keep_private
from common.process.stop_signals import STOP_SIGNALS, call_at_stop
from deploy.last_words import LastWords
from deploy.readiness import Refused, wait_until_ready
from deploy.settings import MAX_SOCKET_PATH, ROOT, RunSettings
from deploy.supervision import render
from frontend_site.operator_key import authentication_is_on, read_or_make_operator_key

READY_WITHIN_S = 30.0


def main() -> None:
    """Run the system until a signal, and leave with its exit code.

    Raises:
        ConfigError: it cannot be started.
    """
    argparse.ArgumentParser(
        prog="python -m deploy.run",
        description="Runs the whole system in the foreground, until Ctrl-C. README.md has its variables.",
    ).parse_args()
    settings = RunSettings.from_environment(os.environ)
    check_seed(settings.seed)
    with lock_run_dir(settings.run_dir):
        settings.check_addresses()
        sys.exit(run(settings))


def check_seed(path: Path | None) -> None:
    """Raise unless a new catalog could begin with this file: said here, before anything starts.

    Raises:
        ConfigError: it cannot be read, or a line of it is malformed.
    """
    try:
        if path is not None:
            read_seed(path)
    except StartRefused as error:
        raise ConfigError(f"SEED: {error}") from error


def lock_run_dir(run_dir: Path) -> BinaryIO:
    """Make the directory and lock it for this process; the lock is held while the returned file is open.

    Raises:
        ConfigError: it cannot be written, or another system runs with this data directory.
    """
    try:
        make_directory(run_dir)
        keep_private(run_dir)
        lock = (run_dir / "lock").open("ab")
    except OSError as error:
        raise ConfigError(f"data directory {run_dir.parent} cannot be used: {error.strerror}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        lock.close()
        raise ConfigError(
            f"data directory {run_dir.parent} is in use by another `make run`;"
            ' choose another one and other ports (README, "Several systems")'
        ) from error
    return lock


def run(settings: RunSettings) -> int:
    """Migrate, start the supervisor, and return its exit code when it has ended."""
    environment = {**os.environ, **settings.tls, "BOURSE_DATA_DIR": str(settings.cluster.data_dir.absolute())}
    environment.pop(METRICS_VARIABLE, None)  # one address for all of them; each is given its own
    environment.pop("PYTHONUNBUFFERED", None)  # it would write the end of a line apart, with others' lines between
    migrated = subprocess.run(
        [sys.executable, "manage.py", "migrate", "--verbosity", "0"],
        cwd=ROOT,
        env=environment,
        check=False,
        start_new_session=True,  # Ctrl-C reaches this process alone
    )
    if migrated.returncode:
        return 1
    key = None if authentication_is_on(environment) else read_or_make_operator_key(settings.cluster.data_dir)
    socket_path = choose_socket_path(settings.run_dir)
    user = getpass.getuser() if os.getuid() == 0 else None
    try:
        write_private(settings.config_path, render(settings, socket_path, user))
        write_private(settings.addresses_path, settings.addresses())
        return supervise(settings, environment, key)
    finally:
        for leftover in (socket_path, settings.config_path, settings.addresses_path):
            leftover.unlink(missing_ok=True)
        if socket_path.parent != settings.run_dir:
            shutil.rmtree(socket_path.parent, ignore_errors=True)


def supervise(settings: RunSettings, environment: dict[str, str], key: str | None) -> int:
    """Run supervisord to its end, passing its output on and SIGINT and SIGTERM down to it."""
    supervisor = subprocess.Popen(
        # Should this process be killed outright, the supervisor ends with it, and the processes with the supervisor.
        [sys.executable, "deploy/parent.py", str(os.getpid())]
        + [sys.executable, "-m", "deploy.supervisord", "-c", str(settings.config_path)],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        # A pipe, because the processes open /dev/fd/1 for themselves: that fails when it is a socket, and when it is a
        # file they would write over one another.
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        # Ctrl-C reaches this process alone, which then asks the supervisor once.
        start_new_session=True,
    )
    stopping = threading.Event()

    def stop(_signal: signal.Signals) -> None:
        stopping.set()
        supervisor.terminate()

    call_at_stop(stop, (*STOP_SIGNALS, signal.SIGHUP))
    refused: list[str] = []

    def announce() -> None:
        try:
            if wait_until_ready(settings, stopping, READY_WITHIN_S):
                show(f"{welcome(settings, key)}\n".encode())
            elif not stopping.is_set():
                tell(
                    f"bourse: no order can be placed yet, {READY_WITHIN_S:.0f} s after the start; `make status`"
                    " shows why"
                )
        except Refused as refusal:
            refused.append(refusal.process)
            supervisor.terminate()

    threading.Thread(target=announce, name="announce", daemon=True).start()
    last_words = LastWords()
    pass_on(supervisor, last_words)
    code = supervisor.wait()
    if refused:
        name = refused[0]
        tell(f"bourse: {name} did not start, and everything is stopped. It said:\n{last_words.of(name)}")
        return EXIT_FAILED
    return 0 if stopping.is_set() else code


def pass_on(supervisor: "subprocess.Popen[bytes]", last_words: LastWords) -> None:
    """Copy the supervisor's output to ours until it ends."""
    assert supervisor.stdout is not None
    while chunk := os.read(supervisor.stdout.fileno(), 1 << 16):
        show(chunk)
        last_words.hear(chunk)


def show(output: bytes) -> None:
    """Write to stdout. A closed terminal or a full disk does not stop the system."""
    with suppress(OSError, ValueError, AttributeError):  # the last two: stdout is closed, or was from the start
        os.write(sys.stdout.fileno(), output)


def choose_socket_path(run_dir: Path) -> Path:
    """Return where the supervisor's socket goes: beside its configuration, or in a private folder for temporary files
    if that path is longer than a unix socket's may be."""
    path = run_dir / "supervisor.sock"
    if len(os.fsencode(path)) <= MAX_SOCKET_PATH:
        return path
    name = hashlib.sha256(os.fsencode(run_dir)).hexdigest()[:8]
    return Path(tempfile.mkdtemp(prefix=f"bourse-{name}-", dir="/tmp")) / "supervisor.sock"


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read.

    Raises:
        ConfigError: it cannot be written.
    """
    try:
        path.unlink(missing_ok=True)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}") from error


def welcome(settings: RunSettings, key: str | None) -> str:
    """Return what the person at the terminal needs next; who opens the address with the operator key may operate."""
    page = f"http://{settings.http}/" + (f"?token={key}" if key else "")
    victim = f"order-{max(settings.cluster.replicas)}"
    where = "" if settings.cluster.data_dir == Path("var") else f" BOURSE_DATA_DIR={settings.cluster.data_dir}"
    lines = [
        (f"make status{where}", "the processes, and how far each replica is"),
        (f"make kill P={victim}{where}", "SIGKILL; the supervisor starts it again"),
        (f"make stop P={victim}{where}", "it stays away until ..."),
        (f"make start P={victim}{where}", "... it comes back and catches up"),
    ]
    width = max(len(command) for command, _ in lines)
    return "\n".join(
        ["", f"Bourse is open:  {page}   for programs: /stocks, /orders, /docs"]
        + [f"  {command:{width}}   {what}" for command, what in lines]
        + [f"Ctrl-C stops everything. Data: {settings.cluster.data_dir}/", ""]
    )


if __name__ == "__main__":
    run_program("bourse", main, ConfigError)
