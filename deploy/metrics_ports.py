"""Where the processes of `make run` show their metrics: consecutive ports of loopback."""

from collections.abc import Mapping, Sequence

from common.process.config import ConfigError, parse_count

METRICS_PORT_VARIABLE = "BOURSE_METRICS_PORT"
# The first one's distance from the catalog's own port, so that another system's are others too.
DISTANCE = 100


def metrics_addresses(environment: Mapping[str, str], catalog: str, processes: Sequence[str]) -> dict[str, str]:
    """Return the address for each process, from the port BOURSE_METRICS_PORT on; none if that is 0.

    By default the first port is DISTANCE above that of the catalog's address.

    Raises:
        ConfigError: it is not a port, or the last one would be above 65535.
    """
    text = environment.get(METRICS_PORT_VARIABLE) or str(int(catalog.rpartition(":")[2]) + DISTANCE)
    first = parse_count(text, name=METRICS_PORT_VARIABLE, least=0)
    if first == 0:
        return {}
    if first + len(processes) - 1 > 65535:
        raise ConfigError(
            f"{METRICS_PORT_VARIABLE}={first}: the {len(processes)} ports from there on end above 65535;"
            " choose a lower one, or 0 for none"
        )
    return {process: f"127.0.0.1:{first + place}" for place, process in enumerate(processes)}
