"""A backend's gRPC server: made on an address, served until a signal, stopped without cutting a caller off."""

import os
import socket
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent import futures
from typing import Any, NoReturn

import grpc
import structlog
from google.protobuf.message import Message
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from backends.storage.ports import StartRefused
from common.calls.streams import CallStreamServicer, Handler
from common.calls.waiting_room import WORKER_COUNT
from common.process import failpoints
from common.process.config import ConfigError
from common.process.finish import run_program
from common.process.logs import configure_logs
from common.process.request_context import METADATA_KEY, VALID_REQUEST_ID, work_for
from common.process.tls import Tls
from protos import calls_pb2_grpc

log = structlog.get_logger()

STOP_GRACE_S = 2.0
# Within this time the standard health service says that a service has become of use, or is no longer.
READY_INTERVAL_S = 1.0

SERVER_OPTIONS = [
    ("grpc.so_reuseport", 0),  # a port in use is an error, not a second server behind the same port
    ("grpc.max_receive_message_length", 8 << 20),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),  # below the channels' keepalive_time_ms
]


class RequestIds(grpc.ServerInterceptor):
    """Has each call's handler, and what it calls itself, work for the request that the caller named in the metadata.

    gRPC runs an interceptor and then the handler, in another thread, in one context of the call's own.
    """

    def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Any],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """Note the id, if there is a valid one, and go on."""
        for key, value in handler_call_details.invocation_metadata:
            if key == METADATA_KEY and isinstance(value, str) and VALID_REQUEST_ID.fullmatch(value):
                work_for(value)
        return continuation(handler_call_details)


class BackendServer:
    """A gRPC server with its services, standard health and reflection."""

    def __init__(
        self,
        address: str,
        register: Callable[[grpc.Server], None],
        service_names: Sequence[str],
        tls: Tls | None = None,
        *,
        carried: Mapping[type[Message], Handler] | None = None,
        is_ready: Callable[[str], bool] = lambda _service: True,
    ) -> None:
        """Listen on `address` (port 0: any free one), with `tls` for callers that it knows alone.

        `carried` has the handlers of the RPCs that are also answered over streams, by the class of their request.
        `is_ready` says, by the name of a service, whether it is of use now; it must not wait.

        Raises:
            StartRefused: the address cannot be listened on.
        """
        _check_can_listen(address)
        self._streams = CallStreamServicer(carried or {})
        self._server = grpc.server(
            futures.ThreadPoolExecutor(WORKER_COUNT, thread_name_prefix="rpc"),
            interceptors=[RequestIds()],
            options=SERVER_OPTIONS,
        )
        register(self._server)
        calls_pb2_grpc.add_CallStreamServiceServicer_to_server(self._streams, self._server)
        self._health = health.HealthServicer()
        self._service_names = service_names
        self._is_ready = is_ready
        self._told: dict[str, int] = {}  # the readiness of each service, as health answers it
        self._stopping = threading.Event()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        reflection.enable_server_reflection(
            (*service_names, health.SERVICE_NAME, reflection.SERVICE_NAME), self._server
        )
        try:
            if tls is None:
                port = self._server.add_insecure_port(address)
            else:
                port = self._server.add_secure_port(address, tls.server_credentials())
        except RuntimeError as error:
            raise StartRefused(f"cannot listen on {address}: is the port in use?") from error
        if port == 0:
            raise StartRefused(f"cannot listen on {address}: is the port in use?")
        self.address = f"{address.rpartition(':')[0]}:{port}"

    def start(self) -> None:
        """Serve. Health answers SERVING; for a service that is not ready NOT_SERVING, READY_INTERVAL_S late at most."""
        for name in ("", health.SERVICE_NAME):
            self._health.set(name, health_pb2.HealthCheckResponse.SERVING)
        self._tell_readiness()
        self._server.start()
        threading.Thread(target=self._follow_readiness, name="readiness", daemon=True).start()

    def stop(self) -> None:
        """Refuse new calls, let those under way end for STOP_GRACE_S, then cancel them."""
        self._stopping.set()
        self._health.enter_graceful_shutdown()
        stopped = self._server.stop(STOP_GRACE_S)
        self._streams.stop()
        stopped.wait()

    def _tell_readiness(self) -> None:
        for name in self._service_names:
            ready = self._is_ready(name)
            status = health_pb2.HealthCheckResponse.SERVING if ready else health_pb2.HealthCheckResponse.NOT_SERVING
            if self._told.get(name) != status:  # those who Watch hear changes alone
                self._told[name] = status
                self._health.set(name, status)

    def _follow_readiness(self) -> None:
        while not self._stopping.wait(READY_INTERVAL_S):
            self._tell_readiness()


def _check_can_listen(address: str) -> None:
    """Try the address with a plain socket first: gRPC prints lines of its own about one that it cannot take.

    Raises:
        StartRefused: it cannot be listened on; says why.
    """
    host, _, port = address.rpartition(":")
    try:
        kind, _, _, _, name = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)[0]
        with socket.socket(kind, socket.SOCK_STREAM) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections that linger are no obstacle
            trial.bind(name)
            trial.listen()
    except OSError as error:
        raise StartRefused(f"cannot listen on {address}: {error.strerror}") from error


def start_again(why: str) -> NoReturn:
    """Begin this program anew in this process, with its arguments; no file or connection stays open.

    In the main thread alone: the kernel keeps for each thread with which parent it ends (deploy/parent.py).
    """
    assert threading.current_thread() is threading.main_thread()
    log.warning("starting again", why=why)
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def run_process(name: str, main: Callable[[], None]) -> None:
    """Run a backend's main function and leave with its exit code: 0, or 1 with one line that says why it refused."""

    def configured() -> None:
        configure_logs(name)
        failpoints.arm(os.environ)
        main()

    run_program(name, configured, StartRefused, ConfigError)
    # Threads that wait in gRPC's pool are not worth waiting for: all files are synced and closed.
    os._exit(0)
