"""The operator's commands on a real system under load: what they say is true, and no client notices."""

import time
from collections.abc import Iterator

import pytest

from common.rows import HEADER, Row, encode_row, parse_row
from tests.harness.cluster import Cluster
from tests.harness.invariants import check_invariants
from tests.harness.load import Load
from tests.harness.seeds import write_seed
from tests.harness.size import sized

CLIENT_COUNT = 8


@pytest.fixture(scope="module")
def operated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster whose health loop looks every second; the tests go on where the one before left it."""
    folder = tmp_path_factory.mktemp("operated")
    write_seed(folder / "seed.csv", count=20)
    with Cluster(folder, folder / "seed.csv", interval_s=1) as running:
        yield running


def replicas(cluster: Cluster, *arguments: str) -> tuple[int, str, str]:
    """Run `manage.py replicas` and return its exit code, stdout and stderr."""
    done = cluster.run("manage.py", "replicas", *arguments)
    return done.returncode, done.stdout, done.stderr


def test_switchover_under_load_fails_no_request(operated: Cluster):
    """Every request of every client is answered with its order or a refusal, at its first attempt."""
    with Load.on(operated, traders=CLIENT_COUNT, pause_s=0.05) as load:
        for target in [1, 2] * sized(quick=1, full=10):
            moment = time.monotonic()
            code, out, err = replicas(operated, "switchover", "--to", str(target))
            assert (code, err) == (0, "")
            assert out.startswith(f"replica {target} leads, epoch ")
            wait_for_orders(operated, load, moment)
        code, out, _ = replicas(operated, "verify")
        assert (code, out.count("equal\n")) == (0, 3)
    print(f"{len(load.acknowledged)} orders, the longest took {load.longest_s():.2f} s")
    assert load.errors() == []
    assert load.longest_s() < 4.0
    check_invariants(operated, load.recorder)


def wait_for_orders(cluster: Cluster, load: Load, moment: float) -> None:
    """Wait until orders that were begun after this moment are acknowledged."""
    cluster.wait_until(lambda: load.acknowledged_since(moment) > 20, 10, "orders after a switchover")


def test_chosen_leader_stays_and_a_second_loop_is_refused(operated: Cluster):
    """Periods of the health loop pass, each of which would make the highest id the leader; the loop holds its lock."""
    assert replicas(operated, "switchover", "--to", "1")[0] == 0
    since = time.monotonic()
    code, _, err = replicas(operated, "watch")
    loop = f"a health loop runs already on {operated.data_dir / 'health'}: pid {operated.processes['health'].pid} "
    assert (code, loop in err) == (1, True)
    operated.wait_until(lambda: time.monotonic() - since > 3 * operated.interval_s, 30, "three periods")
    assert replicas(operated, "leader") == (0, "1\n", "")
    assert replicas(operated, "switchover", "--to", "2", "--hold", "0")[0] == 0
    operated.wait_until(lambda: operated.leader() == 3, 10, "the highest id leads again")


def test_planted_difference_is_named(operated: Cluster):
    """A replica's log is written anew under it, with another quantity in one order and a chain that fits: no check of
    the replica's own can see that, its comparison with the catalog does."""
    operated.wait_ready()
    with Load.on(operated, traders=2) as load:
        wait_for_orders(operated, load, time.monotonic())
    operated.wait_until(operated.all_in_sync, 10, "all replicas in sync")
    rows = [parse_row(line) for line in operated.order_database(2).read_bytes()[len(HEADER) :].splitlines()]
    number = len(rows) // 2
    old, new = plant(operated, rows, number)
    code, out, err = replicas(operated, "verify")
    assert code == 1, err
    lines = out.splitlines()
    at = lines.index(f"replica 2: differs first at order {number}")
    assert lines[at + 1 : at + 3] == [f"  catalog    {old}", f"  replica 2  {new}"]
    assert [line for line in lines if line.endswith(": equal")] == ["replica 3: equal", "replica 1: equal"]


def plant(cluster: Cluster, rows: list[Row], number: int) -> tuple[str, str]:
    """Change one digit of an order's quantity in replica 2's file; return the old and the new row."""
    chain = rows[number - 2].chain
    start = len(HEADER) + sum(len(encode(row, 0)[0]) for row in rows[: number - 1])
    planted = []
    for row in rows[number - 1 :]:
        quantity = row.quantity % 9 + 1 if row.transaction_number == number else row.quantity
        line, chain = encode(row._replace(quantity=quantity), chain)
        planted.append(line)
    with cluster.order_database(2).open("r+b") as file:
        file.seek(start)
        old = file.readline()
        file.seek(start)
        file.write(b"".join(planted))
    return old.decode().rstrip(), planted[0].decode().rstrip()


def encode(row: Row, prev_chain: int) -> tuple[bytes, int]:
    """Return the line of a row behind another chain, and its own chain."""
    fields = row._asdict()
    del fields["chain"]
    return encode_row(**fields, prev_chain=prev_chain)


def test_operator_by_rest_needs_the_key_of_the_system(operated: Cluster):
    """From loopback too: a proxy or a tunnel may bring anybody there."""
    target = next(number for number in operated.replicas if number != operated.leader())
    refused = operated.rest.request("POST", "/replicas/switchover", json={"to": target})
    assert (refused.status_code, refused.json()["error"]["reason"]) == (403, "PERMISSION_DENIED")
    assert operated.leader() != target
    headers = {"Authorization": f"Bearer {operated.operator_key}"}
    done = operated.rest.request("POST", "/replicas/switchover", json={"to": target}, headers=headers)
    assert (done.status_code, done.json()["data"]["leader"]) == (200, target)
    assert (operated.data_dir / "operator_key").stat().st_mode & 0o777 == 0o600
