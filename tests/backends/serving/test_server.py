import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from backends.serving.server import BackendServer
from backends.storage.ports import StartRefused
from protos import catalog_pb2_grpc

SERVICE = "bourse.catalog.v1.CatalogService"


class NoCatalog(catalog_pb2_grpc.CatalogServiceServicer):
    """Answers UNIMPLEMENTED to everything."""


def make_server(address: str = "127.0.0.1:0", is_ready: Callable[[str], bool] = lambda _service: True) -> BackendServer:
    def register(server: grpc.Server) -> None:
        catalog_pb2_grpc.add_CatalogServiceServicer_to_server(NoCatalog(), server)  # type: ignore[abstract]

    return BackendServer(address, register, [SERVICE], is_ready=is_ready)


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


@pytest.fixture
def readiness() -> dict[str, bool]:
    """What the server's service is; a test changes it."""
    return {SERVICE: True}


@pytest.fixture
def address(readiness: dict[str, bool]) -> Iterator[str]:
    server = make_server(is_ready=readiness.__getitem__)
    server.start()
    yield server.address
    server.stop()


def test_watchers_of_a_service_hear_when_it_is_ready_and_the_process_stays_alive(address, readiness):
    with grpc.insecure_channel(address) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        watch = stub.Watch(health_pb2.HealthCheckRequest(service=SERVICE), timeout=20)
        assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
        readiness[SERVICE] = False
        assert next(watch).status == health_pb2.HealthCheckResponse.NOT_SERVING
        assert stub.Check(health_pb2.HealthCheckRequest(), timeout=5).status == health_pb2.HealthCheckResponse.SERVING
        readiness[SERVICE] = True
        assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
        with pytest.raises(grpc.RpcError) as unknown:
            stub.Check(health_pb2.HealthCheckRequest(service="nobody"), timeout=5)
    assert unknown.value.code() == grpc.StatusCode.NOT_FOUND


def test_a_probe_ends_with_what_health_answers(readiness):
    readiness[SERVICE] = False
    server = make_server(is_ready=readiness.__getitem__)
    server.start()

    def probe(*arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "deploy.probe", server.address, *arguments, "--timeout", "10"]
        return subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)

    assert probe().returncode == 0
    answer = probe(SERVICE)
    server.stop()
    assert (answer.returncode, answer.stderr) == (1, f"{server.address} {SERVICE}: NOT_SERVING\n")
    gone = probe()
    assert gone.returncode == 1
    assert "UNAVAILABLE" in gone.stderr


def test_a_client_that_knows_no_proto_calls_by_reflection(address):
    """As grpcurl does: it lists the services, learns their messages, and calls one."""
    with grpc.insecure_channel(address) as channel:
        database = ProtoReflectionDescriptorDatabase(channel)
        assert SERVICE in database.get_services()
        assert "grpc.health.v1.Health" in database.get_services()
        pool = DescriptorPool(database)
        method = pool.FindServiceByName("grpc.health.v1.Health").methods_by_name["Check"]
        request = GetMessageClass(method.input_type)(service=SERVICE)
        call: Any = channel.unary_unary(
            "/grpc.health.v1.Health/Check",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=GetMessageClass(method.output_type).FromString,
        )
        assert call(request, timeout=5).status == health_pb2.HealthCheckResponse.SERVING
        fields = pool.FindServiceByName(SERVICE).methods_by_name["LookupStock"].input_type.fields_by_name
        assert list(fields) == ["stock_name"]
