import dataclasses
import io
import json

import pytest

from protos import catalog_pb2
from tests.trading.fake_cluster import CATALOG, CONFIG, FakeCluster
from trading.operator.event_file import NAME, ClusterEvent, EventFile
from trading.operator.history import print_history, read_history


def at(second: int) -> str:
    return f"2031-04-09T13:05:{second:02d}.104511Z"


START = ClusterEvent(at(20), "watch-start", "the health loop of pid 7 on h begins, every 10 s")
LOST = ClusterEvent(at(22), "failure", "replica 3: faulty: Connection refused", 3)
SEEN = ClusterEvent(at(23), "election", "replica 2 leads epoch 2", 2, 2)


class Kept:
    """A cluster with a data directory of its own."""

    def __init__(self, folder):
        self.cluster = FakeCluster()
        self.cluster.catalog.epochs = [
            catalog_pb2.Epoch(epoch=1, leader_id=3, time=at(21)),
            catalog_pb2.Epoch(epoch=2, leader_id=2, time=at(22).replace("104", "204")),
        ]
        self.config = dataclasses.replace(CONFIG, data_dir=folder)

    def keep(self, *events):
        self.config.health_dir.mkdir()
        for event in events:
            EventFile(self.config.health_dir).append(event)

    def read(self):
        return self.cluster.network.run(read_history(self.config))

    def printed(self, form="table", limit=20):
        out, err = io.StringIO(), io.StringIO()
        print_history(self.read(), form, limit, out, err)
        return out.getvalue(), err.getvalue()


@pytest.fixture
def kept(tmp_path):
    return Kept(tmp_path)


def test_the_catalogs_elections_stand_among_what_the_health_loop_saw(kept):
    kept.keep(START, LOST, SEEN)
    out, err = kept.printed()
    assert out.splitlines() == [
        "TIME                      EVENT        WHAT",
        "2031-04-09 13:05:20.104Z  watch-start  the health loop of pid 7 on h begins, every 10 s",
        "2031-04-09 13:05:21.104Z  election     replica 3 leads epoch 1",
        "2031-04-09 13:05:22.104Z  failure      replica 3: faulty: Connection refused",
        "2031-04-09 13:05:22.204Z  election     replica 2 leads epoch 2",
    ]
    assert err == ""


def test_without_the_catalog_the_elections_that_were_seen_are_shown_and_it_is_said(kept):
    kept.keep(START, SEEN)
    kept.cluster.network.dead.add(CATALOG)
    out, err = kept.printed()
    assert "election     replica 2 leads epoch 2" in out
    assert err == "not shown: the catalog's elections: Connection refused\n"


def test_where_no_health_loop_ran_that_is_said(kept):
    out, err = kept.printed()
    assert len(out.splitlines()) == 3
    assert err.startswith(f"not shown: failures and returns: no health loop has kept any in {kept.config.health_dir}")


def test_a_file_that_cannot_be_read_is_named(kept):
    kept.config.health_dir.mkdir()
    (kept.config.health_dir / NAME).mkdir()
    assert "cannot be read: Is a directory" in kept.printed()[1]


def test_a_rebuild_is_no_election(kept):
    kept.keep(START)
    kept.cluster.catalog.epochs = [catalog_pb2.Epoch(epoch=9, leader_id=0, time=at(30))]
    assert kept.read().events[-1] == ClusterEvent(at(30), "rebuild", "the catalog was rebuilt, above epoch 9", None, 9)


def test_the_newest_are_shown_in_each_format(kept):
    kept.keep(START, LOST)
    assert [event["kind"] for event in json.loads(kept.printed("json", limit=2)[0])] == ["failure", "election"]
    assert kept.printed("tsv", limit=1)[0] == (
        "time\tkind\treplica_id\tepoch\ttext\n2031-04-09T13:05:22.204511Z\telection\t2\t2\treplica 2 leads epoch 2\n"
    )
