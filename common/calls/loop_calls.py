"""Calls to other processes with gRPC, in an event loop: unary ones, and those that open streams carry."""

import asyncio
import time
from collections import defaultdict
from typing import Any

import grpc
from google.protobuf.message import Message

from common.calls.channels import open_channel, rpc_of
from common.calls.failures import RpcFailure
from common.calls.network import CARRIED, SHORTEST_TIMEOUT_S, metadata_of, request_id_of
from common.calls.reasons import Reason
from common.calls.statuses import failure_from_error
from common.calls.steps import Call
from common.calls.streams import CARRY, FRESH_S, KEPT_STREAMS, carried_call, carried_response
from common.process.tls import Tls
from protos import calls_pb2


class LoopStream:
    """One stream, for one call at a time. One that did not end its call in order is never used again."""

    def __init__(self, channel: Any, address: str) -> None:
        """Open it; that it could not be opened is told by the first call."""
        self.address = address
        self._is_idle = True  # no call is under way, and the last one was answered
        self._idle_since = time.monotonic()
        self._limit: asyncio.Timeout | None = None  # of the call under way, or the last one
        self._carry: Any = channel.stream_stream(
            CARRY,
            request_serializer=calls_pb2.CarriedCall.SerializeToString,
            response_deserializer=calls_pb2.CarriedAnswer.FromString,
        )()

    @property
    def is_free(self) -> bool:
        """Whether it can carry another call."""
        return self._is_idle and not self._carry.done() and time.monotonic() - self._idle_since < FRESH_S

    async def call(self, request: Message, timeout_s: float, request_id: str) -> bytes:
        """Send a call, wait for its answer, and return the bytes of the response.

        Raises:
            RpcFailure: as a unary call's; TOO_MANY_STREAMS: nothing was done.
        """
        self._is_idle = False
        try:
            # Not by cancelling the stream: whoever waits for one that has not connected yet would not be told.
            async with asyncio.timeout(timeout_s) as self._limit:
                await self._write(carried_call(request, timeout_s, request_id))
                answer = await self._carry.read()
        except TimeoutError:
            raise RpcFailure(Reason.NO_ANSWER, f"{self.address}: no answer in time") from None
        except grpc.RpcError as error:
            raise failure_from_error(error, self.address) from error
        if answer is grpc.aio.EOF:
            raise self._ended()
        self._is_idle = True
        self._idle_since = time.monotonic()
        return carried_response(answer, self.address)

    def give_up(self) -> None:
        """Have the call under way fail now, with NO_ANSWER."""
        if self._limit is not None and not self._limit.expired():
            self._limit.reschedule(asyncio.get_running_loop().time())

    def close(self) -> None:
        """End it, when no call is under way."""
        self._carry.cancel()

    async def _write(self, carried: calls_pb2.CarriedCall) -> None:
        try:
            await self._carry.write(carried)
        except grpc.RpcError as error:
            # It had ended, and grpc.aio was told so when it wrote: then it says nothing of how.
            if error.code() is grpc.StatusCode.INTERNAL:
                raise self._ended() from error
            raise

    def _ended(self) -> RpcFailure:
        """Return what a stream is told as that ended without a word: the call may have been read."""
        return RpcFailure(Reason.UNREACHABLE, f"{self.address}: the stream ended")


class LoopCalls:
    """Calls by address, over connections that are made when first used. For the thread of one event loop alone."""

    def __init__(self, tls: Tls | None) -> None:
        """Encrypt all calls with `tls`; None: none of them."""
        self._tls = tls
        self._channels: dict[str, Any] = {}
        self._callables: dict[tuple[str, str], Any] = {}
        self._idle: defaultdict[str, list[LoopStream]] = defaultdict(list)
        self._is_closed = False

    async def call(self, call: Call) -> Any:
        """Make one RPC and return its response. To cancel it cancels the call.

        Raises:
            RpcFailure: the status that was answered, or UNREACHABLE / NO_ANSWER.
        """
        if isinstance(call.request, CARRIED):
            return await self.carry(call, self.take(call.address))
        return await self._unary(call, max(call.timeout_s, SHORTEST_TIMEOUT_S))

    async def carry(self, call: Call, stream: LoopStream) -> Any:
        """Make a call on a stream that was taken, and give that back. Raises as `call`."""
        try:
            timeout_s = max(call.timeout_s, SHORTEST_TIMEOUT_S)
            response = await stream.call(call.request, timeout_s, request_id_of(call))
        finally:
            self._give_back(stream)
        return rpc_of(call.request).response.FromString(response)

    def take(self, address: str) -> LoopStream:
        """Return an open stream for one call."""
        idle = self._idle[address]
        while idle:
            stream = idle.pop()
            if stream.is_free:
                return stream
            stream.close()
        return LoopStream(self._channel(address), address)

    async def close(self) -> None:
        """Close all connections for good; calls under way are cancelled."""
        self._is_closed = True
        channels = list(self._channels.values())
        self._channels.clear()
        self._callables.clear()
        self._idle.clear()
        for channel in channels:
            await channel.close()

    async def _unary(self, call: Call, timeout_s: float) -> Any:
        rpc = rpc_of(call.request)
        try:
            try:
                return await self._ask(rpc.path, call, timeout_s)
            except grpc.RpcError as error:
                if not rpc.former_path or error.code() is not grpc.StatusCode.UNIMPLEMENTED:
                    raise
            return await self._ask(rpc.former_path, call, timeout_s)
        except grpc.RpcError as error:
            raise failure_from_error(error, call.address) from error

    async def _ask(self, path: str, call: Call, timeout_s: float) -> Any:
        rpc = self._callables.get((call.address, path))
        if rpc is None:
            rpc = self._callables[call.address, path] = self._channel(call.address).unary_unary(
                path,
                request_serializer=type(call.request).SerializeToString,
                response_deserializer=rpc_of(call.request).response.FromString,
            )
        return await rpc(call.request, timeout=timeout_s, metadata=metadata_of(request_id_of(call)))

    def _channel(self, address: str) -> Any:
        channel = self._channels.get(address)
        if channel is None:
            if self._is_closed:
                closed = RpcFailure(Reason.UNREACHABLE, f"{address}: this process has closed its connections")
                closed.was_sent = False
                raise closed
            channel = self._channels[address] = open_channel(address, self._tls, in_loop=True)
        return channel

    def _give_back(self, stream: LoopStream) -> None:
        idle = self._idle[stream.address]
        if stream.is_free and len(idle) < KEPT_STREAMS:
            idle.append(stream)
        else:
            stream.close()
