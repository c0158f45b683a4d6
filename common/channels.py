"""Channels to other processes, and the performer of procedures over them."""

import os
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, TypeAlias, TypeVar

import grpc
from google.protobuf import message_factory
from google.protobuf.message import Message

from common.failures import RpcFailure, failure_from_error
from common.request_context import METADATA_KEY, current_request_id
from common.steps import Call, Effect, Pause, Steps, Together, Wait, run_steps
from common.tls import Tls
from protos import catalog_pb2, order_pb2

T = TypeVar("T")
Metadata: TypeAlias = tuple[tuple[str, str], ...] | None

# Far more than there are processes to ask and procedures that ask them at once: a call never waits for a thread that
# hangs on a process that is gone.
CALLS_SIDE_BY_SIDE = 128

CHANNEL_OPTIONS = [
    # A peer that froze or whose machine went away is noticed although nothing is asked of it.
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 3_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    # A process that was restarted is found again at once; the default backs off to two minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 500),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    # Every attempt of an order is a call that we make ourselves: one message executes at most once.
    ("grpc.enable_retries", 0),
    # gRPC would also use http_proxy and https_proxy: those are for the web, and do not know our processes.
    ("grpc.enable_http_proxy", int("grpc_proxy" in os.environ)),
    ("grpc.max_receive_message_length", 8 << 20),
]


def _paths_by_request() -> dict[str, tuple[str, type[Message]]]:
    """Map each request's full name to its RPC's path and response class: no two RPCs share a request."""
    paths: dict[str, tuple[str, type[Message]]] = {}
    for module in (catalog_pb2, order_pb2):
        for service in module.DESCRIPTOR.services_by_name.values():
            for method in service.methods:
                response = message_factory.GetMessageClass(method.output_type)
                paths[method.input_type.full_name] = (f"/{service.full_name}/{method.name}", response)
    return paths


_PATHS = _paths_by_request()


def _metadata(request_id: str | None = None) -> Metadata:
    """Return what tells the callee which request a call is made for; None: the one that this thread works for."""
    if request_id is None:
        request_id = current_request_id()
    return ((METADATA_KEY, request_id),) if request_id else None


def _outcome(future: "Future[Message]") -> Message | RpcFailure:
    """Return what became of a call that is done; another exception than a failed call's is raised."""
    failure = future.exception()
    if failure is None:
        return future.result()
    if isinstance(failure, RpcFailure):
        return failure
    raise failure


def open_channel(address: str, tls: Tls | None) -> grpc.Channel:
    """Return a new channel, encrypted if `tls` is given. It belongs to this process; it connects when it is used."""
    if tls is None:
        return grpc.insecure_channel(address, options=CHANNEL_OPTIONS)
    return grpc.secure_channel(address, tls.channel_credentials(), options=CHANNEL_OPTIONS)


class Network:
    """Channels by address, made when first used and kept for the life of the process.

    Any number of threads may use it. It is safe to make before a fork: a channel belongs to the process that first
    used it, and a child makes its own. Every call tells the id of the request that the thread works for.
    """

    def __init__(self, tls: Tls | None = None) -> None:
        """Encrypt all calls with `tls`; None: none of them."""
        self._tls = tls
        self._lock = threading.Lock()
        self._pid = os.getpid()
        self._channels: dict[str, grpc.Channel] = {}  # guarded by _lock
        self._callables: dict[tuple[str, str], Any] = {}  # guarded by _lock
        self._pool: ThreadPoolExecutor | None = None  # guarded by _lock

    def call(self, address: str, request: Message, timeout_s: float) -> Any:
        """Make one unary RPC and return its response.

        Raises:
            RpcFailure: the status that was answered, or UNREACHABLE / NO_ANSWER.
        """
        return self._call(address, request, timeout_s, _metadata())

    def stream(self, address: str, request: Message, timeout_s: float) -> Any:
        """Make one server-streaming RPC and yield its messages; closing the iterator cancels the call.

        Raises:
            RpcFailure: as `call`, when the stream fails.
        """
        call = self._callable(address, request, streaming=True)(request, timeout=timeout_s, metadata=_metadata())
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
        """Close all channels; calls under way are cancelled."""
        with self._lock:
            channels, self._channels, self._callables = self._channels, {}, {}
            pool, self._pool = self._pool, None
        for channel in channels.values():
            channel.close()
        if pool is not None:
            pool.shutdown()

    def _perform(self, effect: Effect) -> Any:
        match effect:
            case Call():
                return self._call(effect.address, effect.request, effect.timeout_s, _metadata(effect.request_id))
            case Together():
                return self._perform_together(effect)
            case Pause():
                return time.sleep(effect.seconds)
            case Wait():
                return effect.event.wait(effect.timeout_s)

    def _call(self, address: str, request: Message, timeout_s: float, metadata: Metadata) -> Any:
        try:
            return self._callable(address, request)(request, timeout=max(timeout_s, 0.001), metadata=metadata)
        except grpc.RpcError as error:
            raise failure_from_error(error, address) from error

    def _perform_together(self, effect: Together) -> list[Message | RpcFailure]:
        # Not by gRPC's own futures: a channel that has one under way runs a thread, which is started anew each time.
        metadata, submit = _metadata(), self._callers().submit
        futures = [submit(self._call, call.address, call.request, call.timeout_s, metadata) for call in effect.calls]
        try:
            if effect.meanwhile is not None:
                effect.meanwhile()
        finally:
            wait(futures)
        return [_outcome(future) for future in futures]

    def _callers(self) -> ThreadPoolExecutor:
        """Return the threads that make calls side by side; one is started when none is idle."""
        with self._lock:
            self._forget_parent()
            if self._pool is None:
                self._pool = ThreadPoolExecutor(CALLS_SIDE_BY_SIDE, thread_name_prefix="call")
            return self._pool

    def _forget_parent(self) -> None:
        """In a fork, let the parent keep its channels and threads. The caller holds _lock."""
        if self._pid != os.getpid():
            self._pid, self._channels, self._callables, self._pool = os.getpid(), {}, {}, None

    def _callable(self, address: str, request: Message, streaming: bool = False) -> Any:
        key = (address, request.DESCRIPTOR.full_name)
        if self._pid == os.getpid() and (known := self._callables.get(key)) is not None:
            return known
        path, response = _PATHS[request.DESCRIPTOR.full_name]
        with self._lock:
            self._forget_parent()
            channel = self._channels.get(address)
            if channel is None:
                channel = self._channels[address] = open_channel(address, self._tls)
            make = channel.unary_stream if streaming else channel.unary_unary
            made = make(
                path,
                request_serializer=type(request).SerializeToString,
                response_deserializer=response.FromString,
            )
            self._callables[key] = made
            return made
