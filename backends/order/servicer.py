"""Protobuf in, protobuf out; and the waiting that a caller's thread does."""

import contextvars
import logging
import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent import futures
from contextlib import contextmanager
from typing import Any

import grpc
import structlog

from backends.order.answers import failure_from_message, failure_result, naming_key, result_of
from backends.order.model import order_of
from backends.order.pending import Caller, Ticket
from backends.order.reads.reader import OrderReader, list_rows
from backends.order.replica import Replica
from backends.serving.watched import Watched
from common.calls.failures import RpcFailure
from common.calls.network import Network
from common.calls.reasons import Reason
from common.calls.statuses import aborting_on_failures
from common.calls.waiting_room import READING_COUNT, WAITING_COUNT, WaitingRoom
from protos import catalog_pb2, order_pb2, order_pb2_grpc

log = structlog.get_logger()

# What a caller that gave no deadline is given.
LONGEST_WAIT_S = 30.0
# So long before its deadline a caller is told that there is no answer yet, so that it hears it.
ANSWER_MARGIN_S = 0.05
RESYNC_COUNT = 8
READER_COUNT = 4
PROGRESS_KEPT = 16
PROGRESS_WAIT_S = 0.2


@contextmanager
def _answering(replica: Replica, request: Any, context: grpc.ServicerContext) -> Iterator[None]:
    """Refuse a request that another replica is meant by; answer what is raised as its status."""
    with aborting_on_failures(context):
        replica.refuse_if_not_meant(request.to)
        yield


class OrderServicer(order_pb2_grpc.OrderServiceServicer):
    """The RPCs for those who trade. A thread waits for each call with orders in it; HealthCheck waits for nothing."""

    def __init__(self, replica: Replica, reader: OrderReader, network: Network, monotonic: Callable[[], float]) -> None:
        self._replica = replica
        self._reader = reader
        self._network = network
        self._waiting = WaitingRoom(WAITING_COUNT, Reason.QUEUE_FULL)
        self._watched = Watched(monotonic)
        self._reading = WaitingRoom(READING_COUNT, Reason.QUEUE_FULL)
        self._monotonic = monotonic

    def PlaceOrder(
        self, request: order_pb2.PlaceOrderRequest, context: grpc.ServicerContext
    ) -> order_pb2.PlaceOrderResponse:
        with _answering(self._replica, request, context):
            order = order_of(request)
            try:
                result = self._place(request.epoch if request.HasField("epoch") else None, [order], context)[0]
                if result.HasField("failure"):
                    raise failure_from_message(result.failure)
            except RpcFailure as failure:
                # The caller may have no other word of the key that was made for it, and needs it to ask again.
                raise naming_key(failure, order.idempotency_key) from failure
            return result.placed

    def PlaceOrders(
        self, request: order_pb2.PlaceOrdersRequest, context: grpc.ServicerContext
    ) -> order_pb2.PlaceOrdersResponse:
        with _answering(self._replica, request, context):
            return order_pb2.PlaceOrdersResponse(results=self._place(request.epoch, list(request.orders), context))

    def LookUpOrder(
        self, request: order_pb2.LookUpOrderRequest, context: grpc.ServicerContext
    ) -> order_pb2.LookUpOrderResponse:
        with _answering(self._replica, request, context), self._reading.place():
            order = self._network.run(self._reader.look_up(request.transaction_id))
            return order_pb2.LookUpOrderResponse(order=order, also=self._reader.held(request.also))

    def ListOrders(
        self, request: order_pb2.ListOrdersRequest, context: grpc.ServicerContext
    ) -> order_pb2.ListOrdersResponse:
        with _answering(self._replica, request, context), self._reading.place():
            return self._network.run(self._reader.list_orders(request))

    def HealthCheck(
        self, request: order_pb2.HealthCheckRequest, context: grpc.ServicerContext
    ) -> order_pb2.HealthCheckResponse:
        with aborting_on_failures(context):
            self._watched.note(request.watch_s)
            health = self._replica.health()
            if (watched := self._watched.state()) is not None:
                health.watched = watched
            return health

    def _place(
        self, epoch: int | None, orders: list[catalog_pb2.NewOrder], context: grpc.ServicerContext
    ) -> list[order_pb2.PlaceOrdersResult]:
        with self._waiting.place():
            given_s = context.time_remaining()
            remaining_s = LONGEST_WAIT_S if given_s is None else min(given_s, LONGEST_WAIT_S)
            caller = Caller(self._monotonic() + remaining_s - ANSWER_MARGIN_S, context.is_active)
            taken = self._replica.submit(epoch, orders, caller)
            awaited = [ticket.future for ticket in taken if isinstance(ticket, Ticket)]
            futures.wait(awaited, max(0.0, caller.deadline - self._monotonic()))
            results = [
                failure_result(ticket) if isinstance(ticket, RpcFailure) else result_of(ticket, order, caller)
                for order, ticket in zip(orders, taken, strict=True)
            ]
            _log_answers(orders, results)
            return results


