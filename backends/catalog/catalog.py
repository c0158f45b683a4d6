"""What the catalog does with each message: the logic of one catalog, without gRPC, threads or clocks of its own."""

import threading
from collections.abc import Callable
from datetime import datetime

import grpc
import structlog

from backends.catalog.batch import Batch, Place
from backends.catalog.gate import EpochGate, fenced
from backends.catalog.requests import (
    check_begin_epoch,
    check_list_epochs,
    check_list_stocks,
    check_list_trades,
    check_lookup,
    check_lookup_key,
    check_set_stock,
    check_update,
    check_watch,
)
from backends.failures import Diverged, Exhausted, Halted, OutOfRange, Unavailable
from backends.storage.changes import ChangeFeed
from backends.storage.csv.checkpoint_file import CheckpointFile
from backends.storage.csv.epochs import Epoch
from backends.storage.csv.files import DiskFull
from backends.storage.csv.recovery import REBUILD_COMMAND, CatalogState
from backends.storage.csv.rollback import proof_of_rollback, write_marker
from backends.storage.known_keys import key_of
from backends.storage.model import stock_to_be
from backends.storage.stocks import StockTable
from common.calls.failures import RpcFailure
from common.process.failpoints import failpoint
from common.rows import time_text
from protos import catalog_pb2

log = structlog.get_logger()

MAX_ROWS_BYTES = 1 << 20
# The oldest write or sync under way is older than this: the disk hangs.
STALLED_S = 2.0


class Behind(RpcFailure):
    """The batch begins at or below the last number: others have traded since. Metadata: last_number."""

    code = grpc.StatusCode.ABORTED
    reason = "BEHIND"


