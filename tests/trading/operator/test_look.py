from tests.trading.fake_cluster import CONFIG, FakeCluster
from trading.operator.look import ClusterLook
from trading.replicas.manager import ReplicaManager


def test_a_look_remembers_when_each_replica_was_last_seen():
    cluster = FakeCluster.led_by(2, epoch=4, last_number=61)
    manager = ReplicaManager(CONFIG, cluster.network, cluster.clock)
    looking = ClusterLook(manager, cluster.network, cluster.clock)
    first = looking.look(measure=True)
    assert all(report.rtt_s is not None for report in first.replicas)
    cluster.kill(1)
    before, after = first.find(1), looking.look().find(1)
    assert before is not None
    assert after is not None
    assert after.health is None
    assert after.last_seen == before.last_seen is not None
