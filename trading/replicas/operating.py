"""What the sub-commands of `replicas` do, and with which exit code they end. Django only brings the arguments."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TextIO

from common.channels import Network
from common.config import ClusterConfig
from common.failures import RpcFailure
from trading.replicas.manager import ReplicaManager
from trading.replicas.printing import ResyncDisplay, print_json, print_table, result_line
from trading.replicas.resync import Resyncer
from trading.replicas.status import DOWN, OK, status_data
from trading.replicas.view import ClusterView

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_WORK_LEFT = 3
EXIT_DOWN = 4
EXIT_INTERRUPTED = 130


class UsageError(Exception):
    """The command was given something that does not exist here; the message names it."""


def show_status(config: ClusterConfig, network: Network, *, as_json: bool, out: TextIO) -> int:
    """Print the state of all replicas; return 0 all in sync, 3 degraded, 4 no leader, no catalog or too few in sync."""
    view = ReplicaManager(config, network).look(measure=True)
    data = status_data(view, config)
    if as_json:
        print_json(data, out)
    else:
        print_table(data, out, datetime.now(UTC))
    return {OK: EXIT_OK, DOWN: EXIT_DOWN}.get(data["health"], EXIT_WORK_LEFT)


class ResyncRun:
    """One run of `replicas resync`: results go to `out`, progress and failures to `err`."""

    def __init__(self, config: ClusterConfig, network: Network, out: TextIO, err: TextIO) -> None:
        self._config = config
        self._manager = ReplicaManager(config, network)
        self._resyncer = Resyncer(config, network)
        self._out = out
        self._err = err

    def run(self, replica_ids: Sequence[int], *, all_of_them: bool = False) -> int:
        """Bring the named followers into sync; without names, all that are not; with `all_of_them`, all.

        Returns:
            0: they are in sync. 1: one failed. 3: one does not answer. 4: no leader or no catalog.

        Raises:
            UsageError: an id is not in the configuration.
        """
        unknown = sorted(set(replica_ids) - set(self._config.replicas))
        if unknown:
            raise UsageError(
                f"replica {unknown[0]} is not in BOURSE_REPLICAS; there are {sorted(self._config.replicas)}"
            )
        view = self._manager.look()
        data = status_data(view, self._config)
        if view.leader is None or data["catalog"]["error"]:
            why = data["catalog"]["error"]
            self._err.write(f"the catalog does not trade: {why}\n" if why else "no replica leads\n")
            return EXIT_DOWN
        states = {replica["id"]: replica["state"] for replica in data["replicas"]}
        chosen = list(replica_ids) or [one for one in states if all_of_them or states[one] != "in-sync"]
        if not chosen:
            self._out.write(f"all in sync at {data['last_number']}\n")
        codes = [self._resync(view, replica_id) for replica_id in dict.fromkeys(chosen)]
        # A failure says more than a replica that is merely away.
        return EXIT_FAILED if EXIT_FAILED in codes else max(codes, default=EXIT_OK)

    def _resync(self, view: ClusterView, replica_id: int) -> int:
        report, leader = view.find(replica_id), view.leader
        assert report is not None
        assert leader is not None
        if report is leader:
            self._out.write(f"replica {replica_id}: leads; it is what the others are compared with\n")
            return EXIT_OK
        if report.health is None:
            self._err.write(f"replica {replica_id}: {report.trouble}\n")
            return EXIT_WORK_LEFT
        try:
            with ResyncDisplay(replica_id, self._err) as display:
                result = self._resyncer.resync(leader.address, replica_id, display)
        except RpcFailure as failure:
            self._err.write(f"replica {replica_id}: {failure}\n")
            return EXIT_FAILED
        self._out.write(result_line(result) + "\n")
        return EXIT_OK
