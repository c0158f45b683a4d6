"""Mistakes in the log, each a line or a condition that somebody could forget or get wrong."""

import pytest

from backends import log

Patch = pytest.MonkeyPatch


def visible_before_sync(patch: Patch) -> None:
    """Rows are shown once they are written."""
    store = log.Log._store

    def write(self: log.Log, rows: bytes) -> None:
        with pytest.MonkeyPatch.context() as inner:
            inner.setattr(self._files, "fdatasync", lambda descriptor: None)
            store(self, rows)

    patch.setattr(log.Log, "_store", write)
