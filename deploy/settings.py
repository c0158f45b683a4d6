"""What `make run` needs to know besides the cluster's configuration, read once and checked."""

import os
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from common.config import ClusterConfig, ConfigError, parse_address

DEFAULT_HTTP = "127.0.0.1:8081"
ROOT = Path(__file__).resolve().parent.parent

# Bytes that the kernel allows in the path of a unix socket, its final 0 included, less what supervisord appends while
# it makes the socket: a dot and its process id.
MAX_SOCKET_PATH = (108 if sys.platform == "linux" else 104) - 1 - len(".4194304")


def http_address(environment: Mapping[str, str]) -> str:
    """Return where the frontend listens: BOURSE_HTTP, or PORT on loopback, or 127.0.0.1:8081.

    Raises:
        ConfigError: it is not host:port.
    """
    if environment.get("BOURSE_HTTP"):
        return parse_address(environment["BOURSE_HTTP"], name="BOURSE_HTTP")
    if environment.get("PORT"):
        return parse_address(f"127.0.0.1:{environment['PORT']}", name="PORT")
    return DEFAULT_HTTP


def check_address_is_free(address: str, owner: str) -> None:
    """Raise unless a server could listen on the address now.

    Raises:
        ConfigError: it is in use, or not an address of this machine.
    """
    host, _, port = address.rpartition(":")
    try:
        family, kind, protocol, _, where = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(where)
            probe.listen(1)
    except OSError as error:
        raise ConfigError(f"cannot listen on {address} ({owner}): {os.strerror(error.errno or 0)}") from error


@dataclass(frozen=True)
class RunSettings:
    """One system on this machine.

    Attributes:
        run_dir: where its supervisor keeps its configuration and its lock.
        http: where the frontend listens.
        seed: stocks for a new catalog; None: the shipped list.
    """

    cluster: ClusterConfig
    run_dir: Path
    http: str
    seed: Path | None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "RunSettings":
        """Read BOURSE_HTTP or PORT, SEED, and what ClusterConfig reads.

        Raises:
            ConfigError: a value is malformed, or SEED names no file.
        """
        cluster = ClusterConfig.from_environment(environment)
        seed = Path(environment["SEED"]).absolute() if environment.get("SEED") else None
        if seed is not None and not seed.is_file():
            raise ConfigError(f"SEED={environment['SEED']!r} is not a file")
        run_dir = cluster.data_dir.absolute() / "run"
        return cls(cluster=cluster, run_dir=run_dir, http=http_address(environment), seed=seed)

    @property
    def config_path(self) -> Path:
        """The supervisor's configuration file."""
        return self.run_dir / "supervisord.conf"

    def check_addresses(self) -> None:
        """Raise unless all addresses of the system are free and differ.

        Raises:
            ConfigError: the address, and whose it is.
        """
        owners = {self.cluster.catalog: "catalog"}
        replicas = {address: f"order replica {number}" for number, address in self.cluster.replicas.items()}
        for address, owner in [*replicas.items(), (self.http, "frontend")]:
            if owners.setdefault(address, owner) != owner:
                raise ConfigError(f"{address} is the address of {owners[address]} and of {owner}")
        for address, owner in owners.items():
            check_address_is_free(address, owner)
