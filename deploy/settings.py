"""What `make run` needs to know besides the cluster's configuration, read once and checked."""

import os
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from common.process.config import ClusterConfig, ConfigError, parse_address, parse_switch
from common.process.tls import TLS_VARIABLES
from deploy.metrics_ports import METRICS_PORT_VARIABLE, metrics_addresses

DEFAULT_HTTP = "127.0.0.1:8081"
CORES_VARIABLE = "BOURSE_KEEP_TO_CORES"
CONFIG_NAME = "supervisord.conf"
ADDRESSES_NAME = "addresses"
ROOT = Path(__file__).resolve().parent.parent

# Bytes that the kernel allows in the path of a unix socket, its final 0 included, less what supervisord appends while
# it makes the socket: a dot and its process id.
MAX_SOCKET_PATH = (108 if sys.platform == "linux" else 104) - 1 - len(".4194304")


def http_address(environment: Mapping[str, str]) -> str:
    """Return where the frontend listens: BOURSE_HTTP, or PORT on loopback, or 127.0.0.1:8081.

    Raises:
        ConfigError: it is not host:port, or its port is 0.
    """
    if environment.get("BOURSE_HTTP"):
        return parse_fixed_address(environment["BOURSE_HTTP"], name="BOURSE_HTTP")
    if port := environment.get("PORT"):
        if not port.isascii() or not port.isdigit() or not 1 <= int(port) <= 65535:
            raise ConfigError(f"PORT={port!r} is not a port: 1 to 65535")
        return f"127.0.0.1:{int(port)}"
    return DEFAULT_HTTP


def http_variable(environment: Mapping[str, str]) -> str:
    """Return the variable that says, or could say, where the frontend listens."""
    return "BOURSE_HTTP" if environment.get("BOURSE_HTTP") else "PORT"


def allowed_host(environment: Mapping[str, str]) -> str:
    """Return a name that a request to the frontend may give as its Host: the first of BOURSE_ALLOWED_HOSTS."""
    first = environment.get("BOURSE_ALLOWED_HOSTS", "").split(",")[0].strip()
    return first.lstrip(".*") or "localhost"  # ".bourse.test": that name and all below it; "*": any


def parse_fixed_address(text: str, *, name: str) -> str:
    """Return `host:port` if it is one that others can be told.

    Raises:
        ConfigError: it is not host:port, or its port is 0.
    """
    return check_port_is_fixed(parse_address(text, name=name), name=name)


def check_port_is_fixed(address: str, *, name: str) -> str:
    """Return the address unless its port is 0, that is any free one: who calls it has to know the port.

    Raises:
        ConfigError: it is 0.
    """
    if address.endswith(":0"):
        raise ConfigError(f"{name}: the port of {address} is 0; choose one from 1 to 65535")
    return address


def check_address_is_free(address: str, owner: str, *, variable: str) -> None:
    """Raise unless a server could listen on the address now. `variable` is where another one can be chosen.

    Raises:
        ConfigError: it is in use, or not an address of this machine.
    """
    listen(address, owner, variable=variable, backlog=1).close()


def listen(address: str, owner: str, *, variable: str, backlog: int) -> socket.socket:
    """Return a socket that listens on host:port. `variable` is where another address can be chosen.

    Raises:
        ConfigError: it is in use, or not an address of this machine.
    """
    try:
        return try_address(address, backlog)
    except (OSError, UnicodeError) as error:
        raise ConfigError(
            f"cannot listen on {address} ({owner}): {_why(error)}; choose another address with {variable}"
        ) from error


def try_address(address: str, backlog: int = 1) -> socket.socket:
    """Return a socket that listens on host:port.

    Raises:
        OSError, UnicodeError: no server could now.
    """
    host, _, port = address.rpartition(":")
    family, kind, protocol, _, where = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(where)
        listener.listen(backlog)
    except BaseException:
        listener.close()
        raise
    return listener


def _why(error: OSError | UnicodeError) -> str:
    """Return why an address cannot be used. A UnicodeError is that of a name which no host can have."""
    if isinstance(error, UnicodeError) or (isinstance(error, socket.gaierror) and error.errno == socket.EAI_NONAME):
        return "no such host"
    # The text of a socket's own error names the address once more.
    return str(error.strerror) if isinstance(error, socket.gaierror) else os.strerror(error.errno or 0)


