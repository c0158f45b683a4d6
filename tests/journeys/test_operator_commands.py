"""The operator's commands on a real system under load: what they say is true, and no client notices."""

import subprocess
import sys
import time

from tests.harness.cluster import Cluster
from tests.harness.invariants import check_invariants
from tests.harness.load import Load
from tests.harness.process import ROOT
from tests.harness.size import sized

COMMAND_WITHIN_S = 30.0
CLIENT_COUNT = 8


def replicas(cluster: Cluster, *arguments: str) -> tuple[int, str, str]:
    """Run `manage.py replicas` and return its exit code, stdout and stderr."""
    done = subprocess.run(
        [sys.executable, "manage.py", "replicas", *arguments],
        cwd=ROOT,
        env=cluster.environment,
        capture_output=True,
        text=True,
        timeout=COMMAND_WITHIN_S,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_switchover_under_load_fails_no_request(cluster: Cluster):
    """Every request of every client is answered with its order or a refusal, at its first attempt."""
    targets = [1, 2, 3] * sized(quick=1, full=5)
    with Load(cluster.rest, list(cluster.initial), clients=CLIENT_COUNT, pause_s=0.01) as load:
        for target in targets:
            moment = time.monotonic()
            code, out, err = replicas(cluster, "switchover", "--to", str(target))
            assert (code, err) == (0, "")
            assert out.startswith(f"replica {target} leads, epoch ")
            assert replicas(cluster, "leader") == (0, f"{target}\n", "")
            cluster.wait_until(lambda since=moment: load.acknowledged_since(since) > 20, 10, "orders afterwards")  # type: ignore[misc]
    print(f"{len(load.acknowledged)} orders, the longest took {load.longest_wait_s():.2f} s")
    assert {status for order in load.history for status in order.statuses} <= {201, 409}
    assert all(len(order.statuses) == 1 for order in load.history)
    assert load.longest_wait_s() < 1.5
    check_invariants(cluster, load.history)


def test_chosen_leader_stays_and_a_second_loop_is_refused(cluster: Cluster):
    """Two periods of the health loop pass, which would make the highest id the leader; its lock is held."""
    assert replicas(cluster, "switchover", "--to", "1")[0] == 0
    since = time.monotonic()
    code, _, err = replicas(cluster, "watch")
    assert code == 1
    assert f"a health loop runs already on {cluster.data_dir / 'health'}: pid {cluster.processes['health'].pid}" in err
    cluster.wait_until(lambda: time.monotonic() - since > 3 * cluster.interval_s, 30, "three periods")
    assert cluster.leader() == 1
    assert replicas(cluster, "wait", "--for", "in-sync", "--timeout", "5") == (0, "leader 1, in sync 3/3 at 0\n", "")
    assert replicas(cluster, "switchover", "--to", "2", "--hold", "0")[0] == 0
    cluster.wait_until(lambda: cluster.leader() == 3, 4 * cluster.interval_s, "the highest id leads again")
