"""A POST repeated with its key is the same order, whatever happened in between."""

from concurrent.futures import ThreadPoolExecutor

import httpx

from tests.harness.cluster import Cluster
from tests.harness.invariants import check_invariants

CLIENT_COUNT = 8


def test_same_key_is_the_same_order(cluster: Cluster):
    """At once, after a failover, after a restart of everything: same number and body; another quantity is 422."""
    name = next(iter(cluster.initial))
    first = cluster.rest.place(name, "buy", 3, "intent-1")
    assert first.status_code == 201
    assert "Idempotency-Replayed" not in first.headers
    check_replays(cluster, name, first)

    leader = f"order-{cluster.leader()}"
    cluster.kill(leader)
    check_replays(cluster, name, first)
    cluster.restart(leader)

    cluster.wait_until(cluster.all_in_sync, cluster.interval_s + 5, "all replicas in sync")
    assert cluster.stop_all() == dict.fromkeys(cluster.processes, 0)
    cluster.start_all()
    check_replays(cluster, name, first)
    assert check_invariants(cluster) == 1


def check_replays(cluster: Cluster, name: str, first: httpx.Response) -> None:
    """Check that the first order's key gives its answer again, and nothing else."""
    again = cluster.rest.place(name, "buy", 3, "intent-1")
    assert again.status_code == 201, again.text
    assert again.json() == first.json()
    assert again.headers["Location"] == first.headers["Location"]
    assert again.headers["Idempotency-Replayed"] == "true"
    other = cluster.rest.place(name, "buy", 4, "intent-1")
    assert (other.status_code, other.json()["error"]["reason"]) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert other.json()["error"]["outcome"] == "not_executed"


def test_same_key_at_the_same_time_is_one_order(shared_cluster: Cluster):
    """Clients that send one key together all get the one order."""
    name = next(iter(shared_cluster.initial))
    with ThreadPoolExecutor(CLIENT_COUNT) as clients:
        for round_number in range(10):
            answers = list(
                clients.map(
                    lambda _, key=f"together-{round_number}": shared_cluster.rest.place(name, "sell", 1, key),
                    range(CLIENT_COUNT),
                )
            )
            assert {answer.status_code for answer in answers} == {201}
            assert len({answer.json()["data"]["number"] for answer in answers}) == 1


def test_every_answer_names_the_key(shared_cluster: Cluster):
    """A client that sent no key can retry with the one that the server made, also after an error."""
    name = next(iter(shared_cluster.initial))
    placed = shared_cluster.rest.place(name, "sell", 2)
    key = placed.json()["data"]["client_order_id"]
    assert shared_cluster.rest.place(name, "sell", 2, key).json() == placed.json()

    refused = shared_cluster.rest.place(name, "buy", 10**9)
    assert refused.status_code == 409
    assert refused.json()["error"]["client_order_id"]