@dataclass(frozen=True)
class RunSettings:
    """One system on this machine.

    Attributes:
        run_dir: where its supervisor keeps its configuration and its lock.
        http: where the frontend listens.
        http_variable: the variable that says so.
        http_host: a name under which the frontend may be called.
        seed: stocks for a new catalog; None: the shipped list.
        tls: the variables of TLS, their files with absolute paths; empty without it.
        metrics: where each process but the frontend shows its metrics, by its name; empty: nowhere.
        keeps_to_cores: each process keeps to one core (deploy/cores.py).
    """

    cluster: ClusterConfig
    run_dir: Path
    http: str
    http_variable: str
    http_host: str
    seed: Path | None
    tls: Mapping[str, str]
    metrics: Mapping[str, str]
    keeps_to_cores: bool

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "RunSettings":
        """Read BOURSE_HTTP or PORT, BOURSE_METRICS_PORT, BOURSE_KEEP_TO_CORES, SEED, and what ClusterConfig reads.

        Raises:
            ConfigError: a value is malformed, a port is 0, or SEED names no file.
        """
        cluster = ClusterConfig.from_environment(environment)
        check_port_is_fixed(cluster.catalog, name="BOURSE_CATALOG")
        for number, address in cluster.replicas.items():
            check_port_is_fixed(address, name=f"BOURSE_REPLICAS: replica {number}")
        seed = Path(environment["SEED"]).absolute() if environment.get("SEED") else None
        if seed is not None and not seed.is_file():
            raise ConfigError(f"SEED={environment['SEED']!r} is not a file")
        measured = ["catalog", *(f"order-{number}" for number in cluster.replicas), "health"]
        return cls(
            cluster=cluster,
            run_dir=cluster.data_dir.absolute() / "run",
            http=http_address(environment),
            http_variable=http_variable(environment),
            http_host=allowed_host(environment),
            seed=seed,
            tls={name: str(Path(environment[name]).absolute()) for name in TLS_VARIABLES if environment.get(name)},
            metrics=metrics_addresses(environment, cluster.catalog, measured),
            keeps_to_cores=parse_switch(environment.get(CORES_VARIABLE) or "on", name=CORES_VARIABLE),
        )

    @property
    def config_path(self) -> Path:
        """The supervisor's configuration file."""
        return self.run_dir / CONFIG_NAME

    @property
    def addresses_path(self) -> Path:
        """The file that tells other commands what this system's processes were told."""
        return self.run_dir / ADDRESSES_NAME

    def addresses(self) -> str:
        """Return what stands in that file: a line NAME=value for each variable of the cluster's configuration."""
        replicas = ",".join(f"{number}={address}" for number, address in self.cluster.replicas.items())
        values = {
            "BOURSE_CATALOG": self.cluster.catalog,
            "BOURSE_REPLICAS": replicas,
            "BOURSE_MIN_IN_SYNC": self.cluster.min_in_sync,
            "BOURSE_ALLOW_PLAINTEXT": int(self.cluster.allow_plaintext),
            **self.tls,
        }
        return "".join(f"{name}={value}\n" for name, value in values.items())

    def check_addresses(self) -> None:
        """Raise unless all addresses of the system are free and differ.

        Raises:
            ConfigError: the address, and whose it is.
        """
        owners = {self.cluster.catalog: ("catalog", "BOURSE_CATALOG")}
        for address, owner, variable in [
            *(
                (address, f"order replica {number}", "BOURSE_REPLICAS")
                for number, address in self.cluster.replicas.items()
            ),
            (self.http, "frontend", self.http_variable),
            *((address, f"metrics of {name}", METRICS_PORT_VARIABLE) for name, address in self.metrics.items()),
        ]:
            if owners.setdefault(address, (owner, variable)) != (owner, variable):
                raise ConfigError(f"{address} is the address of {owners[address][0]} and of {owner}")
        for address, (owner, variable) in owners.items():
            check_address_is_free(address, owner, variable=variable)
