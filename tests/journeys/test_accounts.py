"""With authentication on: accounts that trade beside each other, through a restart of everything."""

import random

import httpx
import pytest

from tests.fuzz.run import fuzz
from tests.harness.cluster import Cluster
from tests.harness.seeds import write_seed

ORDER = {"name": "A00.T", "type": "buy", "quantity": 1}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """A cluster with authentication on; its own requests are those of the account `ann`."""
    folder = tmp_path_factory.mktemp("guarded")
    write_seed(folder / "seed.csv")
    cluster = Cluster(folder, folder / "seed.csv", environment={"BOURSE_AUTH": "on"})
    cluster.manage("migrate", "--verbosity", "0")
    cluster.log_in("ann", "trader")
    with cluster:
        yield cluster


def place(cluster, headers, key):
    return cluster.rest.request("POST", "/orders", json=ORDER, headers=headers | {"Idempotency-Key": key})


def test_keys_and_orders_are_the_accounts_own_also_after_a_restart_of_everything(guarded):
    ann = dict(guarded.rest.headers)
    bob = guarded.log_in("bob", "trader")
    first, second = place(guarded, ann, "k1"), place(guarded, bob, "k1")
    assert (first.status_code, second.status_code) == (201, 201)
    number = first.json()["data"]["number"]
    assert second.json()["data"]["number"] == number + 1
    guarded.stop_all()
    guarded.start_all()
    again = place(guarded, ann, "k1")
    assert again.json() == first.json()
    assert again.headers["Idempotency-Replayed"] == "true"
    assert guarded.rest.get(f"/orders/{number}", headers=bob).status_code == 404
    found = guarded.rest.get("/orders?client_order_id=k1", headers=bob).json()["data"]
    assert [order["number"] for order in found] == [number + 1]


def test_revoked_token_is_refused_within_the_stated_time(guarded):
    headers = guarded.log_in("eve", "trader")
    assert guarded.rest.get("/stocks", headers=headers).status_code == 200
    guarded.manage("tokens", "revoke", "eve")
    guarded.wait_until(lambda: guarded.rest.get("/stocks", headers=headers).status_code == 401, 5.5, "a refusal")


def test_without_a_token_only_health_is_told(guarded):
    with httpx.Client(base_url=f"http://{guarded.rest.address}", trust_env=False) as stranger:
        assert stranger.get("/readyz").status_code == 200
        assert stranger.get("/stocks").status_code == 401
        assert stranger.get("/replicas").status_code == 401


def test_schemathesis_finds_nothing(guarded):
    """A short run as a trader; `make fuzz` is the long one, with all roles."""
    guarded.log_in("fuzz", "trader")
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    done = fuzz(guarded, examples=5, seed=seed, phases="examples,coverage,fuzzing")
    assert done.returncode == 0, done.stdout + done.stderr
