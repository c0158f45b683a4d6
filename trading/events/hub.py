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
from trading.events.laps import Laps
from trading.events.market import MarketSource, left_out
from trading.events.places import Places
from trading.events.query import EventQuery
from trading.events.replicas import INTERVAL_S, ReplicaSource
from trading.events.ring import EventRing
from trading.events.stream import EventStream
from trading.events.topics import LEADER, ORDER, REPLICA, STOCK
from trading.operator.look import cluster_look
from trading.operator.status import status_data
from trading.process import OncePerProcess, cluster_config, network
from trading.reads.catalog_client import catalog_client
from trading.reads.order_reader import order_reader

# The least time between two rounds of a market that changes all the time: what happens meanwhile shares the calls.
PACE_S = 0.05
PAUSE_S = 0.2  # after a failed call

log = structlog.get_logger()


class EventHub:
    """Opens streams and feeds them from the first one on until the process ends.

    The sources go on when the last stream is gone, so that a client that comes back finds what it missed.
    Any number of threads may use it, and one event loop; nothing waits.

    Attributes:
        ring: the events.
        laps: how streams on the event loop wait.
    """

    def __init__(
        self,
        places: Places,
        make_market: Callable[[EventRing], MarketSource],
        make_replicas: Callable[[EventRing], ReplicaSource],
    ) -> None:
        self._places = places
        self.ring = EventRing(secrets.token_hex(4))
        self.laps = Laps(self.ring)
        self._market = make_market(self.ring)
        self._replicas = make_replicas(self.ring)
        self._lock = threading.Lock()
        self._has_started = False  # guarded by _lock
        self._not_begun = 2  # sources; guarded by _lock
        self._market_has_begun = False  # of the thread that follows the market
        self._stopped = threading.Event()

    def open(self, query: EventQuery, last_event_id: str | None, *, holds_thread: bool = False) -> EventStream:
        """Return a new stream; whoever takes it must close it. `holds_thread`: a thread waits for its pieces.

        Raises:
            ApiError: OVERLOADED, all places are taken, or all of the account; SHUTTING_DOWN.
        """
        if self._stopped.is_set():
            raise ApiError(Reason.SHUTTING_DOWN, "This frontend is stopping.")
        self._start()
        self._places.take(query.account, holds_thread=holds_thread)
        return EventStream(self.ring, query, last_event_id, time.monotonic, lambda: self._places.leave(query.account))

    @property
    def stream_count(self) -> int:
        """How many streams are open."""
        return self._places.taken

    def stop(self) -> None:
        """End all streams and open none any more."""
        self._stopped.set()
        self.ring.close()

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
        if self._market_has_begun:
            return PACE_S if self._market.tick() else 0.0
        self._market.begin()
        self._market_has_begun = True
        self._note_begin(ORDER, STOCK)
        return 0.0

    def _follow_replicas(self) -> None:
        has_begun = False
        while not self._stopped.is_set():
            try:
                self._replicas.tick()
                if not has_begun:
                    has_begun = True
                    self._note_begin(LEADER, REPLICA)
            except Exception:
                log.exception("watching the replicas failed")
            self._stopped.wait(INTERVAL_S)

    def _note_begin(self, *types: str) -> None:
        """Say that a source has begun.

        Nobody knows what a stream that would not wait for it missed; those who waited begin behind this reset.
        """
        self.ring.publish([left_out(*types)])
        with self._lock:
            self._not_begun -= 1
            have_all_begun = not self._not_begun
        if have_all_begun:
            self.ring.begin()


event_hub = OncePerProcess(
    lambda: EventHub(
        Places(settings.EVENT_STREAMS, settings.EVENT_STREAMS_PER_ACCOUNT),
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
