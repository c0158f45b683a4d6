"""The cluster's configuration: read once from the environment, checked whole, frozen, passed in."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from common.bounds import MAX_REPLICA_ID
from common.process.config_error import ConfigError
from common.process.tls import TLS_VARIABLES, Tls

__all__ = ["ClusterConfig", "ConfigError", "parse_address", "parse_count", "parse_replicas", "parse_switch"]

DEFAULT_CATALOG = "127.0.0.1:50052"
DEFAULT_REPLICAS = "1=127.0.0.1:50054,2=127.0.0.1:50055,3=127.0.0.1:50056"
REPLICA_PORT_BASE = 50053


_SWITCHES = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}


@dataclass(frozen=True)
class ClusterConfig:
    """What every process of one cluster must agree on.

    Attributes:
        catalog: address of the catalog, `host:port`.
        replicas: address of each order replica by its id.
        data_dir: folder under which each process keeps its own data directory.
        min_in_sync: how many replicas, the leader included, must hold an order before it is acknowledged.
        tls: with what the processes encrypt and know one another; None: they do not.
        allow_plaintext: whether they may do without beyond this machine too.
    """

    catalog: str
    replicas: Mapping[int, str]
    data_dir: Path
    min_in_sync: int
    tls: Tls | None = None
    allow_plaintext: bool = False

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "ClusterConfig":
        """Read BOURSE_CATALOG, BOURSE_REPLICAS, BOURSE_DATA_DIR, BOURSE_MIN_IN_SYNC, BOURSE_ALLOW_PLAINTEXT and the
        variables of Tls.

        Raises:
            ConfigError: a value is malformed; min_in_sync is above the number of replicas; an address is on another
                machine, and neither is there TLS nor is plaintext allowed.
        """
        replicas = parse_replicas(environment.get("BOURSE_REPLICAS") or DEFAULT_REPLICAS, name="BOURSE_REPLICAS")
        min_in_sync = parse_count(environment.get("BOURSE_MIN_IN_SYNC") or "1", name="BOURSE_MIN_IN_SYNC")
        if min_in_sync > len(replicas):
            raise ConfigError(
                f"BOURSE_MIN_IN_SYNC={min_in_sync} is more than the {len(replicas)} replicas of BOURSE_REPLICAS:"
                " no order could ever be acknowledged"
            )
        config = cls(
            catalog=parse_address(environment.get("BOURSE_CATALOG") or DEFAULT_CATALOG, name="BOURSE_CATALOG"),
            replicas=replicas,
            data_dir=Path(environment.get("BOURSE_DATA_DIR") or "var"),
            min_in_sync=min_in_sync,
            tls=Tls.from_environment(environment),
            allow_plaintext=parse_switch(
                environment.get("BOURSE_ALLOW_PLAINTEXT") or "0", name="BOURSE_ALLOW_PLAINTEXT"
            ),
        )
        config.check_privacy(config.catalog, name="BOURSE_CATALOG")
        for replica_id, address in config.replicas.items():
            config.check_privacy(address, name=f"BOURSE_REPLICAS: replica {replica_id}")
        return config

    def check_privacy(self, address: str, *, name: str) -> None:
        """Return if what is said at an address, called or listened on, is encrypted or stays on this machine.

        Raises:
            ConfigError: it is neither, and BOURSE_ALLOW_PLAINTEXT does not allow that.
        """
        if self.tls is not None or self.allow_plaintext or is_loopback(address):
            return
        raise ConfigError(
            f"{name}: {address} is not on loopback, and without TLS anybody on the way could read and make orders:"
            f" set {', '.join(TLS_VARIABLES)}, or BOURSE_ALLOW_PLAINTEXT=1 where the network itself is safe"
        )

    @property
    def health_dir(self) -> Path:
        """The folder of the health loop."""
        return self.data_dir / "health"

    def replica_address(self, replica_id: int) -> str:
        """Return the configured address of a replica, or the default for an id that is not configured."""
        return self.replicas.get(replica_id, f"127.0.0.1:{REPLICA_PORT_BASE + replica_id}")


def parse_address(text: str, *, name: str) -> str:
    """Return `host:port` if it is one; `[::1]:port` is a host too.

    Raises:
        ConfigError: no host, or a port that is not within 0 to 65535 (0: any free port, for servers).
    """
    host, separator, port = text.strip().rpartition(":")
    if not separator or not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ConfigError(f"{name}={text!r} is not host:port")
    return f"{host}:{int(port)}"


def parse_replicas(text: str, *, name: str) -> dict[int, str]:
    """Return {1: "host:port", ...} from "1=host:port,2=host:port".

    Raises:
        ConfigError: an entry is malformed, or an id or an address is given twice.
    """
    replicas: dict[int, str] = {}
    for entry in text.split(","):
        replica_id, separator, address = entry.strip().partition("=")
        if not separator or not replica_id.isascii() or not replica_id.isdigit():
            raise ConfigError(f"{name}: entry {entry!r} is not ID=host:port")
        if not 1 <= int(replica_id) <= MAX_REPLICA_ID:
            raise ConfigError(f"{name}: replica id {replica_id} is not within 1 to {MAX_REPLICA_ID}")
        if int(replica_id) in replicas:
            raise ConfigError(f"{name}: replica id {replica_id} is given twice")
        replicas[int(replica_id)] = parse_address(address, name=f"{name}: replica {replica_id}")
    if len(set(replicas.values())) < len(replicas):
        raise ConfigError(f"{name}={text!r}: two replicas have the same address")
    return replicas


def parse_count(text: str, *, name: str, least: int = 1) -> int:
    """Return a whole number of at least `least`.

    Raises:
        ConfigError: it is not one.
    """
    if not text.isascii() or not text.isdigit() or int(text) < least:
        raise ConfigError(f"{name}={text!r} is not a whole number of at least {least}")
    return int(text)


def parse_switch(text: str, *, name: str) -> bool:
    """Return whether a switch is on.

    Raises:
        ConfigError: it is neither on nor off.
    """
    value = _SWITCHES.get(text.strip().lower())
    if value is None:
        raise ConfigError(f"{name}={text!r} is neither on (1, true, yes, on) nor off (0, false, no, off)")
    return value


def is_loopback(address: str) -> bool:
    """Whether only this machine can reach `host:port`. Of names, only `localhost` is known to be: nobody is asked."""
    host = address.rpartition(":")[0].strip("[]").lower()
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
