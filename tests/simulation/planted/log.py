"""Mistakes in the log, each a line or a condition that somebody could forget or get wrong."""

from array import array
from pathlib import Path
from typing import Any

import pytest

from backends.storage.csv import files, log, log_check, log_opening
from common import row_checks
from common.rows import WHOLE_ROW

Patch = pytest.MonkeyPatch


def visible_before_sync(patch: Patch) -> None:
    """Rows are shown once they are written."""
    store = log.Log._store

    def write(self: log.Log, rows: bytes) -> None:
        with pytest.MonkeyPatch.context() as inner:
            inner.setattr(self._files, "fdatasync", lambda descriptor: None)
            store(self, rows)

    patch.setattr(log.Log, "_store", write)


def no_sync_at_opening(patch: Patch) -> None:
    """Good rows are shown as they are found."""
    open_mended = log_opening._open_mended

    def opened(path: Path, cluster_id: str, damage: Any, used: files.Files, visit: Any, found: Any) -> Any:
        with pytest.MonkeyPatch.context() as inner:
            inner.setattr(used, "fdatasync", lambda descriptor: None)
            return open_mended(path, cluster_id, damage, used, visit, found)

    patch.setattr(log_opening, "_open_mended", opened)


def no_chain_check(patch: Patch) -> None:
    """The chain of a row is taken for what the row says, and not computed."""

    def check_prefix(
        data: bytes, prev_number: int, prev_chain: int, base: int = 0
    ) -> tuple[row_checks.CheckedRows, str | None]:
        number, chain, ends, position = prev_number, prev_chain, array("q"), 0
        reason = None
        while position < len(data) and reason is None:
            match = WHOLE_ROW.match(data, position)
            if match is None or int(match[2]) != number + 1:
                reason = "is not well formed"
            else:
                number, chain, position = number + 1, int(match[3], 16), match.end()
                ends.append(base + position)
        return row_checks.CheckedRows(len(ends), ends, number, chain), reason

    patch.setattr(row_checks, "check_prefix", check_prefix)
    patch.setattr(log_check, "check_prefix", check_prefix)
