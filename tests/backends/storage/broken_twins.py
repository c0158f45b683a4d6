"""Engines with one mistake each, such as who writes a new one could make: the conformance suite must find them all."""

from typing import Any

import pytest

from backends.storage.changes import ChangeFeed
from backends.storage.csv import files, small_files
from backends.storage.csv.log import Log
from backends.storage.held_ledger import HeldLedger
from backends.storage.known_keys import KnownKeys
from backends.storage.memory import MemoryLog, MemoryNotebook, MemoryStore
from backends.storage.ports import StoreFull
from backends.storage.stocks import StockTable
from backends.storage.values import Gate, RowPage, RowQuery, StockPage
from common.calls.failures import RpcFailure
from common.row_checks import BadRow
from tests.backends.storage.engines import CsvEngine, MemoryEngine, PowerCutCsvEngine

Patch = pytest.MonkeyPatch


class LosesTheLastRow(MemoryEngine):
    """It acknowledges an append before it is durable: a power cut takes the newest row."""

    def cut_power(self) -> None:
        del self.store.lines[-1:]
        super().cut_power()


class LosesTheLastEpoch(MemoryEngine):
    """It begins an epoch before it is durable."""

    def cut_power(self) -> None:
        del self.store.epochs[-1:]
        super().cut_power()


def acknowledges_before_it_is_durable(_patch: Patch) -> type:
    return LosesTheLastRow


def begins_an_epoch_before_it_is_durable(_patch: Patch) -> type:
    return LosesTheLastEpoch


def rows_are_written_without_a_sync(patch: Patch) -> type:
    store = Log._store

    def write(self: Log, rows: bytes) -> None:
        with pytest.MonkeyPatch.context() as inner:
            inner.setattr(self._files, "fdatasync", lambda _descriptor: None)
            store(self, rows)

    patch.setattr(Log, "_store", write)
    return PowerCutCsvEngine


def a_price_is_renamed_into_place_without_a_sync(patch: Patch) -> type:
    def replace_file(path: Any, data: bytes, used: files.Files) -> None:
        with files.new_file(used, files.path_aside(path)) as descriptor:
            files.write_all(used, descriptor, data, 0)
        used.rename(files.path_aside(path), path)

    patch.setattr(small_files, "replace_file", replace_file)
    return PowerCutCsvEngine


def shows_a_row_before_it_is_durable(patch: Patch) -> type:
    append = MemoryLog.append

    def show(self: MemoryLog, rows: bytes) -> None:
        told, self.on_sync = self.on_sync, lambda _seconds: None
        append(self, rows)
        self.on_sync = told
        told(0.0)

    patch.setattr(MemoryLog, "append", show)
    return MemoryEngine


def applies_trades_before_the_journal_has_them(patch: Patch) -> type:
    decide = HeldLedger.decide

    def apply_first(self: HeldLedger, rule: Any) -> Any:
        def decided(state: Any) -> Any:
            decision = rule(state)
            if decision.trades is not None and not state.is_full:
                self._apply(decision.trades)
            return decision

        return decide(self, decided)  # type: ignore[arg-type]

    patch.setattr(HeldLedger, "decide", apply_first)
    return MemoryEngine


def loses_the_stored_answer(patch: Patch) -> type:
    decide = HeldLedger.decide

    def forget(self: HeldLedger, rule: Any) -> Any:
        answer = decide(self, rule)
        self._gate = Gate(self._gate.epoch, self._gate.batch_seq - 1, None)
        return answer

    patch.setattr(HeldLedger, "decide", forget)
    return MemoryEngine


def opens_the_gate_again_at_a_restart(patch: Patch) -> type:
    hold = HeldLedger.__init__

    def reopen(self: HeldLedger, *arguments: Any) -> None:
        hold(self, *arguments)
        self._gate = Gate(self._newest_epoch.epoch, 0, None)

    patch.setattr(HeldLedger, "__init__", reopen)
    return MemoryEngine


def lets_an_old_epoch_trade(patch: Patch) -> type:
    state = HeldLedger._state

    def any_epoch(self: HeldLedger) -> Any:
        now = state(self)
        object.__setattr__(now, "newest", now.newest._replace(epoch=1))
        object.__setattr__(now, "gate", now.gate._replace(epoch=1))
        return now

    patch.setattr(HeldLedger, "_state", any_epoch)
    return MemoryEngine


def forgets_a_key(patch: Patch) -> type:
    patch.setattr(KnownKeys, "add", lambda self, key, number: None)
    return MemoryEngine


def takes_a_full_store_for_written(patch: Patch) -> type:
    append = Log.append

    def write(self: Log, rows: bytes) -> None:
        try:
            append(self, rows)
        except StoreFull:
            return

    patch.setattr(Log, "append", write)
    return CsvEngine


