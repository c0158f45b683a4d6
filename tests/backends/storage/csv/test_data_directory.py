import errno
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from backends.storage.csv.data_directory import DataDirectory
from backends.storage.ports import StartRefused
from tests.backends.storage.csv.log_files import FaultyFiles, RecordingFiles

HOLDER = """
import sys
from pathlib import Path
from backends.storage.csv.data_directory import DataDirectory
from backends.storage.ports import StartRefused
try:
    directory = DataDirectory.open(Path(sys.argv[1]), "order", 1)
except StartRefused as refusal:
    print(refusal, flush=True)
    sys.exit(1)
print("open", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "var" / "order-1"


def open_and_close(path, role="order", replica_id=1):
    directory = DataDirectory.open(path, role, replica_id)
    directory.close()
    return directory


def start_holder(path):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def refusal_of(path, role="order", replica_id=1):
    """Return the one line with which the opening is refused; it names the directory."""
    with pytest.raises(StartRefused) as caught:
        DataDirectory.open(path, role, replica_id)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_missing_directory_is_made_durably_and_is_new(path):
    files = RecordingFiles()
    directory = DataDirectory.open(path, "order", 1, files)
    assert (directory.path, directory.cluster_id, directory.is_new) == (path, None, True)
    assert files.changes()[:4] == [
        ("make_directory", "var"),
        ("sync_directory", path.parent.parent.name),
        ("make_directory", "order-1"),
        ("sync_directory", "var"),
    ]
    directory.close()
    assert open_and_close(path).is_new


def test_adopted_cluster_is_found_again(path):
    directory = DataDirectory.open(path, "order", 12)
    directory.adopt("cluster-1")
    assert (directory.cluster_id, directory.is_new) == ("cluster-1", False)
    directory.close()
    assert (path / "identity.csv").read_text() == "cluster_id,role,replica_id\ncluster-1,order,12\n"
    assert open_and_close(path, replica_id=12).cluster_id == "cluster-1"


def test_adopting_is_durable_once_and_refuses_another_cluster(path):
    files = RecordingFiles()
    directory = DataDirectory.open(path, "catalog", 0, files)
    files.calls.clear()
    directory.adopt("cluster-1")
    assert ("fsync", "identity.csv.new") in files.calls
    assert files.calls[-1] == ("sync_directory", "order-1")
    files.calls.clear()
    directory.adopt("cluster-1")
    assert files.calls == []
    with pytest.raises(StartRefused, match="belongs to cluster cluster-1, not to cluster cluster-2"):
        directory.adopt("cluster-2")
    directory.close()
    assert open_and_close(path, "catalog", 0).cluster_id == "cluster-1"


@pytest.mark.parametrize("cluster_id", ["", "a b", "a,b", "a\n", "x" * 65, "é"])
def test_malformed_cluster_id_is_not_adopted(path, cluster_id):
    directory = DataDirectory.open(path, "order", 1)
    with pytest.raises(StartRefused, match="is not a cluster id"):
        directory.adopt(cluster_id)
    assert directory.is_new
    directory.close()


def test_only_one_of_many_clusters_is_adopted(path):
    directory = DataDirectory.open(path, "order", 1)
    refused = []

    def adopt(number):
        try:
            directory.adopt(f"cluster-{number}")
        except StartRefused:
            refused.append(number)

    threads = [threading.Thread(target=adopt, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    directory.close()
    assert len(refused) == 7
    assert open_and_close(path).cluster_id == directory.cluster_id


def test_full_disk_adopts_nothing(path):
    files = FaultyFiles()
    directory = DataDirectory.open(path, "order", 1, files)
    files.faults["pwrite", "identity.csv.new"] = errno.ENOSPC
    with pytest.raises(StartRefused, match="no space left"):
        directory.adopt("cluster-1")
    assert directory.is_new
    directory.adopt("cluster-1")
    directory.close()


def test_second_opening_is_refused_until_the_first_is_closed(path):
    first = DataDirectory.open(path, "order", 1)
    assert refusal_of(path) == f"data directory {path} is in use by process {os.getpid()}"
    first.close()
    first.close()
    open_and_close(path)


def test_directory_of_another_process_is_refused_until_that_is_killed(path):
    holder, said = start_holder(path)
    try:
        assert said == "open"
        assert refusal_of(path) == f"data directory {path} is in use by process {holder.pid}"
    finally:
        holder.kill()
        holder.communicate(timeout=10)
    directory = DataDirectory.open(path, "order", 1)

    other, said = start_holder(path)
    other.communicate(timeout=10)
    assert said == f"data directory {path} is in use by process {os.getpid()}"
    directory.close()


def test_lock_is_not_inherited_by_a_started_program(path):
    directory = DataDirectory.open(path, "order", 1)
    child = subprocess.Popen(
        [sys.executable, "-c", "print(flush=True); input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        close_fds=False,
    )
    try:
        assert child.stdout is not None
        child.stdout.readline()  # it runs: what it does not inherit is closed
        directory.close()
        open_and_close(path)
    finally:
        child.kill()
        child.communicate(timeout=10)


def test_stale_lock_file_locks_nothing(path):
    path.mkdir(parents=True)
    (path / "lock").write_text("999999999999\n")
    open_and_close(path)


@pytest.mark.parametrize(
    ("role", "replica_id", "owner"),
    [("catalog", 0, "the catalog"), ("order", 1, "order replica 1"), ("order", 3, "order replica 3")],
)
def test_directory_of_another_role_or_replica_is_refused(path, role, replica_id, owner):
    directory = DataDirectory.open(path, "order", 2)
    directory.adopt("cluster-1")
    directory.close()
    assert refusal_of(path, role, replica_id) == (
        f"data directory {path} belongs to order replica 2, not to {owner}; if it is the right directory, its identity"
        f" is damaged: rm {path / 'identity.csv'}, and start again"
    )
    open_and_close(path, replica_id=2)  # a refusal keeps no lock


def test_directory_of_the_catalog_is_refused_to_a_replica(path):
    directory = DataDirectory.open(path, "catalog")
    directory.adopt("cluster-1")
    directory.close()
    assert "belongs to the catalog, not to order replica 1" in refusal_of(path)


@pytest.mark.parametrize(
    "identity",
    [
        b"",
        b"cluster_id,role,replica_id\n",
        b"cluster_id,role,replica_id\ncluster-1,order,1",
        b"cluster_id,role,replica_id\ncluster-1,order\n",
        b"cluster_id,role,replica_id\n,order,1\n",
        b"cluster_id,role,replica_id\ncluster-1,leader,1\n",
        b"cluster_id,role,replica_id\ncluster-1,order,one\n",
        b"cluster_id,role,replica_id\ncluster-1,order,1\ncluster-1,order,1\n",
        b"cluster-1,order,1\n",
        b"\x00" * 100,
        b"\xff\xfe",
    ],
)
def test_malformed_identity_is_worth_as_much_as_none(path, identity):
    path.mkdir(parents=True)
    (path / "identity.csv").write_bytes(identity)
    directory = open_and_close(path)
    assert (directory.is_new, directory.damage[:32]) == (True, "identity.csv is damaged: it hold")
    assert (path / "identity.csv").read_bytes() == identity
    directory = DataDirectory.open(path, "order", 1)
    directory.adopt("cluster-1")
    directory.close()
    assert (open_and_close(path).cluster_id, open_and_close(path).damage) == ("cluster-1", "")


@pytest.mark.parametrize("below", ["", "order-1", "a/b/c"])
def test_path_at_or_below_a_file_is_refused(tmp_path, below):
    (tmp_path / "file").touch()
    assert "Not a directory" in refusal_of(tmp_path / "file" / below)


def test_directory_that_nobody_can_make_is_refused():
    assert "cannot be used" in refusal_of(Path("/proc/bourse/order-1"))


def test_directory_without_permission_to_write_is_refused(path, monkeypatch):
    path.mkdir(parents=True)
    monkeypatch.setattr(os, "access", lambda *_: False)  # root has every permission
    assert "it is not writable" in refusal_of(path)


def test_lock_that_is_a_directory_is_refused(path):
    (path / "lock").mkdir(parents=True)
    assert "Is a directory" in refusal_of(path)


def test_identity_that_is_a_directory_is_refused(path):
    (path / "identity.csv").mkdir(parents=True)
    assert "cannot be read" in refusal_of(path)
