"""The directory that one process owns: locked while it runs, and marked with whose it is."""

import os
import re
import threading
from contextlib import suppress
from pathlib import Path
from typing import Literal

from backends.storage.csv.files import OS_FILES, DiskFull, Files, read_file, replace_file
from backends.storage.ports import StartRefused
from common.process.findings import Findings
from common.rows import HEADER

Role = Literal["catalog", "order"]

LOCK_NAME = "lock"
IDENTITY_NAME = "identity.csv"
IDENTITY_HEADER = "cluster_id,role,replica_id"

CLUSTER_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_IDENTITY = re.compile(rf"{IDENTITY_HEADER}\n({CLUSTER_ID.pattern}),(catalog|order),(0|[1-9]\d{{0,3}})\n", re.ASCII)


class DataDirectory:
    """An open data directory. While it is open no other process can open it.

    Attributes:
        path: the directory.
        cluster_id: the cluster that its files belong to; None in a new one, until `adopt`.
        damage: why the identity that is there could not be read, in words; such a directory counts as a new one.
        findings: what was found wrong with its files.
    """

    def __init__(
        self,
        path: Path,
        role: Role,
        replica_id: int,
        files: Files,
        lock: int,
        cluster_id: str | None,
        damage: str,
        findings: Findings,
    ) -> None:
        """For `open` alone."""
        self.path = path
        self.cluster_id = cluster_id
        self.damage = damage
        self.findings = findings
        self._role = role
        self._replica_id = replica_id
        self._files = files
        self._lock = lock
        self._adopting = threading.Lock()

    @classmethod
    def open(cls, path: Path, role: Role, replica_id: int = 0, files: Files = OS_FILES) -> "DataDirectory":
        """Lock the directory for this process and check that it is this role's and replica's; make it if missing.

        The lock is given up by `close`, or by the end of the process however it comes; a child that was forked while
        it was held shares it, a program that was started does not.

        Raises:
            StartRefused: it cannot be made, read or written, is in use, or is another role's or replica's.
        """
        try:
            _make(path, files)
            lock = files.open(path / LOCK_NAME, os.O_RDWR | os.O_CREAT)
        except OSError as error:
            raise StartRefused(f"data directory {path} cannot be used: {error.strerror}") from error
        try:
            _acquire(lock, path, files)
            cluster_id, damage = _read_identity(path, role, replica_id, files)
            findings = Findings(path, FindingsIn(files))
        except BaseException:
            files.close(lock)
            raise
        return cls(path, role, replica_id, files, lock, cluster_id, damage, findings)

    @property
    def is_new(self) -> bool:
        """Whether it belongs to no cluster yet."""
        return self.cluster_id is None

    def has(self, name: str) -> bool:
        """Whether there is a file of this name in it."""
        return self._files.exists(self.path / name)

    def adopt(self, cluster_id: str, log_name: str = "") -> None:
        """Make the directory this cluster's, durably. Repeating it changes nothing. Any thread may call it.

        An empty log of this name, if there is none, comes first: with an identity, one that is missing was lost.

        Raises:
            StartRefused: it is another cluster's already, the id is malformed, or the disk is full; nothing changed.
            OSError: any other failure to write; it is not known whether the identity is durable, the process must end.
        """
        if not CLUSTER_ID.fullmatch(cluster_id):
            raise StartRefused(f"data directory {self.path}: {cluster_id!r} is not a cluster id")
        with self._adopting:
            if self.cluster_id == cluster_id:
                return
            if self.cluster_id is not None:
                raise StartRefused(
                    f"data directory {self.path} belongs to cluster {self.cluster_id}, not to cluster {cluster_id};"
                    f" {if_it_is_ours(self.path)}"
                )
            line = f"{IDENTITY_HEADER}\n{cluster_id},{self._role},{self._replica_id}\n"
            try:
                if log_name and not self.has(log_name):
                    replace_file(self.path / log_name, HEADER, self._files)
                replace_file(self.path / IDENTITY_NAME, line.encode(), self._files)
            except DiskFull as error:
                raise StartRefused(f"data directory {self.path}: {error}") from error
            self.cluster_id = cluster_id

    def close(self) -> None:
        """Give the directory up. Closing twice does nothing."""
        self.findings.stop()
        lock, self._lock = self._lock, -1
        if lock >= 0:
            self._files.close(lock)


class FindingsIn:
    """Implements FindingsFile."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self.exists = files.exists

    def read(self, path: Path) -> bytes:
        return read_file(self._files, path)

    def replace(self, path: Path, data: bytes) -> None:
        try:
            replace_file(path, data, self._files)
        except DiskFull as error:
            raise OSError(str(error)) from error


def _make(path: Path, files: Files) -> None:
    """Make the directory and its missing parents, each durable in its own parent."""
    missing = [folder for folder in (path, *path.parents) if not files.exists(folder)]
    for folder in reversed(missing):
        with suppress(FileExistsError):  # another process makes it at this moment
            files.make_directory(folder)
        files.sync_directory(folder.parent)


def _acquire(lock: int, path: Path, files: Files) -> None:
    if not files.is_writable(path):  # the lock file may be, where the directory is not
        raise StartRefused(f"data directory {path} cannot be used: it is not writable")
    try:
        files.lock(lock)
    except BlockingIOError as error:
        owner = files.pread(lock, 20, 0).strip().decode("ascii", "replace")
        process = f"process {owner}" if owner.isdigit() else "another process"
        raise StartRefused(f"data directory {path} is in use by {process}") from error
    except OSError as error:
        raise StartRefused(f"data directory {path} cannot be locked: {error.strerror}") from error
    with suppress(OSError):  # for the message above only: the lock is what counts, and the disk may be full
        files.pwrite(lock, b"%-10d\n" % os.getpid(), 0)


def if_it_is_ours(path: Path) -> str:
    """Return what to do about a directory that names another owner than the one it has."""
    return f"if it is the right directory, its identity is damaged: rm {path / IDENTITY_NAME}, and start again"


def _read_identity(path: Path, role: Role, replica_id: int, files: Files) -> tuple[str | None, str]:
    """Return the cluster id, None if there is no identity yet, and what is wrong with one that says nothing."""
    identity = path / IDENTITY_NAME
    try:
        text = read_file(files, identity).decode("ascii", "backslashreplace")
    except FileNotFoundError:
        return None, ""
    except OSError as error:
        raise StartRefused(f"{identity} cannot be read: {error.strerror}") from error
    match = _IDENTITY.fullmatch(text)
    if match is None:  # what a crash cannot leave, a bad disk or copy can: worth as much as no identity, and no less
        return None, f"{IDENTITY_NAME} is damaged: it holds {text[:80]!r}"
    cluster_id, found_role, found_id = match[1], match[2], int(match[3])
    if (found_role, found_id) != (role, replica_id):
        raise StartRefused(
            f"data directory {path} belongs to {_owner(found_role, found_id)}, not to {_owner(role, replica_id)};"
            f" {if_it_is_ours(path)}"
        )
    return cluster_id, ""


def _owner(role: str, replica_id: int) -> str:
    return "the catalog" if role == "catalog" else f"order replica {replica_id}"
