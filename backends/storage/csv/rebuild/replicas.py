"""The replicas' directories as a rebuild finds them: locked while it runs, read, never changed."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from backends.storage.csv.data_directory import IDENTITY_NAME, DataDirectory
from backends.storage.csv.files import Files, read_file
from backends.storage.csv.order_log import ORDER_LOG_NAME
from backends.storage.csv.rebuild.sources import Source, read_source
from backends.storage.ports import StartRefused


@dataclass
class ReplicaLogs:
    """What the replicas hold.

    Attributes:
        cluster_id: the one that all of them belong to; None if no identity could be read.
        sources: their logs, as far as they are good.
        missing: why a directory has no log to give, in words, one entry for each such directory.
    """

    cluster_id: str | None = None
    sources: list[Source] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


def read_replicas(paths: Sequence[Path], catalogs: str | None, files: Files, locks: ExitStack) -> ReplicaLogs:
    """Lock and read the replicas' directories; `locks` holds them until it is closed.

    `catalogs` is the cluster that the catalog's directory names: that of the logs, where no replica's names one.

    Raises:
        StartRefused: a process uses one, one is not a replica's, or two belong to different clusters.
    """
    logs = ReplicaLogs()
    nameless = []
    for path in dict.fromkeys(path.resolve() for path in paths):
        if not files.exists(path):
            logs.missing.append(f"{path} is missing")
            continue
        directory = DataDirectory.open(path, "order", _replica_id(path, files), files)
        locks.callback(directory.close)
        if directory.cluster_id is None:
            nameless.append(path)
            continue
        if logs.cluster_id not in (None, directory.cluster_id):
            raise StartRefused(
                f"{path} belongs to cluster {directory.cluster_id}, the replicas before it to {logs.cluster_id}:"
                f" name the right directories with --replica-dir; if these are, remove the damaged {IDENTITY_NAME}"
            )
        logs.cluster_id = directory.cluster_id
        source = read_source(path / ORDER_LOG_NAME, directory.cluster_id, files)
        if source is None:
            logs.missing.append(f"{path / ORDER_LOG_NAME} is missing")
        else:
            logs.sources.append(source)
    cluster_id = logs.cluster_id or catalogs
    for path in nameless:
        # Without an identity the log itself tells whose it is: its chain begins with the cluster's id.
        source = read_source(path / ORDER_LOG_NAME, cluster_id, files) if cluster_id else None
        if source is None:
            logs.missing.append(f"{path} holds no replica's files")
        elif source.last_number == 0:
            logs.missing.append(f"{source.path} holds no order of cluster {cluster_id}")
        else:
            logs.sources.append(source)
    return logs


def _replica_id(path: Path, files: Files) -> int:
    """Return the id that the identity names; 0, which `DataDirectory.open` then refuses, if it names none."""
    if not files.exists(path / IDENTITY_NAME):
        return 0
    text = read_file(files, path / IDENTITY_NAME).decode("ascii", "replace").strip().rpartition(",")[2]
    return int(text) if text.isascii() and text.isdigit() else 0
