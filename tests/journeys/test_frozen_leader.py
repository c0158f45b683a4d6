"""A leader stops without dying, and wakes up when another one leads."""

import time

from tests.harness.cluster import Cluster
from tests.harness.invariants import check_invariants
from tests.harness.load import Load
from tests.harness.size import sized

FROZEN_S = sized(quick=5, full=10)
ORDERS_AGAIN_WITHIN_S = 6.0


def test_orders_go_on_without_it_and_it_returns(cluster: Cluster):
    """Orders go on within 6 s; the one that wakes follows, catches up and ends identical."""
    frozen = cluster.leader()
    with Load.on(cluster, traders=8, pause_s=0.02) as load:
        cluster.wait_until(lambda: len(load.acknowledged) >= 20, 10, "orders")
        cluster.freeze(f"order-{frozen}")
        moment = time.monotonic()
        cluster.wait_until(lambda: load.acknowledged_since(moment) >= 20, ORDERS_AGAIN_WITHIN_S, "orders without it")
        print(f"orders again after {time.monotonic() - moment:.1f} s")
        cluster.wait_until(lambda: time.monotonic() - moment >= FROZEN_S, FROZEN_S + 1, "the frozen time to pass")
        cluster.resume(f"order-{frozen}")
        cluster.wait_until(cluster.all_in_sync, 20, "all replicas in sync again")
    check_invariants(cluster, load.recorder)


def test_frozen_follower_is_left_out(cluster: Cluster):
    """Orders wait for a follower that does not answer for about a second, once."""
    follower = next(number for number in cluster.replicas if number != cluster.leader())
    with Load.on(cluster, traders=8, pause_s=0.02) as load:
        cluster.wait_until(lambda: len(load.acknowledged) >= 20, 10, "orders")
        cluster.freeze(f"order-{follower}")
        moment = time.monotonic()
        cluster.wait_until(lambda: load.acknowledged_since(moment) >= 20, 4, "orders without it")
        cluster.resume(f"order-{follower}")
        cluster.wait_until(cluster.all_in_sync, cluster.interval_s + 8, "all replicas in sync again")
    assert load.longest_s() < 4
    check_invariants(cluster, load.recorder)
