"""What `make run` reads from its environment."""

import socket
from pathlib import Path

import pytest

from common.process.config import ConfigError
from deploy.settings import RunSettings, allowed_host, check_address_is_free, http_address
from deploy.systems.ports import PortBlock


@pytest.mark.parametrize(
    ("environment", "address"),
    [
        ({}, "127.0.0.1:8081"),
        ({"BOURSE_HTTP": "", "PORT": ""}, "127.0.0.1:8081"),
        ({"PORT": "9000"}, "127.0.0.1:9000"),
        ({"BOURSE_HTTP": "127.0.0.2:9001", "PORT": "9000"}, "127.0.0.2:9001"),
    ],
)
def test_address_of_the_frontend(environment, address):
    assert http_address(environment) == address


@pytest.mark.parametrize("name", ["BOURSE_HTTP", "PORT"])
def test_wrong_address_names_its_variable(name):
    with pytest.raises(ConfigError, match=f"{name}="):
        http_address({name: "no port"})


@pytest.mark.parametrize("given", ["abc", "0", "65536", "-1", "²"])
def test_wrong_port_is_named_as_it_was_given(given):
    with pytest.raises(ConfigError, match=f"^PORT='{given}' is not a port"):
        http_address({"PORT": given})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BOURSE_HTTP", "127.0.0.1:0"),
        ("BOURSE_CATALOG", "127.0.0.1:0"),
        ("BOURSE_REPLICAS", "1=127.0.0.1:7001,2=127.0.0.1:00"),
    ],
)
def test_port_0_is_refused_by_the_name_of_its_variable(name, value):
    with pytest.raises(ConfigError, match=f"^{name}.*port of 127.0.0.1:0 is 0"):
        RunSettings.from_environment({name: value})


def test_wrong_switch_names_its_variable():
    with pytest.raises(ConfigError, match=r"^BOURSE_KEEP_TO_CORES='maybe'"):
        RunSettings.from_environment({"BOURSE_KEEP_TO_CORES": "maybe"})


@pytest.mark.parametrize(
    ("given", "host"),
    [("", "localhost"), ("bourse.test, localhost", "bourse.test"), (".bourse.test", "bourse.test"), ("*", "localhost")],
)
def test_host_that_the_frontend_allows(given, host):
    assert allowed_host({"BOURSE_ALLOWED_HOSTS": given}) == host


@pytest.mark.parametrize("host", ["bourse.invalid", "a..b"])
def test_host_that_is_unknown_is_said_in_words(host, monkeypatch):
    def unknown(*_args, **_named):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    if host == "bourse.invalid":  # asks no name server
        monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(ConfigError, match="no such host; choose another address with BOURSE_CATALOG"):
        check_address_is_free(f"{host}:7000", "catalog", variable="BOURSE_CATALOG")


def test_seed_that_is_no_file_is_refused(tmp_path: Path):
    with pytest.raises(ConfigError, match="SEED="):
        RunSettings.from_environment({"SEED": str(tmp_path / "missing.csv")})


def test_address_in_use_is_refused_and_named():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        address = f"127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(ConfigError, match=rf"{address} \(catalog\): Address already in use; .* BOURSE_CATALOG"):
            check_address_is_free(address, "catalog", variable="BOURSE_CATALOG")


def test_address_in_use_by_a_server_that_shares_its_port_is_refused():
    """Two servers that share a port would each get some of its requests."""
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        server.bind(("127.0.0.1", 0))
        server.listen()
        with pytest.raises(ConfigError, match="in use"):
            check_address_is_free(f"127.0.0.1:{server.getsockname()[1]}", "frontend", variable="PORT")


def test_two_processes_with_one_address_are_refused():
    block = PortBlock()
    settings = RunSettings.from_environment(
        {"BOURSE_CATALOG": f"127.0.0.1:{block.ports[0]}", "BOURSE_HTTP": f"127.0.0.1:{block.ports[0]}"}
    )
    with pytest.raises(ConfigError, match="catalog and of frontend"):
        settings.check_addresses()
    block.close()
