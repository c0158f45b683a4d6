import threading

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from backends.data_directory import StartRefused
from backends.failures import Exhausted
from backends.server import BackendServer, WaitingRoom
from protos import catalog_pb2_grpc

SERVICE = "bourse.catalog.v1.CatalogService"


class NoCatalog(catalog_pb2_grpc.CatalogServiceServicer):
    """Answers UNIMPLEMENTED to everything."""


def make_server(address: str = "127.0.0.1:0") -> BackendServer:
    def register(server: grpc.Server) -> None:
        catalog_pb2_grpc.add_CatalogServiceServicer_to_server(NoCatalog(), server)  # type: ignore[abstract]

    return BackendServer(address, register, [SERVICE])


def test_port_in_use_is_refused_with_the_address():
    first = make_server()
    first.start()
    try:
        with pytest.raises(StartRefused, match=first.address):
            make_server(first.address)
    finally:
        first.stop()


def test_standard_health_says_serving():
    server = make_server()
    server.start()
    try:
        with grpc.insecure_channel(server.address) as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            answer = stub.Check(health_pb2.HealthCheckRequest(service=SERVICE), timeout=5)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
    finally:
        server.stop()


def test_waiting_room_refuses_when_all_places_are_taken():
    room = WaitingRoom(1, reason="QUEUE_FULL")
    inside, leave = threading.Event(), threading.Event()

    def wait_inside() -> None:
        with room.place():
            inside.set()
            leave.wait(5)

    thread = threading.Thread(target=wait_inside)
    thread.start()
    assert inside.wait(5)
    with pytest.raises(Exhausted) as caught, room.place():
        pass
    assert caught.value.reason == "QUEUE_FULL"
    leave.set()
    thread.join()
    with room.place():
        pass
