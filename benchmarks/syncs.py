"""How often each backend has synced its log, by its own metrics."""

import re
import urllib.request
from collections.abc import Mapping

from common.bounds import MAX_BATCH_ORDERS

TIMEOUT_S = 10.0
_SYNCS = re.compile(r"^bourse_(?:catalog_journal|replica_log)_sync_seconds_count (\S+)$", re.MULTILINE)


def count_syncs(addresses: Mapping[str, str]) -> dict[str, int]:
    """Return the number of syncs so far, by process; `addresses` are where they show their metrics."""
    return {name: read_syncs(get_metrics(address)) for name, address in addresses.items()}


def get_metrics(address: str) -> str:
    """Return the metrics that a process shows at host:port."""
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=TIMEOUT_S) as answer:
        text: str = answer.read().decode()
        return text


def read_syncs(metrics: str) -> int:
    """Return the number of syncs that these metrics of a backend show.

    Raises:
        ValueError: they show none.
    """
    [count] = _SYNCS.findall(metrics)
    return int(float(count))


def missing_syncs(before: Mapping[str, int], after: Mapping[str, int], order_count: int) -> list[str]:
    """Return in words who synced less often than so many orders need, a batch of the largest size a sync."""
    needed = -(-order_count // MAX_BATCH_ORDERS)
    made = {name: after[name] - before[name] for name in before}
    return [
        f"{name} synced {count} times, at least {needed} are needed" for name, count in made.items() if count < needed
    ]
