"""What all open pages of one process share: a look at the cluster once a second, and what it told over time."""

import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from trading.api.request_metrics import STOCK_READS
from trading.operator.event_file import ClusterEvent
from trading.operator.history import read_history
from trading.operator.kept import Kept
from trading.operator.look import cluster_look
from trading.operator.status import status_data
from trading.process import OncePerProcess, cluster_config, network

LOOK_S = 1.0
SAMPLES_KEPT = 121  # two minutes
HISTORY_S = 5.0
# What is told of the past; that a health loop was started or ended is no matter of the cluster.
_LEFT_OUT = ("watch-start", "watch-end")


class Sample(NamedTuple):
    """What was counted up to one moment: orders of the cluster, and this process's reads of stocks by the cache."""

    at: float  # monotonic, seconds
    last_number: int
    hits: int
    reads: int


class Board:
    """Looks while somebody watches, and costs nothing otherwise. Any number of threads may use it."""

    def __init__(
        self,
        look: Callable[[], dict[str, Any]],
        read_events: Callable[[], Sequence[ClusterEvent]],
        count_reads: Callable[[], tuple[int, int]],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`look` returns the status as GET /replicas shows it; `count_reads` hits, and all reads through the cache."""
        self._look = look
        self._count_reads = count_reads
        self._monotonic = monotonic
        self._samples: deque[Sample] = deque(maxlen=SAMPLES_KEPT)  # written by the thread that looks
        self._status = Kept(self._take, LOOK_S, monotonic)
        self._events = Kept(read_events, HISTORY_S, monotonic)

    def status(self) -> dict[str, Any]:
        """Return the state of the order service, about LOOK_S old at most."""
        return self._status.get()

    def samples(self) -> list[Sample]:
        """Return the samples of the last looks, oldest first. There are gaps where nobody watched."""
        self._status.get()
        return list(self._samples)

    def events(self) -> list[ClusterEvent]:
        """Return what happened to the cluster, oldest first: an election at once, the rest within HISTORY_S."""
        events = self._events.get(self.status()["epoch"])
        return [event for event in events if event.kind not in _LEFT_OUT]

    def _take(self) -> dict[str, Any]:
        status = self._look()
        hits, reads = self._count_reads()
        # Numbers only rise; where nobody answers, nobody tells the highest.
        last_number = max(status["last_number"], self._samples[-1].last_number if self._samples else 0)
        self._samples.append(Sample(self._monotonic(), last_number, hits, reads))
        return status


def count_cached_reads() -> tuple[int, int]:
    """Return how many stocks this process has read from its cache, and how many it has looked for there."""
    counts = {
        sample.labels["cache"]: int(sample.value)
        for metric in STOCK_READS.collect()
        for sample in metric.samples
        if sample.name.endswith("_total")
    }
    hits = counts.get("hit", 0)
    return hits, hits + counts.get("miss", 0)


board = OncePerProcess(
    lambda: Board(
        lambda: status_data(cluster_look().look(), cluster_config()),
        lambda: network().run(read_history(cluster_config())).events,
        count_cached_reads,
    )
)
