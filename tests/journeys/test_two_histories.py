"""The catalog went on from an old copy of its files, and a replica comes back that holds what it forgot."""

import shutil

from tests.harness.cluster import Cluster
from tests.harness.invariants import check_invariants
from tests.harness.load import Load


def trade(cluster: Cluster, prefix: str, count: int) -> None:
    """Place orders and wait until they are settled."""
    with Load.on(cluster, traders=2, count=count, prefix=prefix) as load:
        load.join(60)


def test_the_halt_names_the_replica_that_differs_and_the_way_out_ends_in_trade(cluster: Cluster):
    """As docs/OPERATIONS.md says: the rebuild does not choose; the operator does, and loses what only that one held."""
    catalog, copy = cluster.data_dir / "catalog", cluster.folder / "catalog-copy"
    trade(cluster, "kept", 10)
    cluster.stop_all()
    shutil.copytree(catalog, copy)
    cluster.start_all()
    trade(cluster, "forgotten", 10)
    cluster.stop_all()
    shutil.rmtree(catalog)
    shutil.copytree(copy, catalog)
    for name in ("order-2", "order-3"):
        shutil.rmtree(cluster.data_dir / name)
    for name in ("catalog", "order-2", "order-3", "frontend", "health"):
        cluster.restart(name)
    cluster.wait_until(lambda: cluster.leader() and cluster.frontends_are_open(), 20, "trade without replica 1")
    trade(cluster, "again", 20)

    cluster.restart("order-1")
    cluster.wait_until(lambda: (health := cluster.catalog_health()) and health.halted, 20, "the halt")
    status = cluster.run("manage.py", "replicas", "status").stdout
    assert "replica 1 holds another history" in status
    assert "replica 3 holds" not in status

    cluster.stop_all()
    rebuild = [cluster.data_dir / f"order-{number}" for number in (1, 2, 3)]
    refused = cluster.run("-m", "backends.catalog.rebuild")
    assert refused.returncode != 0
    assert f"{rebuild[0]}/order_database.csv and" in refused.stderr + refused.stdout
    assert "disagree from order" in refused.stderr + refused.stdout

    rebuild[0].rename(cluster.folder / "order-1.aside")
    arguments = [word for path in rebuild[1:] for word in ("--replica-dir", str(path))]
    done = cluster.run("-m", "backends.catalog.rebuild", *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    cluster.start_all()
    trade(cluster, "after", 10)
    check_invariants(cluster)
