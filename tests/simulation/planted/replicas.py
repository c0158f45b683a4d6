"""Mistakes in the replicas, each a line or a condition that somebody could forget or get wrong."""

import dataclasses
from typing import Any

import pytest

from backends.order import epochs, promotion, replica
from backends.order.catalog_link import CatalogLink
from backends.order.leader import Leadership
from backends.order.peer_link import Peer, PeerLink
from backends.order.pending import PendingOrders
from backends.order.reads import listing
from backends.order.reads.reader import OrderReader
from backends.order.refusals import Refusals
from backends.order.replica import Replica
from backends.order.replicate import Replication
from backends.order.store import OrderStore
from common import rows as row
from common.calls.failures import RpcFailure
from common.calls.reasons import Reason
from common.calls.steps import Outcome, Steps
from protos import catalog_pb2

Patch = pytest.MonkeyPatch


def promotion_without_reading(patch: Patch) -> None:
    """A new leader does not read what it lacks, nor compare its log with what its epoch begins behind."""

    def read_nothing(*_arguments: Any) -> Steps[bool]:
        yield from ()
        return True

    def begin(link: CatalogLink, store: OrderStore, replica_id: int, expected_epoch: int) -> Steps[int]:
        number, chain = store.position
        request = catalog_pb2.BeginEpochRequest(
            leader_id=replica_id, expected_epoch=expected_epoch, number=number, chain=chain
        )
        return (yield from link.call(request, epochs.BEGIN_TIMEOUT_S)).epoch

    patch.setattr(promotion, "read_missing", read_nothing)
    patch.setattr(epochs, "_begin_once", begin)


def min_in_sync_ignored(patch: Patch) -> None:
    """The leader alone is enough."""
    init = Replication.__init__
    patch.setattr(Replication, "__init__", lambda self, store, followers, _: init(self, store, followers, 1))


def min_in_sync_ignored_on_retry(patch: Patch) -> None:
    """A key that has an order is answered with it, whoever holds it."""
    answer = Leadership._answer_committed

    def answer_known(self: Leadership) -> None:
        for ticket in self._decided:
            if not ticket.row and ticket.number <= self._store.last_number:
                self._orders.settle(ticket, self._store.order(ticket.number))
        answer(self)

    patch.setattr(Leadership, "_answer_committed", answer_known)


def acknowledged_before_sync(patch: Patch) -> None:
    """An order is answered when the catalog has decided it."""
    take = Leadership._take_results

    def take_and_answer(self: Leadership, *batch: Any) -> bytes:
        rows = take(self, *batch)
        for ticket in self._decided:
            if ticket.row:
                self._orders.settle(ticket, row.order_from_row(row.parse_row(ticket.row)))
        return rows

    patch.setattr(Leadership, "_take_results", take_and_answer)


def silent_follower_counted(patch: Patch) -> None:
    """A follower in sync stays so, whatever it answers."""

    def record(self: Replication, target: Any, _outcome: Any, end: int) -> bool:
        self.followers.mark_in_sync(target.replica_id, end)
        return True

    patch.setattr(Replication, "_record", record)


def wrong_replica_counted(patch: Patch) -> None:
    """Nobody looks whom a message is meant for, nor who answers."""

    def answer(self: PeerLink, _peer: Peer, outcome: Outcome) -> Any:
        return original(self, Peer(getattr(outcome, "replica_id", 0), ""), outcome)

    original = PeerLink._answer
    patch.setattr(PeerLink, "_answer", answer)
    patch.setattr(Replica, "refuse_if_not_meant", lambda self, to: None)


def halt_blames_the_leader(patch: Patch) -> None:
    """A log that proves that histories differ is shown as the log of who shows it."""

    def without_holder(failure: RpcFailure, store: OrderStore, own_id: int) -> epochs.HeldLog:
        return dataclasses.replace(original(failure, store, own_id), holder_id=own_id)

    original = epochs.log_that_differs
    patch.setattr(replica, "log_that_differs", without_holder)
    patch.setattr(promotion, "log_that_differs", without_holder)


def follower_skips_a_gap(patch: Patch) -> None:
    """Rows behind a gap are answered as if they were held."""
    extend = OrderStore.extend

    def skip(self: OrderStore, cluster_id: str, prev_number: int, prev_chain: int, rows: bytes) -> int:
        try:
            return extend(self, cluster_id, prev_number, prev_chain, rows)
        except RpcFailure as failure:
            if failure.reason is not Reason.GAP:
                raise
            return prev_number + rows.count(b"\n")

    patch.setattr(OrderStore, "extend", skip)


def refusals_forgotten(patch: Patch) -> None:
    """A refused key that comes again is a new order."""
    patch.setattr(Refusals, "get", lambda self, order: None)


def sent_orders_not_executed_at_step_down(patch: Patch) -> None:
    """A leader that is replaced answers all that wait as not executed."""
    close = PendingOrders.close
    patch.setattr(PendingOrders, "close", lambda self, not_sent, _unknown: close(self, not_sent, not_sent))


def not_found_without_asking_the_catalog(patch: Patch) -> None:
    """A replica knows all orders."""

    def look_up(self: OrderReader, number: int) -> Steps[Any]:
        yield from ()
        return self._store.order(number)

    patch.setattr(OrderReader, "look_up", look_up)


def list_without_asking_the_catalog(patch: Patch) -> None:
    """A replica lists what it holds."""

    def list_held(self: OrderReader, request: Any) -> Steps[Any]:
        yield from ()
        return listing.list_orders(self._store, request)

    patch.setattr(OrderReader, "list_orders", list_held)


def list_without_waiting(patch: Patch) -> None:
    """A replica that lacks orders of which the catalog told lists what it holds."""

    def wait(self: OrderReader, last_number: int) -> Steps[None]:
        yield from ()

    patch.setattr(OrderReader, "_wait_for", wait)
