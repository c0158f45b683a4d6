"""A PostgreSQL primary with two synchronous standbys, each with its own data directory on this machine."""

import getpass
import os
import pwd
import shutil
import signal
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks.processes import BenchmarkError, cpu_seconds
from deploy.systems.ports import PortBlock
from deploy.systems.process import Process
from deploy.systems.waiting import wait_until

READY_WITHIN_S = 60.0
# PostgreSQL refuses to run as root; its packages bring a user of this name.
USER_OF_ROOT = "postgres"
STANDBYS = ("s1", "s2")
# The defaults are for a small machine and safe; said here is what the comparison hangs on.
SETTINGS = {
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",  # acknowledged when both standbys have synced it to their disks
    "synchronous_standby_names": "'2 (s1,s2)'",
    "max_connections": "150",
    "listen_addresses": "''",
    "wal_keep_size": "1GB",
    "logging_collector": "off",
    "log_min_messages": "warning",
}


def find_programs() -> Path | None:
    """Return the folder of PostgreSQL's programs, None if it is not installed."""
    if (found := shutil.which("pg_ctl")) is not None:
        return Path(found).resolve().parent
    versions = Path("/usr/lib/postgresql").glob("*/bin/pg_ctl")
    newest = max(versions, key=lambda path: float(path.parent.parent.name), default=None)
    return newest.parent if newest is not None else None


def user() -> str | None:
    """Return whom PostgreSQL is to run as: None for ourselves.

    Raises:
        BenchmarkError: we are root, and there is no other user for it.
    """
    if os.getuid() != 0:
        return None
    try:
        return pwd.getpwnam(USER_OF_ROOT).pw_name
    except KeyError as error:
        raise BenchmarkError(f"PostgreSQL does not run as root, and there is no user {USER_OF_ROOT!r}") from error


class PostgresCluster:
    """The three servers. Use it as a context manager: inside, both standbys are synchronous.

    Attributes:
        socket_dir, port: where the primary is reached.
    """

    def __init__(self, folder: Path, programs: Path) -> None:
        self.socket_dir = folder
        self._programs = programs
        self._user = user()
        # The standbys' sockets lie in the same folder, so that their ports must differ.
        self._ports = PortBlock()
        self.port, *self._standby_ports = map(str, self._ports.ports[: 1 + len(STANDBYS)])
        self._servers: list[Process] = []

    def __enter__(self) -> Self:
        self.socket_dir.mkdir(parents=True)
        if self._user is not None:
            shutil.chown(self.socket_dir, self._user)
        primary = self.socket_dir / "primary"
        try:
            self._run("initdb", "-D", str(primary), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale")
            with (primary / "postgresql.conf").open("a") as file:
                file.writelines(f"{name} = {value}\n" for name, value in SETTINGS.items())
            self._start("primary", self.port)
            for name, port in zip(STANDBYS, self._standby_ports, strict=True):
                self._copy(name)
                self._start(name, port)
            wait_until(self.are_synchronous, READY_WITHIN_S, "both standbys are synchronous")
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def _copy(self, name: str) -> None:
        source = f"host={self.socket_dir} port={self.port} user=postgres application_name={name}"
        # -R: standby.signal and primary_conninfo, with this application_name.
        self._run("pg_basebackup", "-d", source, "-D", str(self.socket_dir / name), "-R", "-c", "fast", "-X", "stream")

    def _start(self, name: str, port: str) -> None:
        command = [str(self._programs / "postgres"), "-D", str(self.socket_dir / name)]
        command += ["-c", f"port={port}", "-c", f"unix_socket_directories={self.socket_dir}"]
        server = Process(name, command, os.environ, self.socket_dir / f"{name}.log", user=self._user)
        self._servers.append(server)
        server.start()
        wait_until(lambda: self._accepts(server, port), READY_WITHIN_S, f"{name} takes connections")

    def _accepts(self, server: Process, port: str) -> bool:
        server.check_runs()
        command = [str(self._programs / "pg_isready"), "-q", "-h", str(self.socket_dir), "-p", port]
        return subprocess.run(command, check=False).returncode == 0

    def _stop(self) -> None:
        for server in self._servers:
            server.stop(signal.SIGINT)  # a fast shutdown
        self._ports.close()

    def cpu_s(self) -> dict[str, float]:
        """Return the CPU time of each server so far, its children's included."""
        return {server.name: cpu_seconds(server.pid) for server in self._servers}

    def query(self, sql: str) -> list[str]:
        """Return the lines that psql prints for a query at the primary, fields divided by |."""
        out = self._run("psql", "-h", str(self.socket_dir), "-p", self.port, "-U", "postgres", "-AtXc", sql)
        return out.splitlines()

    def are_synchronous(self) -> bool:
        """Whether the settings are as they were given, and both standbys are waited for by each commit."""
        settings = self.query("select current_setting('fsync'), current_setting('synchronous_commit')")
        standbys = self.query("select application_name, sync_state from pg_stat_replication order by 1")
        return settings == ["on|on"] and standbys == [f"{name}|sync" for name in STANDBYS]

    def _run(self, program: str, *arguments: str) -> str:
        done = subprocess.run(
            [str(self._programs / program), *arguments],
            cwd=self.socket_dir,
            user=self._user,
            group=self._user,
            extra_groups=None if self._user is None else [],
            env={**os.environ, "HOME": str(self.socket_dir), "USER": self._user or getpass.getuser()},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise BenchmarkError(f"{program}: {done.stderr}")
        return done.stdout