class ReplicationServicer(order_pb2_grpc.ReplicationServiceServicer):
    """The RPCs for the replicas and their manager. They never wait for a thread behind an order."""

    def __init__(self, replica: Replica, network: Network) -> None:
        self._replica = replica
        self._network = network
        self._resyncs = WaitingRoom(RESYNC_COUNT, Reason.TOO_MANY_RESYNCS)
        self._readers = WaitingRoom(READER_COUNT, Reason.TOO_MANY_READERS)

    def SyncOrder(
        self, request: order_pb2.SyncOrderRequest, context: grpc.ServicerContext
    ) -> order_pb2.SyncOrderResponse:
        with _answering(self._replica, request, context):
            return self._replica.sync_order(request)

    def BulkUpsert(
        self, request: order_pb2.BulkUpsertRequest, context: grpc.ServicerContext
    ) -> order_pb2.BulkUpsertResponse:
        with _answering(self._replica, request, context):
            return self._replica.bulk_upsert(request)

    def AssignLeader(
        self, request: order_pb2.AssignLeaderRequest, context: grpc.ServicerContext
    ) -> order_pb2.AssignLeaderResponse:
        with _answering(self._replica, request, context):
            return self._network.run(self._replica.assign_leader(request))

    def HealthCheck(
        self, request: order_pb2.HealthCheckRequest, context: grpc.ServicerContext
    ) -> order_pb2.HealthCheckResponse:
        with aborting_on_failures(context):
            return self._replica.health()

    def ListRows(self, request: order_pb2.ListRowsRequest, context: grpc.ServicerContext) -> order_pb2.ListRowsResponse:
        with _answering(self._replica, request, context), self._readers.place():
            rows = list_rows(self._replica.store, request)
            rows.replica_id = self._replica.replica_id
            return rows

    def Resync(
        self, request: order_pb2.ResyncRequest, context: grpc.ServicerContext
    ) -> Iterator[order_pb2.ResyncProgress]:
        with _answering(self._replica, request, context), self._resyncs.place():
            yield from self._resync(request.replica_id, context)

    def _resync(self, replica_id: int, context: grpc.ServicerContext) -> Iterator[order_pb2.ResyncProgress]:
        """Run the catch-up in a thread of its own: it goes on when the caller, who only watches, is gone."""
        events: queue.Queue[order_pb2.ResyncProgress | Exception | None] = queue.Queue(PROGRESS_KEPT)

        def report(event: order_pb2.ResyncProgress | Exception | None) -> None:
            # Progress that nobody reads in time is dropped; the end is told as long as somebody is there to hear it.
            while context.is_active():
                try:
                    events.put(event, timeout=PROGRESS_WAIT_S)
                except queue.Full:
                    if isinstance(event, order_pb2.ResyncProgress):
                        return
                else:
                    return

        def run() -> None:
            try:
                self._network.run(self._replica.resync(replica_id, report))
            except Exception as failure:  # noqa: BLE001 - raised again in the thread that answers
                report(failure)
            else:
                report(None)

        # In this call's context: the thread works for the same request.
        in_context = contextvars.copy_context().run
        threading.Thread(target=in_context, args=(run,), name=f"catch-up-{replica_id}", daemon=True).start()
        while context.is_active():
            try:
                event = events.get(timeout=PROGRESS_WAIT_S)
            except queue.Empty:
                continue
            if event is None:
                return
            if isinstance(event, Exception):
                raise event
            yield event


def _log_answers(orders: Iterable[catalog_pb2.NewOrder], results: Iterable[order_pb2.PlaceOrdersResult]) -> None:
    """Log, at the level debug alone, what each order was answered."""
    if not log.is_enabled_for(logging.DEBUG):
        return
    for order, result in zip(orders, results, strict=True):
        log.debug(
            "order answered",
            request_id=order.request_id[:64],
            idempotency_key=order.idempotency_key,
            transaction_number=result.placed.order.transaction_number or None,
            replayed=result.placed.replayed,
            reason=result.failure.reason or None,
        )
