"""The order database of one replica: the log, and the one rule by which rows are added to it."""

import threading
from collections.abc import Callable, Sequence

from backends.failures import Diverged, InvalidArgument
from backends.storage.ports import OrderLog, StartRefused, StoreFull
from backends.storage.values import Position, RowPage, RowQuery
from common.calls.failures import RpcFailure
from common.calls.reasons import Reason
from common.row_checks import BadRow
from common.rows import order_from_row
from protos import order_pb2


class WrongCluster(RpcFailure):
    """The rows belong to another cluster than this log. Metadata: cluster_id, the log's."""

    def __init__(self, message: str, cluster_id: str) -> None:
        super().__init__(Reason.WRONG_CLUSTER, message, metadata={"cluster_id": cluster_id})


class OrderStore:
    """Orders by number: a log, and the one rule by which rows are added to it.

    Any number of threads may read while one extends. A new log has no rows until the store has learnt which cluster it
    belongs to; until then it holds no orders.
    """

    def __init__(self, rows: OrderLog) -> None:
        """Open the log if it already belongs to a cluster. Raises StartRefused: it cannot be opened."""
        self._rows = rows
        self._writer = threading.Lock()  # one writer; held across the write and the sync, by nobody who reads
        self._foreign = ""  # why nothing here may be shown
        if rows.cluster_id:
            rows.adopt(rows.cluster_id)

    @property
    def cluster_id(self) -> str:
        """The cluster that the log belongs to, "" before it has met one."""
        return self._rows.cluster_id

    @property
    def position(self) -> Position:
        """The last number that is synced and the chain at it; (0, 0) before the log belongs to a cluster."""
        return self._rows.position

    @property
    def last_number(self) -> int:
        """The last number that is synced."""
        return self.position[0]

    @property
    def findings(self) -> Sequence[str]:
        """What was found wrong with the log's files and mended, until an operator has seen it."""
        return self._rows.findings

    def on_damage(self, told: Callable[[str], None]) -> None:
        """Have `told` called with why nothing more can be read or appended, as `OrderLog.on_damage`."""
        self._rows.on_damage = lambda damage: told(f"{damage}; its next start keeps the file aside and fills a new one")

    def mark_foreign(self, why: str) -> None:
        """Refuse all look-ups from now on: the orders here are not those of the catalog's cluster."""
        self._foreign = why

    def refuse_if_foreign(self) -> None:
        """Raise HALTED if the orders here are another cluster's."""
        if self._foreign:
            raise RpcFailure(Reason.HALTED, self._foreign)

    def stalled_s(self) -> float:
        """Age in seconds of the oldest write or sync under way; never waits."""
        return self._rows.stalled_s()

    def adopt(self, cluster_id: str) -> None:
        """Make a new log belong to this cluster; nothing changes if it does already.

        Raises:
            WrongCluster: it belongs to another one.
            RpcFailure: DISK_FULL: a later call may succeed.
        """
        if self._rows.cluster_id == cluster_id and self._rows.is_open:
            return
        with self._writer:
            self._adopt(cluster_id)

    def _adopt(self, cluster_id: str) -> None:
        if self.cluster_id not in ("", cluster_id):
            raise WrongCluster(
                f"{self._rows.place} belongs to cluster {self.cluster_id}, not to {cluster_id}",
                self.cluster_id,
            )
        if self.cluster_id and self._rows.is_open:
            return
        try:
            self._rows.adopt(cluster_id)
        except StartRefused as refusal:
            raise RpcFailure(Reason.DISK_FULL, str(refusal)) from refusal

    def extend(self, cluster_id: str, prev_number: int, prev_chain: int, rows: bytes) -> int:
        """Add rows prev_number+1, ... and return the number of the last of them, once they are synced.

        Rows that are held already must be equal byte by byte and are skipped; the rest is appended. So a repeat, a
        race or a late message is harmless. Source of the rule: docs/PROTOCOL.md, "Return".

        Raises:
            Diverged: the chain at prev_number, or a row that is held, differs. Metadata: number, chain (its own).
            WrongCluster; InvalidArgument: rows that do not continue the chain.
            RpcFailure: GAP: prev_number is above the last number. Metadata: last_number. DISK_FULL.
        """
        with self._writer:
            self._adopt(cluster_id)
            log = self._rows
            last_number, _ = log.position
            if prev_number > last_number:
                raise RpcFailure(
                    Reason.GAP,
                    f"rows after {prev_number} were sent, the last one held is {last_number}",
                    metadata={"last_number": last_number},
                )
            if (own_chain := log.chain_at(prev_number)) != prev_chain:
                raise _diverged(prev_number, own_chain, prev_chain)
            end = prev_number + rows.count(b"\n")
            rest = self._without_held(log, rows, prev_number, min(end, last_number))
            if rest:
                self._append(log, rest)
            return end

    def _without_held(self, log: OrderLog, rows: bytes, prev_number: int, held_end: int) -> bytes:
        if held_end <= prev_number:
            return rows
        held = log.read(prev_number + 1, held_end)
        if not rows.startswith(held):
            raise _diverged(held_end, log.chain_at(held_end), None)
        return rows[len(held) :]

    def _append(self, log: OrderLog, rows: bytes) -> None:
        try:
            log.append(rows)
        except BadRow as error:
            raise InvalidArgument(f"the rows do not continue the log: {error}") from error
        except StoreFull as error:
            raise RpcFailure(Reason.DISK_FULL, f"the disk of {self._rows.place} is full") from error

    def order(self, number: int) -> order_pb2.Order:
        """Return the order with this number.

        Raises:
            RpcFailure: UNKNOWN_ORDER: the number is above the last one.
        """
        last_number = self.last_number
        if not 1 <= number <= last_number:
            raise RpcFailure(
                Reason.UNKNOWN_ORDER,
                f"order {number} is not here; the last one is {last_number}",
                metadata={"last_number": last_number},
            )
        return order_from_row(self._rows.row(number))

    def chain_at(self, number: int) -> int:
        """Return the chain at a number from 0 to the last one."""
        return self._opened().chain_at(number)

    def read(self, first: int, last: int) -> bytes:
        """Return the rows first..last, both included; nothing if last is below first."""
        return self._opened().read(first, last) if first <= last else b""

    def read_after(self, after: int, max_bytes: int, max_rows: int = 0) -> bytes:
        """Return whole rows from after+1, at most max_bytes, at least one if there is one; max_rows 0: no bound."""
        return self._opened().read_after(after, max_bytes, max_rows)

    def query(self, query: RowQuery) -> RowPage:
        """Return the rows that match, a bounded number of them looked at: see OrderLog.query."""
        return self._rows.query(query) if self._rows.is_open else RowPage([], 0, 0)

    def last_epoch(self) -> int:
        """Return the epoch of the last order, 0 if there is none."""
        last_number = self.last_number
        return self._rows.row(last_number).epoch if last_number else 0

    def close(self) -> None:
        """Give the log back. Nobody may use the store afterwards."""
        with self._writer:
            self._rows.close()

    def _opened(self) -> OrderLog:
        if not self._rows.is_open:
            raise RpcFailure(Reason.UNKNOWN_ORDER, f"{self._rows.place} holds no orders yet")
        return self._rows


def _diverged(number: int, own_chain: int, other_chain: int | None) -> Diverged:
    other = "" if other_chain is None else f", not {other_chain:08x}"
    return Diverged(
        f"another history up to order {number}: the chain here is {own_chain:08x}{other}",
        metadata={"number": number, "chain": own_chain},
    )
