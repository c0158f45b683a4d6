"""Calls over streams that stay: what every order calls (docs/decisions/call_streams.md). Both ends are here.

A stream carries one call after the other, as a unary call would, without what it costs to start one. The caller keeps
OpenStreams; the callee has a CallStreamServicer, which handles each call as the unary one that it stands for.
"""

import queue
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

import grpc
from google.protobuf.message import Message
from google.rpc import status_pb2

from common.calls.failures import RpcFailure, failure_from_wire
from common.calls.reasons import Reason
from common.calls.statuses import STATUS_DETAILS_KEY, aborting_on_failures, failure_from_error, failure_from_status
from common.calls.waiting_room import STREAM_COUNT, WaitingRoom
from common.process.deadlines import Deadlines
from common.process.request_context import VALID_REQUEST_ID, working_for
from protos import calls_pb2, calls_pb2_grpc

CARRY = f"/{calls_pb2.DESCRIPTOR.services_by_name['CallStreamService'].full_name}/Carry"
# Of a caller to one callee: more are only open while so many calls are under way.
KEPT_STREAMS = 4
# The callee ends a stream that was idle for so long; the caller uses none that was idle for longer than FRESH_S.
IDLE_S = 60.0
FRESH_S = 30.0
# An answer that is there already is read, however late it is asked for: its reader waited for something else.
READING_S = 0.05

OpenChannel = Callable[[str], grpc.Channel]
Handler = Callable[[Any, grpc.ServicerContext], Message]

# -- The caller's end --------------------------------------------------------------------------------------------------


def carried_call(request: Message, timeout_s: float, request_id: str) -> calls_pb2.CarriedCall:
    """Return the message that carries a call."""
    return calls_pb2.CarriedCall(
        request_type=request.DESCRIPTOR.full_name,
        request=request.SerializeToString(),
        timeout_ms=round(1000 * timeout_s),
        request_id=request_id,
    )


def carried_response(answer: calls_pb2.CarriedAnswer, address: str) -> bytes:
    """Return the bytes of the response that came from a process.

    Raises:
        RpcFailure: what it answered in place of one.
    """
    if answer.WhichOneof("answer") == "response":
        return answer.response
    status = status_pb2.Status.FromString(answer.status)
    raise failure_from_status(status) or failure_from_wire(
        status.code, Reason.UNKNOWN.name, f"{address}: {status.message}", {}
    )


class CallStream:
    """One stream, for one call at a time: `send`, then `receive`, always both."""

    def __init__(self, channel: grpc.Channel, address: str, deadlines: Deadlines) -> None:
        """Open it; that it could not be opened is told by the first `receive`."""
        self.address = address
        self._deadlines = deadlines
        self._calls: queue.SimpleQueue[calls_pb2.CarriedCall | None] = queue.SimpleQueue()
        self._is_idle = True  # no call is under way, and the last one was answered
        self._idle_since = self._deadline = time.monotonic()
        carry: Any = channel.stream_stream(
            CARRY,
            request_serializer=calls_pb2.CarriedCall.SerializeToString,
            response_deserializer=calls_pb2.CarriedAnswer.FromString,
        )
        self._answers = carry(iter(self._calls.get, None))

    @property
    def is_free(self) -> bool:
        """Whether another call can be sent."""
        is_fresh = time.monotonic() - self._idle_since < FRESH_S
        return self._is_idle and is_fresh and bool(self._answers.is_active())

    def send(self, request: Message, timeout_s: float, request_id: str) -> None:
        """Send a call without waiting for it; it fails if it is not answered within the time-out."""
        self._is_idle = False
        self._deadline = time.monotonic() + timeout_s
        self._calls.put(carried_call(request, timeout_s, request_id))

    def receive(self) -> bytes:
        """Wait for the answer to the call that was sent, and return the bytes of the response.

        Raises:
            RpcFailure: as a unary call's; TOO_MANY_STREAMS: nothing was done.
        """
        self._deadlines.set(self.close, max(self._deadline, time.monotonic() + READING_S))
        try:
            answer: calls_pb2.CarriedAnswer = next(self._answers)
            self._idle_since = time.monotonic()
            self._is_idle = self._deadlines.drop(self.close)  # if it is too late for that, the stream is being closed
        except StopIteration:  # it ended, and did not say how: the call may have been read
            raise RpcFailure(Reason.UNREACHABLE, f"{self.address}: the stream ended") from None
        except grpc.RpcError as error:
            is_late = not self._deadlines.drop(self.close) or error.code() is grpc.StatusCode.CANCELLED  # `close`
            raise self._no_answer() if is_late else failure_from_error(error, self.address) from error
        finally:
            self._deadlines.drop(self.close)
        return carried_response(answer, self.address)

    def close(self) -> None:
        """End it; a call under way fails."""
        self._calls.put(None)
        self._answers.cancel()

    def _no_answer(self) -> RpcFailure:
        return RpcFailure(Reason.NO_ANSWER, f"{self.address}: no answer in time")


class OpenStreams:
    """The open streams by address. Any thread may use them; each is one call's at a time.

    Attributes:
        deadlines: of the calls on them.
    """

    def __init__(self, channel: OpenChannel) -> None:
        """`channel` returns the channel to an address."""
        self._channel = channel
        self.deadlines = Deadlines()
        self._lock = threading.Lock()
        # Guarded by _lock.
        self._idle: defaultdict[str, list[CallStream]] = defaultdict(list)
        self._is_closed = False

    def take(self, address: str) -> CallStream:
        """Return an open stream for one call, to be given back after it."""
        with self._lock:
            idle = self._idle[address]
            while idle:
                stream = idle.pop()
                if stream.is_free:
                    return stream
                stream.close()
        return CallStream(self._channel(address), address, self.deadlines)

    def give_back(self, stream: CallStream) -> None:
        """Keep a stream for the next call, if it is open and few enough are kept."""
        with self._lock:
            idle = self._idle[stream.address]
            if stream.is_free and len(idle) < KEPT_STREAMS and not self._is_closed:
                idle.append(stream)
                return
        stream.close()

    def close(self) -> None:
        """End all, those that a call has behind it."""
        with self._lock:
            self._is_closed = True
            streams = [stream for idle in self._idle.values() for stream in idle]
            self._idle.clear()
        for stream in streams:
            stream.close()
        self.deadlines.close()


# -- The callee's end --------------------------------------------------------------------------------------------------


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


class CallStreamServicer(calls_pb2_grpc.CallStreamServiceServicer):
    """Carries calls to handlers, in the thread of their stream; `stop` ends the streams and cuts no call off.

    A stream without a call for IDLE_S is ended: its caller may be frozen, or its machine gone.
    """

    def __init__(self, handlers: Mapping[type[Message], Handler]) -> None:
        """Handlers of unary RPCs, by the class of the request."""
        self._handlers = {request.DESCRIPTOR.full_name: (request, handler) for request, handler in handlers.items()}
        self._places = WaitingRoom(STREAM_COUNT, Reason.TOO_MANY_STREAMS)
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
