import datetime
import subprocess
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path

import grpc
import pytest
import trustme

from common.calls.failures import RpcFailure
from common.calls.network import Network
from common.calls.reasons import Reason
from common.process.config_error import ConfigError
from common.process.tls import CA_VARIABLE, CERTIFICATE_VARIABLE, KEY_VARIABLE, TLS_VARIABLES, Tls
from protos import catalog_pb2, catalog_pb2_grpc
from tests.harness.certificates import write_certificates

HEALTH = catalog_pb2.CatalogHealthRequest()


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def variables(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The variables of a process with good files; a test changes a copy."""
    return write_certificates(tmp_path_factory.mktemp("good"), authority)


def tls_of(variables: dict[str, str]) -> Tls:
    tls = Tls.from_environment(variables)
    assert tls is not None
    return tls


def refusal(variables: dict[str, str]) -> str:
    with pytest.raises(ConfigError) as caught:
        Tls.from_environment(variables)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_no_variable_no_tls():
    assert Tls.from_environment(dict.fromkeys(TLS_VARIABLES, "")) is None


@pytest.mark.parametrize("name", TLS_VARIABLES)
def test_all_three_or_none(variables, name):
    assert refusal({**variables, name: ""}).startswith(f"{name} must be set too")


@pytest.mark.parametrize("name", TLS_VARIABLES)
def test_file_that_cannot_be_read_is_named_with_its_variable(variables, name):
    assert (
        refusal({**variables, name: "/nowhere/x.pem"})
        == f"{name}='/nowhere/x.pem' cannot be read: No such file or directory"
    )


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (CA_VARIABLE, "holds no certificates in PEM"),
        (CERTIFICATE_VARIABLE, "are not a certificate and its private key in PEM"),
        (KEY_VARIABLE, "are not a certificate and its private key in PEM"),
    ],
)
def test_file_that_holds_something_else(variables, tmp_path: Path, name, said):
    (tmp_path / "text").write_text("hello\n")
    answer = refusal({**variables, name: str(tmp_path / "text")})
    assert name in answer
    assert said in answer


def test_key_of_another_certificate(variables, authority, tmp_path: Path):
    other = write_certificates(tmp_path, authority)
    assert "key values mismatch" in refusal({**variables, KEY_VARIABLE: other[KEY_VARIABLE]})


def test_encrypted_key(variables, tmp_path: Path):
    """Nothing asks at the terminal for a password."""
    path = tmp_path / "encrypted.pem"
    subprocess.run(
        ["openssl", "pkcs8", "-topk8", "-passout", "pass:secret", "-in", variables[KEY_VARIABLE], "-out", str(path)],
        check=True,
        capture_output=True,
    )
    assert "is encrypted" in refusal({**variables, KEY_VARIABLE: str(path)})


def test_certificate_of_another_authority(variables, tmp_path: Path):
    other = write_certificates(tmp_path, trustme.CA())
    assert "is not good under the authority" in refusal({**variables, CA_VARIABLE: other[CA_VARIABLE]})


def test_expired_certificate(authority, tmp_path: Path):
    variables = write_certificates(tmp_path, authority)
    past = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    issued = authority.issue_cert("127.0.0.1", not_before=past, not_after=past)
    issued.cert_chain_pems[0].write_to_path(variables[CERTIFICATE_VARIABLE])
    issued.private_key_pem.write_to_path(variables[KEY_VARIABLE])
    assert "certificate has expired" in refusal(variables)


def test_key_is_in_no_log(variables):
    assert "PRIVATE" not in repr(tls_of(variables))


class FakeCatalog(catalog_pb2_grpc.CatalogServiceServicer):
    def HealthCheck(self, request, context):
        return catalog_pb2.CatalogHealthResponse(epoch=7)


@pytest.fixture(scope="module")
def port(variables) -> Iterator[int]:
    server = grpc.server(futures.ThreadPoolExecutor(4))
    catalog_pb2_grpc.add_CatalogServiceServicer_to_server(FakeCatalog(), server)  # type: ignore[abstract]
    port = server.add_secure_port("127.0.0.1:0", tls_of(variables).server_credentials())
    server.start()
    yield port
    server.stop(0).wait()


def ask(address: str, tls: Tls | None) -> int:
    network = Network(tls)
    try:
        answer: catalog_pb2.CatalogHealthResponse = network.call(address, HEALTH, 5)
        return answer.epoch
    finally:
        network.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_caller_with_a_certificate_is_answered(variables, port, host):
    assert ask(f"{host}:{port}", tls_of(variables)) == 7


def test_a_caller_without_tls_gets_nowhere(port):
    with pytest.raises(RpcFailure) as caught:
        ask(f"127.0.0.1:{port}", None)
    assert caught.value.reason is Reason.UNREACHABLE


def test_a_caller_with_a_certificate_of_another_authority_gets_nowhere(variables, port, tmp_path: Path):
    """It trusts the server, and is not trusted."""
    stranger = tls_of(write_certificates(tmp_path, trustme.CA()))
    with pytest.raises(RpcFailure) as caught:
        ask(f"127.0.0.1:{port}", Tls(tls_of(variables).ca, stranger.certificate, stranger.key))
    assert caught.value.reason is Reason.UNREACHABLE


def test_a_caller_without_a_certificate_gets_nowhere(variables, port):
    credentials = grpc.ssl_channel_credentials(tls_of(variables).ca)
    with grpc.secure_channel(f"127.0.0.1:{port}", credentials) as channel:
        stub = catalog_pb2_grpc.CatalogServiceStub(channel)
        with pytest.raises(grpc.RpcError) as caught:
            stub.HealthCheck(HEALTH, timeout=5)
    assert caught.value.code() == grpc.StatusCode.UNAVAILABLE


def test_a_server_under_another_name_is_not_taken_for_the_one_that_was_called(variables, authority, tmp_path: Path):
    """Its certificate is of the authority, but not for the address: it could be any other process."""
    elsewhere = tls_of(write_certificates(tmp_path, authority, ["10.9.8.7"]))
    server = grpc.server(futures.ThreadPoolExecutor(1))
    port = server.add_secure_port("127.0.0.1:0", elsewhere.server_credentials())
    server.start()
    try:
        with pytest.raises(RpcFailure) as caught:
            ask(f"127.0.0.1:{port}", tls_of(variables))
    finally:
        server.stop(0).wait()
    assert caught.value.reason is Reason.UNREACHABLE
    assert not caught.value.was_sent
