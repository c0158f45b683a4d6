"""The whole system with TLS between its processes, and processes that refuse to start without it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
import trustme

from common.calls.channels import CHANNEL_OPTIONS
from common.calls.failures import RpcFailure
from common.calls.network import Network
from common.calls.reasons import Reason
from common.process.tls import Tls
from deploy.settings import ROOT
from protos import catalog_pb2, order_pb2
from tests.harness.certificates import write_certificates
from tests.harness.cluster import Cluster
from tests.harness.invariants import check_invariants
from tests.harness.seeds import write_seed

REFUSED_WITHIN_S = 20


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A running cluster whose processes share one certificate."""
    folder = tmp_path_factory.mktemp("tls")
    write_seed(folder / "seed.csv")
    variables = write_certificates(folder / "certificates", trustme.CA())
    with Cluster(folder, folder / "seed.csv", environment=variables) as running:
        yield running


def test_orders_are_placed_and_replicated(cluster: Cluster):
    name = next(iter(cluster.initial))
    before = len(cluster.journal.read_bytes().splitlines())
    assert cluster.rest.place(name, "buy", 1).status_code == 201
    assert cluster.rest.place(name, "sell", 1).status_code == 201
    check_invariants(cluster)
    assert len(cluster.journal.read_bytes().splitlines()) == before + 2


def test_the_operators_commands_speak_it(cluster: Cluster):
    assert cluster.run("manage.py", "replicas", "status").returncode == 0


def test_an_operator_without_certificates_sees_nobody(cluster: Cluster):
    without = dict.fromkeys(("BOURSE_TLS_CA", "BOURSE_TLS_CERT", "BOURSE_TLS_KEY"), "")
    done = cluster.run("manage.py", "replicas", "status", **without)
    assert done.returncode == 4, done.stdout


def test_strangers_get_nowhere_at_the_catalog_and_at_a_replica(cluster: Cluster, tmp_path: Path):
    own = Tls.from_environment(cluster.environment)
    other = Tls.from_environment(write_certificates(tmp_path, trustme.CA()))
    assert own is not None
    assert other is not None
    strangers = [None, other, Tls(own.ca, other.certificate, other.key)]
    for tls in strangers:
        network = Network(tls)
        for address, request in (
            (cluster.catalog, catalog_pb2.CatalogHealthRequest()),
            (cluster.replicas[1], order_pb2.HealthCheckRequest()),
        ):
            with pytest.raises(RpcFailure) as caught:
                network.call(address, request, 5)
            assert caught.value.reason is Reason.UNREACHABLE
        network.close()


def test_a_caller_without_a_certificate_gets_nowhere(cluster: Cluster):
    own = Tls.from_environment(cluster.environment)
    assert own is not None
    credentials = grpc.ssl_channel_credentials(own.ca)
    with grpc.secure_channel(cluster.replicas[1], credentials, CHANNEL_OPTIONS) as channel:
        call = channel.unary_unary(
            "/bourse.order.v1.OrderService/HealthCheck",
            request_serializer=order_pb2.HealthCheckRequest.SerializeToString,
            response_deserializer=order_pb2.HealthCheckResponse.FromString,
        )
        with pytest.raises(grpc.RpcError) as caught:
            call(order_pb2.HealthCheckRequest(), timeout=5)
    assert caught.value.code() == grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize(
    ("arguments", "variables", "said"),
    [
        (["-m", "backends.catalog", "--address", "0.0.0.0:0"], {}, "--address: 0.0.0.0:0 is not on loopback"),
        (["-m", "backends.order", "--replica-id", "1", "--catalog", "10.0.0.5:1"], {}, "--catalog: 10.0.0.5:1 is not"),
        (["-m", "deploy.frontend"], {"BOURSE_CATALOG": "10.0.0.5:1"}, "BOURSE_CATALOG: 10.0.0.5:1 is not on loopback"),
        (["manage.py", "replicas", "watch"], {"BOURSE_REPLICAS": "1=h:1"}, "replica 1: h:1 is not on loopback"),
        (
            ["-m", "backends.catalog.rebuild"],
            {"BOURSE_TLS_CA": "/nowhere/ca"},
            "BOURSE_TLS_CERT and BOURSE_TLS_KEY must",
        ),
    ],
)
def test_a_process_that_would_be_overheard_refuses_in_one_line(
    tmp_path: Path, arguments: list[str], variables: dict[str, str], said: str
):
    clean = {name: value for name, value in os.environ.items() if not name.startswith("BOURSE_")}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**clean, "BOURSE_DATA_DIR": str(tmp_path), **variables},
        capture_output=True,
        text=True,
        timeout=REFUSED_WITHIN_S,
        check=False,
    )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert said in line
