"""What must hold whenever the system has come to rest: docs/PROTOCOL.md, "Invariants"."""

from concurrent.futures import ThreadPoolExecutor

from deploy.systems.waiting import wait_until
from tests.checker.check import check_history
from tests.checker.history import JOURNAL, History, PlaceOrder
from tests.harness.cluster import Cluster
from tests.harness.recorder import Recorder

READER_COUNT = 4
# A cached read's second may be exceeded by what a busy machine takes to run a thread.
SLACK_S = 0.3


def check_invariants(cluster: Cluster, recorder: Recorder | None = None) -> int:
    """Check all that can be seen from outside, with what was recorded if anything was; return the number of orders.

    Call it when no client places orders. Waits until all logs are equal: the interval of the health loop and 5 s. Then
    every stock is read past the cache, and every order that was acknowledged is looked up.
    """
    data = wait_for_equal_logs(cluster, cluster.interval_s + 5)
    recorder = recorder or Recorder(cluster.rests)
    placed = [one.order.number for one in recorder.operations if isinstance(one, PlaceOrder) and one.order]
    unread = recorder.failed_reads
    with ThreadPoolExecutor(READER_COUNT) as readers:
        list(readers.map(recorder.read_stock, cluster.initial))
        list(readers.map(recorder.look_up, placed))
    assert recorder.failed_reads == unread, "a stock or an order is not shown"
    assert not recorder.wrong, recorder.wrong[:5]
    # Orders may have been placed beside those that were recorded.
    check_history(recorded_history(cluster, recorder, data, complete=False))
    return data.count(b"\n") - 1


def recorded_history(
    cluster: Cluster, recorder: Recorder, data: bytes, *, orders_before: int = 0, complete: bool = True
) -> History:
    """Return what was recorded, for the checker; `data` are the bytes that every file holds."""
    identity = (cluster.data_dir / "catalog" / "identity.csv").read_text().splitlines()[1]
    return History(
        cluster_id=identity.split(",")[0],
        initial=cluster.initial,
        operations=list(recorder.operations),
        files=dict.fromkeys((JOURNAL, *(f"order-{number}" for number in cluster.replicas)), data),
        orders_before=orders_before,
        complete=complete,
        slack_s=SLACK_S,
    )


def wait_for_equal_logs(cluster: Cluster, within_s: float) -> bytes:
    """Wait until the three order databases and the journal hold the same bytes, and return those."""
    paths = [cluster.journal, *(cluster.order_database(number) for number in cluster.replicas)]

    def equal() -> bytes | None:
        first, *others = [path.read_bytes() if path.exists() else b"" for path in paths]
        return first if all(other == first for other in others) else None

    try:
        return wait_until(equal, within_s, "equal logs") or b""
    except AssertionError as error:
        counts = {path.parent.name: path.read_bytes().count(b"\n") if path.exists() else -1 for path in paths}
        raise AssertionError(f"not equal within {within_s} s, lines: {counts}") from error
