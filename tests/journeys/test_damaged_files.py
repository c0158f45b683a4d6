"""Files that were damaged while their process was down: a replica mends itself, the catalog refuses and is rebuilt."""

from pathlib import Path
from typing import Any

import pytest

from common.rows import HEADER
from tests.harness.cluster import Cluster
from tests.harness.invariants import check_invariants
from tests.harness.load import Load

ORDER_COUNT = 60


def trade(cluster: Cluster, prefix: str, count: int = ORDER_COUNT) -> None:
    """Place orders and wait until they are settled."""
    with Load.on(cluster, traders=4, count=count, prefix=prefix) as load:
        load.join(60)


def flip_byte(path: Path, offset: int) -> None:
    """Change one byte of a file."""
    data = bytearray(path.read_bytes())
    data[offset] ^= 0x01
    path.write_bytes(data)


def tear_last_row(path: Path) -> None:
    """Cut the file in the middle of its last row, as a power cut does."""
    path.write_bytes(path.read_bytes()[:-20])


def flip_middle(path: Path) -> None:
    """Change one byte in the middle of the file."""
    flip_byte(path, path.stat().st_size // 2)


def empty_folder(path: Path) -> None:
    """Remove everything in the replica's directory, as a new disk would."""
    for file in path.parent.iterdir():
        file.unlink()


@pytest.mark.parametrize(
    ("damage", "replica_id"), [(tear_last_row, 1), (flip_middle, 3), (empty_folder, 1), (empty_folder, 3)]
)
def test_replica_mends_itself(shared_cluster: Cluster, damage, replica_id: int):
    """It starts, catches up with what was traded meanwhile too, and ends identical."""
    cluster, name = shared_cluster, f"order-{replica_id}"
    label = f"{damage.__name__}-{replica_id}"
    cluster.wait_ready()
    trade(cluster, f"{label}-before")
    cluster.kill(name)
    damage(cluster.order_database(replica_id))
    trade(cluster, f"{label}-away", 20)
    cluster.restart(name)
    cluster.wait_until(cluster.all_in_sync, cluster.interval_s + 5, f"{name} in sync")
    check_invariants(cluster)


def test_byte_that_changes_under_a_running_replica_is_told_and_mended(cluster: Cluster):
    """The comparison that finds it says so; the replica mends itself; what it found stays until it is seen."""
    trade(cluster, "before")
    row_10 = cluster.order_database(1).read_bytes().split(b"\n")[10]
    flip_byte(cluster.order_database(1), cluster.order_database(1).read_bytes().index(row_10) + 5)
    verified = cluster.run("manage.py", "replicas", "verify")
    assert verified.returncode == 3
    said = "order_database.csv: bytes that were good are no longer: row 10"
    assert f"replica 1: not compared: {cluster.order_database(1).parent}/{said}" in verified.stdout
    assert "replica 1 found: " in verified.stdout
    cluster.wait_until(lambda: len(list(cluster.order_database(1).parent.glob("*.damaged-1"))) == 1, 15, "a new start")
    # The leader may not have noticed yet that it is another start, with fewer rows: the comparison tells.
    cluster.wait_until(
        lambda: cluster.run("manage.py", "replicas", "verify").returncode == 0, cluster.interval_s + 10, "equal logs"
    )
    found = status(cluster)["replicas"][-1]["findings"]
    assert ["bytes that were good" in found[0], "row 10 was damaged" in found[1]] == [True, True]
    (cluster.order_database(1).parent / "findings.txt").unlink()
    cluster.wait_until(lambda: status(cluster)["replicas"][-1]["findings"] == [], 5, "the findings forgotten")
    check_invariants(cluster)


def test_byte_that_changes_under_the_running_catalog_halts_it_with_the_repair(cluster: Cluster):
    trade(cluster, "before")
    row_10 = cluster.journal.read_bytes().split(b"\n")[10]
    flip_byte(cluster.journal, cluster.journal.read_bytes().index(row_10) + 5)
    assert "bytes that were good are no longer: row 10" in cluster.run("manage.py", "replicas", "verify").stderr
    catalog = status(cluster)["catalog"]
    assert "halted: " in catalog["error"]
    assert "python -m backends.catalog.rebuild" in catalog["error"]
    assert "row 10" in catalog["findings"][0]
    cluster.stop_all()
    assert cluster.run("-m", "backends.catalog.rebuild").returncode == 0
    cluster.start_all()
    trade(cluster, "after", 10)
    check_invariants(cluster)


def test_damaged_last_row_is_no_torn_tail(shared_cluster: Cluster):
    """It was whole, so it may have been acknowledged: the replica is filled again, and says which row it was."""
    cluster = shared_cluster
    cluster.wait_ready()
    trade(cluster, "last-row")
    cluster.kill("order-2")
    path = cluster.order_database(2)
    last = path.read_bytes().count(b"\n") - 1
    flip_byte(path, path.stat().st_size - 3)
    cluster.restart("order-2")

    def found() -> list[str]:
        return [text for one in status(cluster)["replicas"] if one["id"] == 2 for text in one["findings"]]

    (finding,) = cluster.wait_until(found, 10, "what order-2 found")
    cluster.wait_until(cluster.all_in_sync, cluster.interval_s + 5, "order-2 in sync")
    assert finding.startswith(f"order_database.csv: row {last} was damaged: ")
    (path.parent / "findings.txt").unlink()
    check_invariants(cluster)


def status(cluster: Cluster) -> dict[str, Any]:
    """Return what GET /replicas answers, replicas by descending id, the leader first."""
    data: dict[str, Any] = cluster.rest.get("/replicas").json()["data"]
    return data


def test_torn_journal_is_cut_to_what_was_decided(cluster: Cluster):
    """Bytes of a row that was never decided are set aside at the catalog's start."""
    trade(cluster, "before")
    cluster.kill("catalog")
    with cluster.journal.open("ab") as journal:
        journal.write(b"61,1,A00.T,buy,1,")
    cluster.restart("catalog")
    trade(cluster, "after", 10)
    check_invariants(cluster)


def test_damaged_journal_is_refused_and_rebuilt(cluster: Cluster):
    """One clear line with the row and the repair command; the command works, and trade goes on with all orders."""
    trade(cluster, "before")
    cluster.stop_all()
    row_10 = cluster.journal.read_bytes().split(b"\n")[10]
    flip_byte(cluster.journal, cluster.journal.read_bytes().index(row_10) + 5)

    catalog = cluster.processes["catalog"]
    already = len(catalog.output)
    cluster.restart("catalog")
    assert catalog.wait(10) == 1
    refusal = catalog.output[already:]
    assert "Traceback" not in refusal
    assert "10" in refusal
    assert "backends.catalog.rebuild" in refusal or "make rebuild" in refusal

    rebuilt = cluster.run("-m", "backends.catalog.rebuild")
    assert rebuilt.returncode == 0, rebuilt.stdout + rebuilt.stderr
    cluster.start_all()
    trade(cluster, "after", 10)
    assert check_invariants(cluster) > ORDER_COUNT
    assert cluster.journal.read_bytes().startswith(HEADER)
