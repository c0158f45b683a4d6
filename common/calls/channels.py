"""Channels to other processes, and the RPCs on them by the type of their request."""

import os
import threading
from typing import Any, NamedTuple

import grpc
from google.protobuf import message_factory
from google.protobuf.message import Message

from common.process.tls import Tls
from protos import catalog_pb2, order_pb2

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


class Rpc(NamedTuple):
    """How to make the RPC of a request.

    Attributes:
        former_path: its deprecated name, by which callees of the version before know it; "" if it has none.
    """

    path: str
    response: type[Message]
    former_path: str


def _rpcs_by_request() -> dict[str, Rpc]:
    """Map each request's full name to its RPC: no two share a request, except one and its deprecated name."""
    paths: dict[str, str] = {}
    former: dict[str, str] = {}
    responses: dict[str, type[Message]] = {}
    for module in (catalog_pb2, order_pb2):
        for service in module.DESCRIPTOR.services_by_name.values():
            for method in service.methods:
                request = method.input_type.full_name
                (former if method.GetOptions().deprecated else paths)[request] = f"/{service.full_name}/{method.name}"
                responses[request] = message_factory.GetMessageClass(method.output_type)
    return {request: Rpc(path, responses[request], former.get(request, "")) for request, path in paths.items()}


_RPCS = _rpcs_by_request()


def open_channel(address: str, tls: Tls | None, *, in_loop: bool = False) -> Any:
    """Return a new channel, encrypted if `tls` is given. It belongs to this process; it connects when it is used.

    `in_loop`: one of grpc.aio, for the running event loop.
    """
    maker: Any = grpc.aio if in_loop else grpc
    if tls is None:
        return maker.insecure_channel(address, options=CHANNEL_OPTIONS)
    return maker.secure_channel(address, tls.channel_credentials(), options=CHANNEL_OPTIONS)


def rpc_of(request: Message) -> Rpc:
    """Return what a request asks for."""
    return _RPCS[request.DESCRIPTOR.full_name]


def _by_either_name(rpc: Any, former: Any) -> Any:
    """Return a unary RPC that is made by its former name where the callee does not know the present one yet."""

    def call(request: Message, **options: Any) -> Any:
        try:
            return rpc(request, **options)
        except grpc.RpcError as error:
            if error.code() is not grpc.StatusCode.UNIMPLEMENTED:
                raise
        return former(request, **options)

    return call


class Channels:
    """The channels of one process by address, made when first used. Any number of threads may use it."""

    def __init__(self, tls: Tls | None) -> None:
        """Encrypt all with `tls`; None: none of them."""
        self._tls = tls
        self._lock = threading.Lock()
        self._channels: dict[str, grpc.Channel] = {}  # guarded by _lock
        self._callables: dict[tuple[str, str], Any] = {}  # written under _lock

    def channel(self, address: str) -> grpc.Channel:
        """Return the channel to an address."""
        with self._lock:
            channel = self._channels.get(address)
            if channel is None:
                channel = self._channels[address] = open_channel(address, self._tls)
            return channel

    def rpc(self, address: str, request: Message, *, streaming: bool = False) -> Any:
        """Return what makes the RPC of this request: a unary one, or one that answers with a stream."""
        key = (address, request.DESCRIPTOR.full_name)
        made = self._callables.get(key)
        if made is None:
            made = self._make(address, request, streaming=streaming)
            with self._lock:
                self._callables[key] = made
        return made

    def _make(self, address: str, request: Message, *, streaming: bool) -> Any:
        channel = self.channel(address)
        rpc = rpc_of(request)

        def named(path: str) -> Any:
            return (channel.unary_stream if streaming else channel.unary_unary)(
                path,
                request_serializer=type(request).SerializeToString,
                response_deserializer=rpc.response.FromString,
            )

        return _by_either_name(named(rpc.path), named(rpc.former_path)) if rpc.former_path else named(rpc.path)

    def close(self) -> None:
        """Close all; calls under way are cancelled."""
        with self._lock:
            channels = list(self._channels.values())
        for channel in channels:
            channel.close()
