"""What the short sub-commands of `replicas` do. Django only brings the arguments."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TextIO

from rich.console import Console
from rich.live import Live

from common.calls.failures import RpcFailure
from common.calls.network import Network
from common.calls.reasons import Reason
from common.process.config import ClusterConfig
from trading.operator.exits import EXIT_DOWN, EXIT_FAILED, EXIT_OK, EXIT_WORK_LEFT, UsageError
from trading.operator.look import ClusterLook
from trading.operator.printing import coloured_table, print_json, print_table, print_tsv
from trading.operator.status import DOWN, OK, in_sync_count, status_data
from trading.operator.switchover import switch_over
from trading.replicas.manager import ReplicaManager

FORMATS = ("table", "json", "tsv")
WAIT_PAUSE_S = 0.2


class StatusCommand:
    """`replicas status`: how the catalog and all replicas are."""

    def __init__(self, config: ClusterConfig, network: Network, form: str, out: TextIO) -> None:
        """`form` is one of FORMATS."""
        self._config = config
        self._all = ClusterLook(ReplicaManager(config, network), network)
        self._form = form
        self._out = out

    def show(self) -> int:
        """Print it once; return 0 all in sync, 3 degraded, 4 no leader, no catalog or too few in sync."""
        data = self._look()
        if self._form == "json":
            print_json(data, self._out)
        elif self._form == "tsv":
            print_tsv(data, self._out)
        else:
            print_table(data, self._out, datetime.now(UTC))
        return {OK: EXIT_OK, DOWN: EXIT_DOWN}.get(data["health"], EXIT_WORK_LEFT)

    def watch(self, interval_s: float, pause: Callable[[float], None] = time.sleep) -> None:
        """Show it anew every so many seconds until KeyboardInterrupt: in place on a terminal, one after the other
        elsewhere."""
        if self._form != "table" or not self._out.isatty():
            while True:
                self.show()
                self._out.flush()
                pause(interval_s)
        with Live(console=Console(file=self._out), auto_refresh=False) as live:
            while True:
                live.update(coloured_table(self._look(), datetime.now(UTC)), refresh=True)
                pause(interval_s)

    def _look(self) -> dict[str, Any]:
        return status_data(self._all.look(measure=True), self._config)


def show_leader(config: ClusterConfig, network: Network, out: TextIO, err: TextIO) -> int:
    """Print the leader's id alone; return 0, or 4 with a word on `err` if nobody leads."""
    view = ClusterLook(ReplicaManager(config, network), network).look()
    if view.leader is None:
        err.write("no replica leads\n")
        return EXIT_DOWN
    out.write(f"{view.leader.replica_id}\n")
    return EXIT_OK


def wait_for(
    config: ClusterConfig,
    network: Network,
    aim: str,
    timeout_s: float,
    out: TextIO,
    err: TextIO,
    *,
    monotonic: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> int:
    """Wait until orders can be acknowledged (`aim` "leader") or all replicas are in sync ("in-sync").

    Returns 0 as soon as it is so; after `timeout_s` 3, or 4 if no order can be acknowledged.
    """
    cluster = ClusterLook(ReplicaManager(config, network), network)
    deadline = monotonic() + timeout_s
    while True:
        data = status_data(cluster.look(), config)
        if data["health"] == OK or (aim == "leader" and data["health"] != DOWN):
            out.write(f"leader {data['leader']}, {_state_text(data)}\n")
            return EXIT_OK
        if monotonic() >= deadline:
            err.write(f"not within {timeout_s:g} s: {_state_text(data)}\n")
            return EXIT_DOWN if data["health"] == DOWN else EXIT_WORK_LEFT
        pause(WAIT_PAUSE_S)


def switch_leader(
    config: ClusterConfig, network: Network, to: int | None, hold_s: int, out: TextIO, err: TextIO
) -> int:
    """Make another replica the leader, as `switch_over`, and say who leads.

    Returns 0 done, 1 failed, 3 the target is not in sync, 4 there is no leader or no catalog.

    Raises:
        UsageError: `to` is not in the configuration.
    """
    started = time.monotonic()
    try:
        done = network.run(switch_over(config, to, hold_s))
    except RpcFailure as failure:
        if failure.reason is Reason.REPLICA_NOT_FOUND:
            raise UsageError(failure.message) from failure
        err.write(f"{failure.message}\n")
        if failure.reason is Reason.TARGET_NOT_IN_SYNC:
            return EXIT_WORK_LEFT
        return EXIT_DOWN if failure.reason.is_down else EXIT_FAILED
    if done.before == done.after:
        out.write(f"replica {done.after.leader_id} leads already, epoch {done.after.epoch}\n")
        return EXIT_OK
    held = f"; held for {hold_s} s" if hold_s else ""
    out.write(
        f"replica {done.after.leader_id} leads, epoch {done.after.epoch}; before it replica {done.before.leader_id},"
        f" epoch {done.before.epoch}; {time.monotonic() - started:.2f} s{held}\n"
    )
    return EXIT_OK


def _state_text(data: dict[str, Any]) -> str:
    state = f"in sync {in_sync_count(data)}/{len(data['replicas'])} at {data['last_number']}"
    if data["health"] != DOWN:
        return state
    catalog = data["catalog"]
    why = (not catalog["trades"] and catalog["error"]) or (
        "no replica leads" if data["leader"] is None else "too few in sync"
    )
    return f"{state}; {why}"
