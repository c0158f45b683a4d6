"""The performer of procedures: calls to other processes with gRPC, in the thread that runs the procedure."""

import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeAlias, TypeVar

import grpc
import structlog
from google.protobuf.message import Message

from common.calls.channels import Channels, rpc_of
from common.calls.failures import RpcFailure
from common.calls.statuses import failure_from_error
from common.calls.steps import Call, Effect, Guarded, Outcome, Pause, Start, Steps, Together, Wait, run_steps
from common.calls.streams import CallStream, OpenStreams
from common.process.guard import Guard
from common.process.request_context import METADATA_KEY, current_request_id
from common.process.tls import Tls
from protos import catalog_pb2, order_pb2

T = TypeVar("T")
# Waits for a call that was begun; returns its response or raises RpcFailure.
Finish: TypeAlias = Callable[[], Any]

# What every order calls goes over streams that stay.
CARRIED = (catalog_pb2.UpdateStockRequest, order_pb2.PlaceOrdersRequest, order_pb2.SyncOrderRequest)

# Far more than there are processes to ask and procedures that ask them at once: a call never waits for a thread that
# hangs on a process that is gone.
CALLS_SIDE_BY_SIDE = 128
SHORTEST_TIMEOUT_S = 0.001

log = structlog.get_logger()


class _Connections:
    """What one process has open."""

    def __init__(self, tls: Tls | None) -> None:
        self.pid = os.getpid()
        self.channels = Channels(tls)
        self.streams = OpenStreams(self.channels.channel)
        # A thread is started when there is a call for it and none is idle.
        self.callers = ThreadPoolExecutor(CALLS_SIDE_BY_SIDE, thread_name_prefix="call")

    def close(self) -> None:
        self.channels.close()
        self.streams.close()
        self.callers.shutdown()


class Network:
    """Calls by address, over connections that are made when first used and kept for the life of the process.

    Any number of threads may use it. It is safe to make before a fork: connections belong to the process that first
    used them, and a child makes its own. Every call tells the id of the request that the thread works for.
    """

    def __init__(self, tls: Tls | None = None) -> None:
        """Encrypt all calls with `tls`; None: none of them."""
        self._tls = tls
        self._lock = threading.Lock()
        self._connections: _Connections | None = None  # replaced under _lock

    def call(self, address: str, request: Message, timeout_s: float) -> Any:
        """Make one RPC with a single answer and return that.

        Raises:
            RpcFailure: the status that was answered, or UNREACHABLE / NO_ANSWER.
        """
        return self._begin(Call(address, request, timeout_s))()

    def stream(self, address: str, request: Message, timeout_s: float) -> Any:
        """Make one server-streaming RPC and yield its messages; closing the iterator cancels the call.

        Raises:
            RpcFailure: as `call`, when the stream fails.
        """
        rpc = self._open().channels.rpc(address, request, streaming=True)
        call = rpc(request, timeout=timeout_s, metadata=metadata_of(current_request_id()))
        try:
            yield from call
        except grpc.RpcError as error:
            raise failure_from_error(error, address) from error
        finally:
            call.cancel()

    def run(self, steps: Steps[T]) -> T:
        """Perform a procedure in this thread and return its result; what it raises is raised."""
        return run_steps(steps, self._perform)

    def close(self) -> None:
        """Close all connections; calls under way are cancelled."""
        with self._lock:
            connections, self._connections = self._connections, None
        if connections is not None:
            connections.close()

    def _open(self) -> _Connections:
        connections = self._connections
        if connections is None or connections.pid != os.getpid():  # a parent keeps its own
            with self._lock:
                connections = self._connections
                if connections is None or connections.pid != os.getpid():
                    connections = self._connections = _Connections(self._tls)
        return connections

    def _perform(self, effect: Effect) -> Any:
        match effect:
            case Call():
                return self._begin(effect)()
            case Guarded():
                return self._perform_guarded(effect)
            case Together():
                return self._perform_together(effect)
            case Pause():
                return time.sleep(effect.seconds)
            case Start():
                return self._open().callers.submit(self._run_beside, effect.steps)
            case Wait():
                return effect.latch.wait(effect.timeout_s)

    def _rpc(self, call: Call) -> Any:
        return self._open().channels.rpc(call.address, call.request)

    def _run_beside(self, steps: Steps[None]) -> None:
        try:
            self.run(steps)
        except Exception:
            log.exception("a procedure ended by an error of its own")

    def _perform_guarded(self, effect: Guarded) -> Any:
        connections = self._open()
        stream = _send(effect.call, connections.streams)
        guard = Guard(
            connections.streams.deadlines,
            effect.after_s,
            is_alive=lambda: self.run(effect.is_alive()),
            give_up=stream.close,
            start=connections.callers.submit,
        )
        return _receive(effect.call, stream, connections.streams, guard.end)

    def _perform_together(self, effect: Together) -> list[Outcome]:
        begun: list[Finish] = []
        try:
            begun.extend(self._begin(call, side_by_side=True) for call in effect.calls)
            if effect.meanwhile is not None:
                effect.meanwhile()
        finally:
            outcomes = [_outcome(finish) for finish in begun]
        for outcome in outcomes:
            if isinstance(outcome, Exception) and not isinstance(outcome, RpcFailure):
                raise outcome
        return outcomes

    def _begin(self, call: Call, *, side_by_side: bool = False) -> Finish:
        """Send a call that is carried. Another one is made when it is finished, or in a thread of its own from now."""
        if isinstance(call.request, CARRIED):
            streams = self._open().streams
            return partial(_receive, call, _send(call, streams), streams)
        # Not by gRPC's own futures: a channel with one under way runs a thread, which is started anew each time.
        unary = partial(self._call, call, request_id_of(call), time.monotonic() + call.timeout_s)
        return self._open().callers.submit(unary).result if side_by_side else unary

    def _call(self, call: Call, request_id: str, deadline: float) -> Any:
        timeout_s = max(deadline - time.monotonic(), SHORTEST_TIMEOUT_S)
        try:
            return self._rpc(call)(call.request, timeout=timeout_s, metadata=metadata_of(request_id))
        except grpc.RpcError as error:
            raise failure_from_error(error, call.address) from error


def _send(call: Call, streams: OpenStreams) -> CallStream:
    stream = streams.take(call.address)
    stream.send(call.request, max(call.timeout_s, SHORTEST_TIMEOUT_S), request_id_of(call))
    return stream


def _receive(call: Call, stream: CallStream, streams: OpenStreams, is_over: Callable[[], None] = lambda: None) -> Any:
    """Return the answer on a stream; `is_over` is called before another call can have that stream."""
    try:
        return rpc_of(call.request).response.FromString(stream.receive())
    finally:
        is_over()
        streams.give_back(stream)


def request_id_of(call: Call) -> str:
    """Return the id of the request that a call is made for; "" if it is made for none, or several."""
    return current_request_id() if call.request_id is None else call.request_id


def metadata_of(request_id: str) -> tuple[tuple[str, str], ...] | None:
    """Return what tells the callee which request a call is made for."""
    return ((METADATA_KEY, request_id),) if request_id else None


def _outcome(finish: Finish) -> Any:
    """Return what became of a call that was begun: the response or what was raised."""
    try:
        return finish()
    except Exception as failure:  # noqa: BLE001 - looked at when all calls are over
        return failure
