"""Mistakes in the catalog, each a line or a condition that somebody could forget or get wrong."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from backends.catalog.catalog import Catalog
from backends.catalog.gate import EpochGate, StaleBatch
from backends.storage.csv import files, log, small_files
from backends.storage.csv.epochs import Epoch
from backends.storage.known_keys import KnownKeys
from protos import catalog_pb2

Patch = pytest.MonkeyPatch


def no_key_check(patch: Patch) -> None:
    """A key that has an order may get another one."""
    patch.setattr(KnownKeys, "number", lambda self, key: None)


def keys_forgotten_at_a_restart(patch: Patch) -> None:
    """Opening the journal does not note its keys."""
    open_journal = Catalog.__init__

    def forget(self: Catalog, state: Any, **rest: Any) -> None:
        open_journal(self, replace(state, keys=KnownKeys()), **rest)

    patch.setattr(Catalog, "__init__", forget)


def no_fencing(patch: Patch) -> None:
    """Any epoch may trade."""
    stored = EpochGate.stored_answer

    def answer(self: EpochGate, newest: Epoch, epoch: int, batch_seq: int) -> Any:
        self._epoch = epoch
        return stored(self, newest._replace(epoch=epoch), epoch, batch_seq)

    patch.setattr(EpochGate, "stored_answer", answer)


def restarted_catalog_takes_an_old_epoch(patch: Patch) -> None:
    """The newest epoch may trade, also if it was begun before the start."""
    stored = EpochGate.stored_answer

    def answer(self: EpochGate, newest: Epoch, epoch: int, batch_seq: int) -> Any:
        self._epoch = newest.epoch
        return stored(self, newest, epoch, batch_seq)

    patch.setattr(EpochGate, "stored_answer", answer)


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
    stored = EpochGate.stored_answer

    def answer(self: EpochGate, newest: Epoch, epoch: int, batch_seq: int) -> Any:
        try:
            return stored(self, newest, epoch, batch_seq)
        except StaleBatch:
            return None

    answer_batch = Catalog._answer_batch

    def answer_anywhere(self: Catalog, request: catalog_pb2.UpdateStockRequest) -> Any:
        last_number, request.prev_chain = self._journal.position
        request.first_number = last_number + 1
        return answer_batch(self, request)

    patch.setattr(EpochGate, "stored_answer", answer)
    patch.setattr(Catalog, "_answer_batch", answer_anywhere)
