"""Calls over streams that stay: what every order calls (docs/decisions/call_streams.md).

A stream carries one call after the other, as a unary call would, without what it costs to start one.
"""

import queue
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import grpc
from google.protobuf.message import Message
from google.rpc import status_pb2

from common.calls.deadlines import Deadlines
from common.calls.failures import RpcFailure, failure_from_wire
from common.calls.reasons import Reason
from common.calls.statuses import failure_from_error, failure_from_status
from protos import calls_pb2

_CARRY = f"/{calls_pb2.DESCRIPTOR.services_by_name['CallStreamService'].full_name}/Carry"
# More are only open while so many calls are under way.
KEPT_STREAMS = 4
# One that was idle for longer is not used again: the callee ends it after IDLE_S.
FRESH_S = 30.0
IDLE_S = 60.0
# An answer that is there already is read, however late it is asked for: its reader waited for something else.
READING_S = 0.05

OpenChannel = Callable[[str], grpc.Channel]


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
            _CARRY,
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
        self._calls.put(
            calls_pb2.CarriedCall(
                request_type=request.DESCRIPTOR.full_name,
                request=request.SerializeToString(),
                timeout_ms=round(1000 * timeout_s),
                request_id=request_id,
            )
        )

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
            is_late = not self._deadlines.drop(self.close)
            raise self._no_answer() if is_late else failure_from_error(error, self.address) from error
        finally:
            self._deadlines.drop(self.close)
        return self._response(answer)

    def close(self) -> None:
        """End it; a call under way fails."""
        self._calls.put(None)
        self._answers.cancel()

    def _response(self, answer: calls_pb2.CarriedAnswer) -> bytes:
        if answer.WhichOneof("answer") == "response":
            return answer.response
        status = status_pb2.Status.FromString(answer.status)
        raise failure_from_status(status) or failure_from_wire(
            status.code, Reason.UNKNOWN.name, f"{self.address}: {status.message}", {}
        )

    def _no_answer(self) -> RpcFailure:
        return RpcFailure(Reason.NO_ANSWER, f"{self.address}: no answer in time")


class CallStreams:
    """The open streams by address. Any thread may use them; each is one call's at a time."""

    def __init__(self, channel: OpenChannel) -> None:
        """`channel` returns the channel to an address."""
        self._channel = channel
        self._deadlines = Deadlines()
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
        return CallStream(self._channel(address), address, self._deadlines)

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
        self._deadlines.close()
