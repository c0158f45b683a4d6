"""`python -m benchmarks.floor.backend catalog|leader|follower HOST:PORT FILE [PEER ...]`: a backend of the floor.

The leader's peers are the catalog and the followers. Each order becomes a row in FILE, synced before it is answered.
"""

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.message import Message

from backends.serving.server import SERVER_OPTIONS
from benchmarks.floor.gatherer import Gatherer
from benchmarks.floor.messages import DECIDED, PLACED, ROW, TRADE
from common.calls.network import Network
from common.calls.steps import Call, Steps, Together
from common.calls.streams import CallStreamServicer, Handler
from common.calls.waiting_room import WORKER_COUNT
from protos import calls_pb2_grpc, catalog_pb2, order_pb2

CALL_TIMEOUT_S = 5.0


class SyncedFile:
    """A file that rows are appended to; each append is one write and one fdatasync."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._lock = threading.Lock()

    def append(self, rows: bytes) -> None:
        """Append rows; they are on the disk when this returns."""
        with self._lock:
            os.write(self._descriptor, rows)
            os.fdatasync(self._descriptor)


class Catalog:
    """Answers every trade with a row."""

    def __init__(self, file: SyncedFile) -> None:
        self._file = file

    def update_stock(self, request: catalog_pb2.UpdateStockRequest, _context: Any) -> catalog_pb2.UpdateStockResponse:
        """Sync a row for each trade."""
        results = [DECIDED] * len(request.trades)
        self._file.append(ROW * len(results))
        return catalog_pb2.UpdateStockResponse(results=results)


class Follower:
    """Appends what it is sent."""

    def __init__(self, file: SyncedFile) -> None:
        self._file = file

    def sync_order(self, request: order_pb2.SyncOrderRequest, _context: Any) -> order_pb2.SyncOrderResponse:
        """Sync rows."""
        self._file.append(request.rows)
        return order_pb2.SyncOrderResponse(equal_number=1)


class Leader:
    """Gathers orders; has the catalog decide a batch, then syncs it here and at the followers side by side."""

    def __init__(self, file: SyncedFile, catalog: str, followers: list[str]) -> None:
        self._file = file
        self._catalog = catalog
        self._followers = followers
        self._network = Network()
        self._gatherer = Gatherer(self._turn)

    def place_orders(self, request: order_pb2.PlaceOrdersRequest, _context: Any) -> order_pb2.PlaceOrdersResponse:
        """Place orders, together with those of other calls."""
        return order_pb2.PlaceOrdersResponse(results=self._gatherer.place(request.orders))

    def _turn(self, orders: list[catalog_pb2.NewOrder]) -> list[order_pb2.PlaceOrdersResult]:
        self._network.run(self._decide_and_sync(orders))
        return [PLACED] * len(orders)

    def _decide_and_sync(self, orders: list[catalog_pb2.NewOrder]) -> Steps[None]:
        update = catalog_pb2.UpdateStockRequest(epoch=1, batch_seq=1, first_number=1, trades=[TRADE] * len(orders))
        decided: catalog_pb2.UpdateStockResponse = yield Call(self._catalog, update, CALL_TIMEOUT_S)
        rows = b"".join(result.row for result in decided.results)
        sync = order_pb2.SyncOrderRequest(cluster_id="0" * 32, prev_number=1, rows=rows)
        calls = [Call(one, sync, CALL_TIMEOUT_S) for one in self._followers]
        for outcome in (yield Together(calls, meanwhile=lambda: self._file.append(rows))):
            if isinstance(outcome, Exception):
                raise outcome


def main() -> None:
    """Serve until killed."""
    role, address, path, *peers = sys.argv[1:]
    server = grpc.server(ThreadPoolExecutor(WORKER_COUNT), options=SERVER_OPTIONS)
    file = SyncedFile(Path(path))
    handlers: dict[type[Message], Handler] = {}
    if role == "catalog":
        handlers[catalog_pb2.UpdateStockRequest] = Catalog(file).update_stock
    elif role == "follower":
        handlers[order_pb2.SyncOrderRequest] = Follower(file).sync_order
    else:
        handlers[order_pb2.PlaceOrdersRequest] = Leader(file, peers[0], peers[1:]).place_orders
    calls_pb2_grpc.add_CallStreamServiceServicer_to_server(CallStreamServicer(handlers), server)
    server.add_insecure_port(address)
    server.start()
    server.wait_for_termination()


if __name__ == "__main__":
    main()
