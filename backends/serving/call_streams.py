"""The callee's side of calls over streams that stay: each is handled as the unary call that it stands for."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

import grpc
from google.protobuf.message import Message

from common.calls.deadlines import Deadlines
from common.calls.failures import RpcFailure
from common.calls.reasons import Reason
from common.calls.statuses import STATUS_DETAILS_KEY, aborting_on_failures
from common.calls.streams import IDLE_S
from common.calls.waiting_room import WaitingRoom
from common.process.request_context import VALID_REQUEST_ID, working_for
from protos import calls_pb2, calls_pb2_grpc

# Each holds a thread of the server while it is open.
MOST_STREAMS = 64

Handler = Callable[[Any, grpc.ServicerContext], Message]


class _Aborted(grpc.RpcError):
    """A handler has answered with a status: as gRPC's own error it is no failure of the handler."""

    def __init__(self, status: grpc.Status) -> None:
        self.status_bytes = cast(bytes, dict(status.trailing_metadata)[STATUS_DETAILS_KEY])


class _CarriedContext:
    """What a handler may ask of the call that it handles: as of a gRPC context, as far as ours need it."""

    def __init__(self, stream: grpc.ServicerContext, timeout_s: float) -> None:
        self.is_active = stream.is_active
        self._deadline = time.monotonic() + timeout_s

    def time_remaining(self) -> float:
        """Seconds that the caller still waits."""
        return max(0.0, self._deadline - time.monotonic())

    def abort_with_status(self, status: grpc.Status) -> None:
        """Answer with a status; raises in any case."""
        raise _Aborted(status)


class CallStreams(calls_pb2_grpc.CallStreamServiceServicer):
    """Carries calls to handlers, in the thread of their stream; `stop` ends the streams and cuts no call off.

    A stream without a call for IDLE_S is ended: its caller may be frozen, or its machine gone.
    """

    def __init__(self, handlers: Mapping[type[Message], Handler]) -> None:
        """Handlers of unary RPCs, by the class of the request."""
        self._handlers = {request.DESCRIPTOR.full_name: (request, handler) for request, handler in handlers.items()}
        self._places = WaitingRoom(MOST_STREAMS, Reason.TOO_MANY_STREAMS)
        self._deadlines = Deadlines()
        self._lock = threading.Lock()
        # Guarded by _lock.
        self._idle: set[grpc.ServicerContext] = set()
        self._is_stopping = False

    def Carry(
        self, request_iterator: Iterator[calls_pb2.CarriedCall], context: grpc.ServicerContext
    ) -> Iterator[calls_pb2.CarriedAnswer]:
        with aborting_on_failures(context), self._places.place():
            try:
                while self._may_wait(context):
                    call = next(request_iterator, None)
                    if call is None or not self._may_answer(context):
                        return
                    yield self._answer(call, context)
            finally:
                self._note_busy(context)

    def stop(self) -> None:
        """End the streams: those that wait for a call now, the others after the answer."""
        with self._lock:
            self._is_stopping = True
            idle = list(self._idle)
        for context in idle:
            context.cancel()
        self._deadlines.close()

    def _may_wait(self, context: grpc.ServicerContext) -> bool:
        with self._lock:
            if self._is_stopping:
                return False
            self._idle.add(context)
        self._deadlines.set(context.cancel, time.monotonic() + IDLE_S)
        return True

    def _may_answer(self, context: grpc.ServicerContext) -> bool:
        """Whether the stream was not ended while it waited: its caller is told so, and the call must not be made."""
        return self._note_busy(context) and not self._is_stopping

    def _note_busy(self, context: grpc.ServicerContext) -> bool:
        """Note that a stream waits no longer; whether it was in time."""
        with self._lock:
            self._idle.discard(context)
        return self._deadlines.drop(context.cancel)

    def _answer(self, call: calls_pb2.CarriedCall, context: grpc.ServicerContext) -> calls_pb2.CarriedAnswer:
        carried = cast(grpc.ServicerContext, _CarriedContext(context, call.timeout_ms / 1000))
        request_id = call.request_id if VALID_REQUEST_ID.fullmatch(call.request_id) else ""
        try:
            with working_for(request_id), aborting_on_failures(carried):
                return calls_pb2.CarriedAnswer(response=self._handle(call, carried).SerializeToString())
        except _Aborted as aborted:
            return calls_pb2.CarriedAnswer(status=aborted.status_bytes)

    def _handle(self, call: calls_pb2.CarriedCall, carried: grpc.ServicerContext) -> Message:
        known = self._handlers.get(call.request_type)
        if known is None:
            raise RpcFailure(Reason.NOT_CARRIED, f"{call.request_type[:80]!r} is not carried here")
        request_class, handle = known
        return handle(request_class.FromString(call.request), carried)
