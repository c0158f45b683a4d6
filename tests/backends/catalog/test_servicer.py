"""The catalog over real gRPC, in this process."""

import threading
import time
from typing import Any

import grpc
import pytest

from backends.catalog.__main__ import make_server
from backends.catalog.servicer import WRITER_COUNT, CatalogServicer
from common.calls.failures import RpcFailure
from common.calls.network import Network
from common.calls.reasons import Reason
from protos import catalog_pb2


@pytest.fixture
def served(desk):
    """A function that makes one RPC to the desk's catalog."""
    server = make_server("127.0.0.1:0", desk.catalog)
    server.start()
    network = Network()
    yield lambda request: network.call(server.address, request, 5.0)
    network.close()
    server.stop()


def test_refusal_arrives_with_code_reason_and_metadata(desk, served):
    served(catalog_pb2.BeginEpochRequest(leader_id=2, chain=desk.position[1]))
    with pytest.raises(RpcFailure) as caught:
        served(catalog_pb2.BeginEpochRequest(leader_id=3, chain=desk.position[1]))
    assert (caught.value.code, caught.value.reason) == (grpc.StatusCode.ABORTED, Reason.FENCED)
    assert caught.value.metadata == {"epoch": "1", "leader_id": "2"}


def test_trade_and_look_up(desk, served):
    begun = served(catalog_pb2.BeginEpochRequest(leader_id=2, chain=desk.position[1]))
    desk.epoch = begun.epoch
    answer = served(desk.batch(desk.buy("ACME", 1)))
    assert served(catalog_pb2.ListTradesRequest()).rows == answer.results[0].row
    assert served(catalog_pb2.LookupStockRequest(stock_name="ACME")).stock.quantity == 99
    assert len(served(catalog_pb2.ListStocksRequest(limit=500)).stocks) == 3
    assert served(catalog_pb2.CatalogHealthRequest()).last_number == 1


def test_watch_waits_for_a_change(desk, served):
    cursor = served(catalog_pb2.WatchStocksRequest()).cursor
    answers = []
    watcher = threading.Thread(
        target=lambda: answers.append(served(catalog_pb2.WatchStocksRequest(cursor=cursor, wait_ms=500)))
    )
    watcher.start()
    served(catalog_pb2.SetStockRequest(name="ACME", price_cents=1))
    watcher.join(5)
    assert list(answers[0].names) == ["ACME"]


def test_watch_without_a_change_ends_in_time(served):
    cursor = served(catalog_pb2.WatchStocksRequest()).cursor
    begun = time.monotonic()
    answer = served(catalog_pb2.WatchStocksRequest(cursor=cursor, wait_ms=200))
    assert 0.15 < time.monotonic() - begun < 2
    assert (list(answer.names), answer.cursor, answer.reset) == ([], cursor, False)


class Context:
    """What a servicer needs of a gRPC context."""

    def abort_with_status(self, status):
        raise RuntimeError(status.code, status.details)


def test_too_many_watches_are_refused_but_not_those_that_need_not_wait(desk):
    servicer = CatalogServicer(desk.catalog, watch_places=1)
    context: Any = Context()
    cursor = desk.watch().cursor
    waiting = catalog_pb2.WatchStocksRequest(cursor=cursor, wait_ms=500)
    first = threading.Thread(target=servicer.WatchStocks, args=(waiting, context))
    first.start()
    try:
        refusals: list[Any] = []
        end = time.monotonic() + 0.4
        while not refusals and time.monotonic() < end:
            try:
                servicer.WatchStocks(catalog_pb2.WatchStocksRequest(cursor=cursor, wait_ms=1), context)
            except RuntimeError as error:
                refusals.append(error.args[0])
        assert refusals == [grpc.StatusCode.RESOURCE_EXHAUSTED]
        assert servicer.WatchStocks(catalog_pb2.WatchStocksRequest(cursor=cursor), context).cursor == cursor
        assert servicer.WatchStocks(catalog_pb2.WatchStocksRequest(wait_ms=500), context).reset
    finally:
        first.join()


def test_writers_that_wait_for_a_hanging_disk_leave_threads_for_health(desk, served):
    """Repeats of a batch pile up while a sync hangs; the rest is told to come again."""
    served(catalog_pb2.BeginEpochRequest(leader_id=2, chain=desk.position[1]))
    outcomes = []

    def write():
        try:
            outcomes.append(served(catalog_pb2.SetStockRequest(name="ACME", price_cents=7)))
        except RpcFailure as failure:
            outcomes.append(failure.reason)

    with desk.ledger._writer:  # as a write that hangs holds it
        writers = [threading.Thread(target=write) for _ in range(WRITER_COUNT + 5)]
        for writer in writers:
            writer.start()
        give_up = time.monotonic() + 5
        while len(outcomes) < 5 and time.monotonic() < give_up:
            threading.Event().wait(0.01)
        assert outcomes == [Reason.TOO_MANY_WRITERS] * 5
        assert served(catalog_pb2.CatalogHealthRequest()).epoch == 1
    for writer in writers:
        writer.join()
    assert sum(not isinstance(outcome, Reason) for outcome in outcomes) == WRITER_COUNT
