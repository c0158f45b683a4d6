"""What all pages share: looks at the cluster, samples, and the past."""

import pytest

from trading.api.request_metrics import STOCK_READS
from trading.dashboard.board import HISTORY_S, LOOK_S, SAMPLES_KEPT, Board, count_cached_reads
from trading.operator.event_file import ClusterEvent


class System:
    """What a board looks at."""

    def __init__(self):
        self.status = {"epoch": 1, "last_number": 10}
        self.events = [ClusterEvent("2031-04-09T13:05:22.104511Z", "election", "replica 3 leads epoch 1", 3, 1)]
        self.looks = 0
        self.history_reads = 0

    def look(self):
        self.looks += 1
        return dict(self.status)

    def read_events(self):
        self.history_reads += 1
        return list(self.events)


@pytest.fixture
def system():
    return System()


@pytest.fixture
def board(system, clock):
    return Board(system.look, system.read_events, lambda: (3, 4), clock)


def test_all_panels_of_all_pages_share_one_look_a_second(board, system, clock):
    for _ in range(3):
        board.status()
        board.samples()
        board.events()
    assert (system.looks, system.history_reads) == (1, 1)
    clock.now += LOOK_S
    board.status()
    assert system.looks == 2


def test_each_look_leaves_a_sample_and_old_ones_give_way(board, system, clock):
    for _ in range(SAMPLES_KEPT + 5):
        system.status["last_number"] += 1
        board.status()
        clock.now += LOOK_S
    samples = board.samples()
    assert len(samples) == SAMPLES_KEPT
    assert samples[-1][1:] == (10 + SAMPLES_KEPT + 5, 3, 4)


def test_while_nobody_tells_the_last_number_it_is_what_it_was(board, system, clock):
    board.status()
    clock.now += LOOK_S
    system.status["last_number"] = 0
    assert [sample.last_number for sample in board.samples()] == [10, 10]


def test_an_election_is_told_at_once_other_events_soon(board, system, clock):
    assert len(board.events()) == 1
    system.events.append(ClusterEvent("2031-04-09T13:06:00.000000Z", "failure", "replica 3: faulty", 3))
    clock.now += LOOK_S
    assert len(board.events()) == 1
    system.status["epoch"] = 2
    clock.now += LOOK_S
    assert len(board.events()) == 2
    system.events.append(ClusterEvent("2031-04-09T13:07:00.000000Z", "return", "replica 3: in-sync", 3))
    clock.now += HISTORY_S
    assert len(board.events()) == 3


def test_that_a_health_loop_was_started_is_no_event_of_the_cluster(board, system):
    system.events.append(ClusterEvent("2031-04-09T13:06:00.000000Z", "watch-start", "watching"))
    assert [event.kind for event in board.events()] == ["election"]


def test_reads_past_the_cache_are_not_among_those_of_the_cache():
    hits, reads = count_cached_reads()
    for cache in ("hit", "hit", "miss", "bypass"):
        STOCK_READS.labels(cache).inc()
    assert count_cached_reads() == (hits + 2, reads + 3)
