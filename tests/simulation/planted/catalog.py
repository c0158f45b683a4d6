"""Mistakes in the catalog, each a line or a condition that somebody could forget or get wrong."""

from pathlib import Path
from typing import Any

import pytest

from backends.catalog import gate
from backends.catalog.batch import Batch
from backends.catalog.decide import BatchRule
from backends.order.pending import Ticket
from backends.storage.csv import files, log, small_files
from backends.storage.held_ledger import HeldLedger
from backends.storage.known_keys import KnownKeys
from backends.storage.values import Epoch, Gate
from common.calls.failures import RpcFailure
from common.calls.reasons import Reason
from protos import catalog_pb2

Patch = pytest.MonkeyPatch


def no_key_check(patch: Patch) -> None:
    """A key that has an order may get another one."""
    patch.setattr(KnownKeys, "number", lambda self, key: None)


def no_key_check_within_a_batch(patch: Patch) -> None:
    """A key that comes twice in one batch gets two orders."""
    # Two guards: whoever comes to a leader with a key in flight joins it, and so is in no batch beside it.
    patch.setattr(Ticket, "key", property(lambda self: str(id(self)).encode()))
    take = Batch._take

    def forget_and_take(self: Batch, trade: catalog_pb2.NewOrder) -> catalog_pb2.TradeResult:
        keys, self._keys = self._keys, {}
        try:
            return take(self, trade)
        finally:
            self._keys = keys | self._keys

    patch.setattr(Batch, "_take", forget_and_take)


def keys_forgotten_at_a_restart(patch: Patch) -> None:
    """Opening the journal does not note its keys."""
    hold = HeldLedger.__init__

    def forget(self: HeldLedger, journal: Any, notebook: Any, stocks: Any, _keys: Any, last_created_at: str) -> None:
        hold(self, journal, notebook, stocks, KnownKeys(), last_created_at)

    patch.setattr(HeldLedger, "__init__", forget)


def no_fencing(patch: Patch) -> None:
    """Any epoch may trade."""
    stored = gate.stored_answer

    def answer(kept: Gate, newest: Epoch, epoch: int, batch_seq: int) -> Any:
        return stored(kept._replace(epoch=epoch), newest._replace(epoch=epoch), epoch, batch_seq)

    patch.setattr(gate, "stored_answer", answer)


def restarted_catalog_takes_an_old_epoch(patch: Patch) -> None:
    """The newest epoch may trade, also if it was begun before the start."""
    stored = gate.stored_answer

    def answer(kept: Gate, newest: Epoch, epoch: int, batch_seq: int) -> Any:
        return stored(kept._replace(epoch=newest.epoch), newest, epoch, batch_seq)

    patch.setattr(gate, "stored_answer", answer)


def full_disk_taken_for_written(patch: Patch) -> None:
    """A batch that the disk did not take is applied all the same."""
    append = log.Log.append

    def write(self: log.Log, rows: bytes) -> None:
        try:
            append(self, rows)
        except files.DiskFull:
            return

    patch.setattr(log.Log, "append", write)


def checkpoint_written_in_place(patch: Patch) -> None:
    """No file aside, no rename."""

    def replace_file(path: Path, data: bytes, used: files.Files) -> None:
        with files.new_file(used, path) as descriptor:
            files.write_all(used, descriptor, data, 0)

    patch.setattr(small_files, "replace_file", replace_file)


def rename_without_directory_sync(patch: Patch) -> None:
    """A new price is answered before the file's name is sure to stand for it."""

    def replace_file(path: Path, data: bytes, used: files.Files) -> None:
        with files.new_file(used, files.path_aside(path)) as descriptor:
            files.write_all(used, descriptor, data, 0)
        used.rename(files.path_aside(path), path)

    patch.setattr(small_files, "replace_file", replace_file)


def stale_batch_accepted(patch: Patch) -> None:
    """A batch that comes after a later one of its epoch is taken for a new one, wherever it says that it begins."""
    # Each of these two guards covers the other: nearly all late batches begin below the journal's last number too.
    stored = gate.stored_answer

    def answer(kept: Gate, newest: Epoch, epoch: int, batch_seq: int) -> Any:
        try:
            return stored(kept, newest, epoch, batch_seq)
        except RpcFailure as failure:
            if failure.reason is not Reason.STALE_BATCH:
                raise
            return None

    patch.setattr(gate, "stored_answer", answer)
    patch.setattr(BatchRule, "_out_of_place", lambda self, state: None)