def keeps_a_part_of_what_it_refused(patch: Patch) -> type:
    append = MemoryLog.append

    def write(self: MemoryLog, rows: bytes) -> None:
        try:
            append(self, rows)
        except StoreFull:
            self._store.lines += rows.splitlines(keepends=True)[:1]
            raise

    patch.setattr(MemoryLog, "append", write)
    return MemoryEngine


def halts_in_memory_alone(patch: Patch) -> type:
    patch.setattr(MemoryNotebook, "note_halted", lambda self, why: None)
    return MemoryEngine


def goes_on_although_it_has_halted(patch: Patch) -> type:
    check_open = HeldLedger._check_open

    def check(self: HeldLedger) -> None:
        try:
            check_open(self)
        except RpcFailure:
            if not self._halted:
                raise

    patch.setattr(HeldLedger, "_check_open", check)
    return MemoryEngine


def serves_although_it_is_closed(patch: Patch) -> type:
    check_open = HeldLedger._check_open
    patch.setattr(HeldLedger, "_check_open", lambda self: check_open(self) if self._halted else None)
    return MemoryEngine


def shows_a_price_that_does_not_last(patch: Patch) -> type:
    patch.setattr(MemoryNotebook, "put_stock", lambda self, stock, show: show(stock))
    return MemoryEngine


def shares_its_stocks_with_readers(patch: Patch) -> type:
    patch.setattr(
        StockTable,
        "page",
        lambda self, after_name, limit: StockPage(
            [self._stocks[name] for name in self._names if name > after_name][:limit],
            len([name for name in self._names if name > after_name]) > limit,
            self.position.number,
        ),
    )
    return MemoryEngine


def tells_nobody_of_a_price(patch: Patch) -> type:
    put = StockTable.put

    def silent(self: StockTable, stock: Any) -> None:
        with pytest.MonkeyPatch.context() as inner:
            inner.setattr(ChangeFeed, "publish", lambda self, names: None)
            put(self, stock)

    patch.setattr(StockTable, "put", silent)
    return MemoryEngine


def believes_any_cursor(patch: Patch) -> type:
    parse = ChangeFeed._parse
    patch.setattr(ChangeFeed, "_parse", lambda self, cursor: parse(self, cursor) or 0)
    return MemoryEngine


def is_open_to_two(patch: Patch) -> type:
    patch.setattr(MemoryStore, "hold", lambda self: None)
    return MemoryEngine


def pages_skip_a_row(patch: Patch) -> type:
    query = MemoryLog.query

    def skip(self: MemoryLog, asked: RowQuery) -> RowPage:
        page = query(self, asked)
        return page._replace(resume_number=page.resume_number and page.resume_number + (-1 if asked.descending else 1))

    patch.setattr(MemoryLog, "query", skip)
    return MemoryEngine


def pages_end_too_early(patch: Patch) -> type:
    query = MemoryLog.query
    patch.setattr(MemoryLog, "query", lambda self, asked: query(self, asked)._replace(resume_number=0))
    return MemoryEngine


def pages_are_longer_than_asked(patch: Patch) -> type:
    read_after = MemoryLog.read_after
    patch.setattr(
        MemoryLog,
        "read_after",
        lambda self, after, max_bytes, max_rows=0: read_after(self, after, 3 * max_bytes, max_rows),
    )
    return MemoryEngine


def takes_bad_rows_in_silence(patch: Patch) -> type:
    append = MemoryLog.append

    def take(self: MemoryLog, rows: bytes) -> None:
        try:
            append(self, rows)
        except BadRow:
            return

    patch.setattr(MemoryLog, "append", take)
    return MemoryEngine


def takes_over_any_cluster(patch: Patch) -> type:
    adopt = MemoryLog.adopt

    def take_over(self: MemoryLog, cluster_id: str) -> None:
        self._store.cluster_id = cluster_id
        adopt(self, cluster_id)

    patch.setattr(MemoryLog, "adopt", take_over)
    return MemoryEngine


TWINS = (
    acknowledges_before_it_is_durable,
    begins_an_epoch_before_it_is_durable,
    rows_are_written_without_a_sync,
    a_price_is_renamed_into_place_without_a_sync,
    shows_a_row_before_it_is_durable,
    applies_trades_before_the_journal_has_them,
    loses_the_stored_answer,
    opens_the_gate_again_at_a_restart,
    lets_an_old_epoch_trade,
    forgets_a_key,
    takes_a_full_store_for_written,
    keeps_a_part_of_what_it_refused,
    halts_in_memory_alone,
    goes_on_although_it_has_halted,
    serves_although_it_is_closed,
    shows_a_price_that_does_not_last,
    shares_its_stocks_with_readers,
    tells_nobody_of_a_price,
    believes_any_cursor,
    is_open_to_two,
    pages_skip_a_row,
    pages_end_too_early,
    pages_are_longer_than_asked,
    takes_bad_rows_in_silence,
    takes_over_any_cluster,
)
