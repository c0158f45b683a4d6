"""A catalog on real files in one directory, that a test can stop, crash and start again."""

import itertools
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from backends.catalog.batch import Batch
from backends.catalog.catalog import Catalog
from backends.storage.csv.data_directory import DataDirectory
from backends.storage.csv.files import OS_FILES, Files
from backends.storage.csv.ledger import open_ledger
from backends.storage.csv.small_files import SmallFiles
from backends.storage.values import Stock
from protos import catalog_pb2
from protos.catalog_pb2 import BUY, SELL
from tests.backends.storage.csv.log_files import CLUSTER, die

STOCKS = (("ACME", 4135, 100), ("Blue.Finch", 1, 0), ("T", 10**11, 10**15))


class Desk:
    """One leader's view of a catalog: it counts batches and numbers as a leader does."""

    def __init__(
        self,
        path: Path,
        *,
        files: Files = OS_FILES,
        stocks: Iterable[tuple[str, int, int]] = STOCKS,
        on_batch: Callable[[Batch], None] = lambda _batch: None,
        is_open: bool = True,
    ) -> None:
        self.path = path
        self.files = files
        self.now = datetime(2031, 4, 9, 13, 5, 22, 104511, tzinfo=UTC)
        self.epoch = 0
        self.batch_seq = 0
        self.keys = itertools.count(1)
        self._stocks = stocks
        self._on_batch = on_batch
        self._runs = itertools.count(1)
        if is_open:
            self.open()

    def open(self) -> Catalog:
        """Start the catalog on what the files hold."""
        self.directory = DataDirectory.open(self.path, "catalog", files=self.files)
        try:
            self.ledger = open_ledger(
                self.directory,
                lambda: [Stock.new(*stock) for stock in self._stocks],
                SmallFiles(self.path, self.files, die),
                run_id=f"run{next(self._runs)}",
                new_cluster_id=lambda: CLUSTER,
            )
        except BaseException:
            self.directory.close()
            raise
        self.catalog = Catalog(self.ledger, utc_now=lambda: self.now, on_batch=self._on_batch)
        return self.catalog

    def stop(self) -> None:
        """Stop cleanly."""
        self.ledger.close()

    def crash(self) -> None:
        """End without a checkpoint; only the lock is given up."""
        self.directory.close()

    def restart(self) -> Catalog:
        self.stop()
        return self.open()

    @property
    def position(self) -> tuple[int, int]:
        health = self.health()
        return health.last_number, health.last_chain

    def health(self) -> catalog_pb2.CatalogHealthResponse:
        return self.catalog.health_check(catalog_pb2.CatalogHealthRequest())

    def begin(self, leader_id: int = 3, **fields: int) -> catalog_pb2.BeginEpochResponse:
        """Begin an epoch as one who knows everything; `fields` says what it knows otherwise."""
        number, chain = self.position
        request = catalog_pb2.BeginEpochRequest(
            leader_id=leader_id, expected_epoch=self.health().epoch, number=number, chain=chain
        )
        response = self.catalog.begin_epoch(changed(request, fields))
        self.epoch, self.batch_seq = response.epoch, 0
        return response

    def batch(self, *trades: catalog_pb2.NewOrder, **fields: int) -> catalog_pb2.UpdateStockRequest:
        """Return the next batch; `fields` are given instead of the right ones."""
        number, chain = self.position
        request = catalog_pb2.UpdateStockRequest(
            epoch=self.epoch, batch_seq=self.batch_seq + 1, first_number=number + 1, prev_chain=chain, trades=trades
        )
        return changed(request, fields)

    def send(self, *trades: catalog_pb2.NewOrder, **fields: int) -> list[catalog_pb2.TradeResult]:
        """Send the next batch and return its results."""
        request = self.batch(*trades, **fields)
        self.batch_seq = request.batch_seq
        return list(self.catalog.update_stock(request).results)

    def trade(self, order_type: Any, name: str, quantity: int, **fields: Any) -> catalog_pb2.NewOrder:
        fields.setdefault("idempotency_key", f"key-{next(self.keys)}")
        return catalog_pb2.NewOrder(stock_name=name, order_type=order_type, quantity=quantity, **fields)

    def buy(self, name: str, quantity: int, **fields: Any) -> catalog_pb2.NewOrder:
        return self.trade(BUY, name, quantity, **fields)

    def sell(self, name: str, quantity: int, **fields: Any) -> catalog_pb2.NewOrder:
        return self.trade(SELL, name, quantity, **fields)

    def quantity(self, name: str) -> int:
        return self.catalog.lookup_stock(catalog_pb2.LookupStockRequest(stock_name=name)).stock.quantity

    def set_stock(self, **fields: Any) -> catalog_pb2.SetStockResponse:
        return self.catalog.set_stock(catalog_pb2.SetStockRequest(**fields))

    def rows(self, after: int = 0, limit: int = 0) -> catalog_pb2.ListTradesResponse:
        return self.catalog.list_trades(catalog_pb2.ListTradesRequest(after=after, limit=limit))

    def watch(self, cursor: str = "") -> catalog_pb2.WatchStocksResponse:
        return self.catalog.watch_stocks(catalog_pb2.WatchStocksRequest(cursor=cursor))

    def tick(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def changed(request, fields):
    """Return the message with some fields set otherwise."""
    for name, value in fields.items():
        setattr(request, name, value)
    return request
