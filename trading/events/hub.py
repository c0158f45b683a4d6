"""The events of one process: two threads that fill the ring once somebody reads it, and the streams that do."""

import secrets
import threading
import time
from collections.abc import Callable, Iterable

import structlog
from django.conf import settings
from prometheus_client.metrics_core import GaugeMetricFamily, Metric

from common.calls.failures import RpcFailure
from common.calls.reasons import Reason
from common.process.metrics import Sampled
from trading.api.errors import ApiError
from trading.api.request_metrics import REGISTRY
from trading.events.market import MarketSource, left_out
from trading.events.query import EventQuery
from trading.events.replicas import INTERVAL_S, ReplicaSource
from trading.events.ring import LEADER, ORDER, REPLICA, STOCK, EventRing
from trading.events.stream import EventStream
from trading.operator.look import cluster_look
from trading.operator.status import status_data
from trading.process import OncePerProcess, cluster_config, network
from trading.reads.catalog_client import catalog_client
from trading.reads.order_reader import order_reader

# The least time between two rounds of a market that changes all the time: what happens meanwhile shares the calls.
PACE_S = 0.1
PAUSE_S = 0.2  # after a failed call
# How long the first streams wait until each source knows where it begins; one that is open earlier gets a reset then.
BEGIN_S = 1.0

log = structlog.get_logger()


class EventHub:
    """Opens streams, at most so many at once, and feeds them from the first one on until the process ends.

    The sources go on when the last stream is gone, so that a client that comes back finds what it missed.
    Any number of threads may use it.

    Attributes:
        ring: the events.
    """

    def __init__(
        self,
        most_streams: int,
        make_market: Callable[[EventRing], MarketSource],
        make_replicas: Callable[[EventRing], ReplicaSource],
    ) -> None:
        self._most_streams = most_streams
        self.ring = EventRing(secrets.token_hex(4))
        self._market = make_market(self.ring)
        self._replicas = make_replicas(self.ring)
        self._lock = threading.Lock()
        self._stream_count = 0  # guarded by _lock
        self._has_started = False  # guarded by _lock
        self._market_begun = threading.Event()
        self._replicas_begun = threading.Event()
        self._is_open_early = False  # a stream is open since before a source had begun; never reset
        self._stopped = threading.Event()

    def open(self, query: EventQuery, last_event_id: str | None) -> EventStream:
        """Return a new stream; whoever takes it must close it.

        Raises:
            ApiError: OVERLOADED, all places are taken; SHUTTING_DOWN.
        """
        self._take_place()
        try:
            self._start()
            for source in (self._market_begun, self._replicas_begun):
                if not source.wait(BEGIN_S):
                    self._is_open_early = True
            return EventStream(self.ring, query, last_event_id, time.monotonic, self._leave_place)
        except BaseException:
            self._leave_place()
            raise

    @property
    def stream_count(self) -> int:
        """How many streams are open."""
        return self._stream_count

    def stop(self) -> None:
        """End all streams and open none any more."""
        self._stopped.set()
        self.ring.close()

    def _take_place(self) -> None:
        with self._lock:
            if self._stopped.is_set():
                raise ApiError(Reason.SHUTTING_DOWN, "This frontend is stopping.")
            if self._stream_count >= self._most_streams:
                raise ApiError(Reason.OVERLOADED, f"All {self._most_streams} places for streams of events are taken.")
            self._stream_count += 1

    def _leave_place(self) -> None:
        with self._lock:
            self._stream_count -= 1

    def _start(self) -> None:
        with self._lock:
            if self._has_started:
                return
            self._has_started = True
        for name, run in (("events-market", self._follow_market), ("events-replicas", self._follow_replicas)):
            threading.Thread(target=run, name=name, daemon=True).start()

    def _follow_market(self) -> None:
        is_failing = False
        while not self._stopped.is_set():
            began = time.monotonic()
            try:
                pause_s = self._market_round()
            except RpcFailure as failure:
                if not is_failing:
                    log.warning("orders cannot be followed", failure=str(failure))
                is_failing, pause_s = True, PAUSE_S
            except Exception:
                log.exception("following orders failed")
                is_failing, pause_s = True, PAUSE_S
            else:
                is_failing = False
            self._stopped.wait(max(0.0, pause_s - (time.monotonic() - began)))

    def _market_round(self) -> float:
        """Begin, or tick; return how long a round takes at least."""
        if self._market_begun.is_set():
            return PACE_S if self._market.tick() else 0.0
        self._market.begin()
        self._note_begin(self._market_begun, ORDER, STOCK)
        return 0.0

    def _follow_replicas(self) -> None:
        while not self._stopped.is_set():
            try:
                self._replicas.tick()
                if not self._replicas_begun.is_set():
                    self._note_begin(self._replicas_begun, LEADER, REPLICA)
            except Exception:
                log.exception("watching the replicas failed")
            self._stopped.wait(INTERVAL_S)

    def _note_begin(self, begun: threading.Event, *types: str) -> None:
        begun.set()
        if self._is_open_early:  # nobody knows what that stream missed
            self.ring.publish([left_out(*types)])


event_hub = OncePerProcess(
    lambda: EventHub(
        settings.EVENT_STREAMS,
        lambda ring: MarketSource(
            lambda cursor, wait_ms: network().run(catalog_client().watch(cursor, wait_ms)),
            lambda request: network().run(order_reader().list_orders(request)),
            lambda names: network().run(catalog_client().read_stocks(names)),
            ring.publish,
        ),
        lambda ring: ReplicaSource(lambda: status_data(cluster_look().look(), cluster_config()), ring.publish),
    )
)


def _sample() -> Iterable[Metric]:
    yield GaugeMetricFamily(
        "bourse_frontend_event_streams", "Streams of GET /events that are open", value=event_hub().stream_count
    )


REGISTRY.register(Sampled(_sample))