class Catalog:
    """The stocks, the journal that decides every trade, and the epoch that may trade.

    One method for each RPC of protos/catalog.proto: request in, response out, RpcFailure raised. Any number of threads
    may call any of them. The writers (UpdateStock, BeginEpoch, SetStock) take turns, each for the length of its sync;
    the others never wait for a batch or a sync.

    Nothing is visible before its sync: a batch is decided on an overlay, appended, then applied.
    """

    # Lock order: _writer, then the turn of the checkpoint file, then the locks inside StockTable and ChangeFeed.

    def __init__(
        self,
        state: CatalogState,
        *,
        run_id: str,
        utc_now: Callable[[], datetime],
        on_batch: Callable[[Batch], None] = lambda _batch: None,
    ) -> None:
        """Serve what the files hold. `run_id` must differ from that of every earlier run; `utc_now` is aware.

        `on_batch` is told of each batch once it is applied.
        """
        self.cluster_id = state.cluster_id
        self.changes = ChangeFeed(run_id)
        self._utc_now = utc_now
        self._on_batch = on_batch
        self._journal = state.journal
        self._small_files = state.small_files
        self._stocks = StockTable(state.stocks, state.journal.position, self.changes)
        self._writer = threading.Lock()
        self._epochs = state.epochs  # guarded by _writer, like all below; the newest epoch and _halted are read freely
        self._keys = state.keys  # read freely too
        self._gate = EpochGate()
        self._last_created_at = state.last_created_at
        self._halted = ""
        self._closed = False
        self._checkpoint_file = CheckpointFile(state.small_files, self._stocks)

    def lookup_stock(self, request: catalog_pb2.LookupStockRequest) -> catalog_pb2.LookupStockResponse:
        """Return one stock as of the last synced trade."""
        self._refuse_if_stopped()
        check_lookup(request)
        return self._stocks.lookup(request.name)

    def list_stocks(self, request: catalog_pb2.ListStocksRequest) -> catalog_pb2.ListStocksResponse:
        """Return a page of the stocks, or those named, all of one moment."""
        self._refuse_if_stopped()
        check_list_stocks(request)
        if request.names:
            return self._stocks.named(request.names)
        return self._stocks.page(request.after_name, request.limit)

    def lookup_key(self, request: catalog_pb2.LookupKeyRequest) -> catalog_pb2.LookupKeyResponse:
        """Return the number of the trade that an account's key made."""
        self._refuse_if_stopped()
        check_lookup_key(request)
        # Read before the keys: those of all trades up to this number are among them.
        last_number, _ = self._stocks.position
        number, known_from = self._keys.find(key_of(request.account, request.idempotency_key))
        return catalog_pb2.LookupKeyResponse(
            number=number or 0, known_from=max(known_from, 1), last_number=max(last_number, number or 0)
        )

    def update_stock(self, request: catalog_pb2.UpdateStockRequest) -> catalog_pb2.UpdateStockResponse:
        """Take a batch of trades; what was accepted is synced when it returns. A repeat gets the stored answer."""
        check_update(request)
        with self._writer:
            self._refuse_if_stopped()
            answer = self._gate.stored_answer(self._epochs.newest, request.epoch, request.batch_seq)
            if answer is None:
                answer = self._answer_batch(request)
                self._gate.store(request.batch_seq, answer)
                failpoint("catalog-answering")
        if isinstance(answer, RpcFailure):
            raise answer.with_traceback(None)  # a stored one is raised again: its traces would pile up
        return answer

    def begin_epoch(self, request: catalog_pb2.BeginEpochRequest) -> catalog_pb2.BeginEpochResponse:
        """Begin a new epoch, durably, unless the caller's log proves that this catalog lost history."""
        check_begin_epoch(request)
        with self._writer:
            self._refuse_if_stopped()
            self._compare(request)
            newest = self._epochs.newest
            if request.expected_epoch != newest.epoch:
                raise fenced(newest, request.expected_epoch)
            epoch = Epoch(self._epochs.next, request.leader_id, time_text(self._utc_now()))
            try:
                self._epochs.append(epoch)
            except DiskFull as error:
                raise Exhausted("the catalog's disk is full", reason="DISK_FULL") from error
            self._gate.begin(epoch.epoch)
            last_number, last_chain = self._stocks.position
        log.info("epoch begun", epoch=epoch.epoch, leader_id=epoch.leader_id, last_number=last_number)
        return catalog_pb2.BeginEpochResponse(
            epoch=epoch.epoch, last_number=last_number, last_chain=last_chain, cluster_id=self.cluster_id
        )

    def list_trades(self, request: catalog_pb2.ListTradesRequest) -> catalog_pb2.ListTradesResponse:
        """Return rows of the journal above a number."""
        self._refuse_if_stopped()
        check_list_trades(request)
        # Not the journal's own position: rows are shown together with what they do to the stocks, or a reader of both
        # would see an order whose shares are not taken yet.
        last_number, _ = self._stocks.position
        if request.after > last_number:
            raise OutOfRange(
                f"no trade above {request.after}: the last one is {last_number}", metadata={"last_number": last_number}
            )
        count = last_number - request.after
        if request.limit:
            count = min(count, request.limit)
        return catalog_pb2.ListTradesResponse(
            after_chain=self._journal.chain_at(request.after),
            rows=self._journal.read_after(request.after, MAX_ROWS_BYTES, count) if count else b"",
            last_number=last_number,
            cluster_id=self.cluster_id,
        )

    def list_epochs(self, request: catalog_pb2.ListEpochsRequest) -> catalog_pb2.ListEpochsResponse:
        """Return the newest leaderships, oldest first."""
        check_list_epochs(request)
        recent = self._epochs.recent[-request.limit :]
        return catalog_pb2.ListEpochsResponse(epochs=[catalog_pb2.Epoch(**epoch._asdict()) for epoch in recent])

    def watch_stocks(self, request: catalog_pb2.WatchStocksRequest) -> catalog_pb2.WatchStocksResponse:
        """Return the names that changed since the cursor, at once; the waiting is the servicer's."""
        self._refuse_if_stopped()
        check_watch(request)
        names, cursor, reset = self.changes.since(request.cursor)
        return catalog_pb2.WatchStocksResponse(names=names, cursor=cursor, reset=reset)

    def set_stock(self, request: catalog_pb2.SetStockRequest) -> catalog_pb2.SetStockResponse:
        """Give a stock another price, or make a new one; on stable storage and watched when it returns."""
        check_set_stock(request)
        with self._writer:
            self._refuse_if_stopped()
            known = self._stocks.for_writer().get(request.name)
            stock = stock_to_be(known, request)
            if stock != known:
                self._checkpoint_file.put(stock)
                log.info("stock set", name=stock.name, price_cents=stock.price_cents, created=known is None)
        return catalog_pb2.SetStockResponse(stock=stock.to_proto(), created=known is None)

    def health_check(self, _request: catalog_pb2.CatalogHealthRequest) -> catalog_pb2.CatalogHealthResponse:
        """Return who may trade and how far the journal is. Never waits for a batch or a sync."""
        newest = self._epochs.newest
        last_number, last_chain = self._stocks.position
        return catalog_pb2.CatalogHealthResponse(
            epoch=newest.epoch,
            leader_id=newest.leader_id,
            last_number=last_number,
            last_chain=last_chain,
            stalled=max(self._journal.stalled_s(), self._small_files.busy.stalled_s()) > STALLED_S,
            halted=self._halted,
            cluster_id=self.cluster_id,
        )

    @property
    def checkpoint_is_due(self) -> bool:
        """Whether enough trades were made since the last checkpoint. Never waits."""
        return self._checkpoint_file.is_due

    def write_checkpoint(self) -> None:
        """Replace catalog_database.csv by the stocks as they are. Trading goes on meanwhile.

        Raises:
            Exhausted: the disk is full; the old file stands.
        """
        self._checkpoint_file.write()

    def close(self) -> None:
        """Wait for the batch in progress, write a last checkpoint and close the files; later calls are refused."""
        with self._writer:
            self._closed = True
            try:
                self.write_checkpoint()
            except Exhausted as error:
                log.warning("no checkpoint at the end; the next start replays more", reason=error.message)
            self._epochs.close()
            self._journal.close()

    def _answer_batch(self, request: catalog_pb2.UpdateStockRequest) -> catalog_pb2.UpdateStockResponse | RpcFailure:
        """Return the answer to a new batch of the epoch that trades: it is stored, whatever it is."""
        last_number, last_chain = self._journal.position
        if request.first_number <= last_number:
            return Behind(
                f"the batch begins at {request.first_number}, but the last number is {last_number}",
                metadata={"last_number": last_number},
            )
        if request.first_number > last_number + 1 or request.prev_chain != last_chain:
            return Diverged(
                f"the batch begins at {request.first_number} behind chain {request.prev_chain:08x}, but the last number"
                f" is {last_number} with chain {last_chain:08x}",
                metadata={"last_number": last_number},
            )
        # Times of equal form compare as text. The clock may be set back; the order of the rows may not.
        created_at = max(time_text(self._utc_now()), self._last_created_at)
        place = Place(request.epoch, last_number, last_chain, created_at)
        batch = self._decide(request, place, disk_is_full=False)
        try:
            self._journal.append(batch.rows)
        except DiskFull:
            # Decided anew on the stocks as they are: no refusal may rest on a trade that was not made.
            batch = self._decide(request, place, disk_is_full=True)
        self._apply(batch, created_at)
        self._on_batch(batch)
        return catalog_pb2.UpdateStockResponse(results=batch.results)

    def _decide(self, request: catalog_pb2.UpdateStockRequest, place: Place, *, disk_is_full: bool) -> Batch:
        batch = Batch(self._stocks.for_writer(), self._keys, place, disk_is_full=disk_is_full)
        batch.take(request.trades)
        return batch

    def _apply(self, batch: Batch, created_at: str) -> None:
        if not batch.keys:
            return
        for key, number in batch.keys.items():
            self._keys.add(key, number)
        self._last_created_at = created_at
        self._stocks.apply(batch.levels, (batch.last_number, batch.last_chain))

    def _compare(self, request: catalog_pb2.BeginEpochRequest) -> None:
        """Compare the caller's log and epoch with the own ones; halt if they prove that history was lost here."""
        proof = proof_of_rollback(request, self._journal, self._epochs.newest.epoch)
        if proof is not None:
            raise self._halt(proof)
        if request.number == 0 and request.chain != self._journal.chain_at(0):
            raise Halted(f"replica {request.leader_id} is not of this catalog's cluster {self.cluster_id}")

    def _halt(self, reason: str) -> Halted:
        """Trade no more, now and after a restart, until this catalog is rebuilt; return the refusal."""
        why = f"this catalog was rolled back: {reason}"
        self._halted = f"{why}; to repair, stop all processes and run: {REBUILD_COMMAND}"
        log.critical("halted", reason=self._halted)
        try:
            write_marker(self._small_files, why)  # the next start's refusal names the repair itself
        except DiskFull:
            # Halted in memory all the same; after a restart the replica's log proves it again.
            log.error("the disk is full: the marker that keeps the catalog halted after a restart is not written")
        return Halted(self._halted)

    def _refuse_if_stopped(self) -> None:
        if self._halted:
            raise Halted(self._halted)
        if self._closed:
            raise Unavailable("the catalog is stopping", reason="SHUTTING_DOWN")
