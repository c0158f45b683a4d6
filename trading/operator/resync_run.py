"""`replicas resync`: which followers, one after the other, and what is said of each."""

from collections.abc import Sequence
from typing import TextIO

from common.calls.failures import RpcFailure
from common.calls.network import Network
from common.process.config import ClusterConfig
from protos import order_pb2
from trading.operator.exits import EXIT_DOWN, EXIT_FAILED, EXIT_OK, EXIT_WORK_LEFT, UsageError
from trading.operator.look import ClusterLook
from trading.operator.progress import ProgressDisplay
from trading.operator.resync import Resyncer, ResyncResult
from trading.operator.resync_plan import plan_line, plan_resync
from trading.operator.status import status_data
from trading.replicas.election import LeaderAndEpoch, leadership_of
from trading.replicas.manager import ReplicaManager
from trading.replicas.view import ClusterView, ReplicaReport


class ResyncRun:
    """One run of `replicas resync`: results go to `out`, progress and failures to `err`."""

    def __init__(
        self, config: ClusterConfig, network: Network, out: TextIO, err: TextIO, *, dry_run: bool = False
    ) -> None:
        """With `dry_run` nothing is copied: it is said what would be."""
        self._config = config
        self._network = network
        self._cluster = ClusterLook(ReplicaManager(config, network), network)
        self._resyncer = Resyncer(config, network)
        self._out = out
        self._err = err
        self._dry_run = dry_run

    def run(self, replica_ids: Sequence[int], *, all_of_them: bool = False) -> int:
        """Bring the named followers into sync; without names, all that are not; with `all_of_them`, all.

        Returns:
            0: they are in sync, or could be planned. 1: one failed. 3: one does not answer. 4: no leader or no catalog.

        Raises:
            UsageError: an id is not in the configuration.
        """
        unknown = sorted(set(replica_ids) - set(self._config.replicas))
        if unknown:
            raise UsageError(
                f"replica {unknown[0]} is not in BOURSE_REPLICAS; there are {sorted(self._config.replicas)}"
            )
        view = self._cluster.look()
        data = status_data(view, self._config)
        if view.leader is None or not data["catalog"]["trades"]:
            why = None if data["catalog"]["trades"] else data["catalog"]["error"]
            self._err.write(f"the catalog does not trade: {why}\n" if why else "no replica leads\n")
            return EXIT_DOWN
        states = {replica["id"]: replica["state"] for replica in data["replicas"]}
        chosen = list(replica_ids) or [one for one in states if all_of_them or states[one] != "in-sync"]
        if not chosen:
            self._out.write(f"all in sync at {data['last_number']}\n")
        codes = [self._treat(view, replica_id) for replica_id in dict.fromkeys(chosen)]
        # A failure says more than a replica that is merely away.
        return EXIT_FAILED if EXIT_FAILED in codes else max(codes, default=EXIT_OK)

    def _treat(self, view: ClusterView, replica_id: int) -> int:
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
            line = self._plan(view, report) if self._dry_run else self._resync(leadership_of(leader), replica_id)
        except RpcFailure as failure:
            self._err.write(f"replica {replica_id}: {failure}\n")
            return EXIT_FAILED
        self._out.write(line + "\n")
        return EXIT_OK

    def _plan(self, view: ClusterView, follower: ReplicaReport) -> str:
        return plan_line(self._network.run(plan_resync(self._config, view, follower)))

    def _resync(self, leader: LeaderAndEpoch, replica_id: int) -> str:
        with ProgressDisplay(f"replica {replica_id}", self._err) as display:

            def show(progress: order_pb2.ResyncProgress) -> None:
                done = progress.done_number - progress.from_number
                display(done, max(done, progress.target_number - progress.from_number))

            return result_line(self._resyncer.resync(leader, replica_id, show))


def result_line(result: ResyncResult) -> str:
    """Return what is said of a follower that was brought into sync."""
    shown = "equal to leader" if result.is_compared else "shown equal by the leader, orders going on"
    return (
        f"replica {result.replica_id}: in sync at {result.number}; {result.copied_orders} copied; "
        f"chain {result.chain:08x} {shown}; {result.seconds:.2f} s"
    )
