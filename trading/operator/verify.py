"""`replicas verify`: the logs of all replicas and the catalog compared, and the stocks audited."""

import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TextIO

from common.calls.failures import RpcFailure
from common.calls.network import Network
from common.calls.reasons import Reason
from common.calls.steps import Pause, Steps
from common.process.config import ClusterConfig
from protos import order_pb2
from trading.operator.exits import EXIT_DOWN, EXIT_FAILED, EXIT_OK, EXIT_WORK_LEFT
from trading.operator.log_comparison import Journal, LogSource, ReplicaLog, compare_logs
from trading.operator.progress import ProgressDisplay
from trading.operator.resync_plan import size_text
from trading.operator.status import finding_lines, status_data
from trading.operator.stock_audit import StockAudit
from trading.replicas.health import is_in_sync
from trading.replicas.view import ClusterView, ReplicaReport, poll, short_text

# A replica in sync has every order a moment after the catalog.
ARRIVAL_TRIES = 20
ARRIVAL_PAUSE_S = 0.1

Show = Callable[[int, int], None]


@dataclass
class Verification:
    """What was compared, up to which order, and what was found.

    Attributes:
        up_to: the common number: the reference's last one when all stocks had been read.
        sources: the reference, then every other log.
        audit: of the stocks; None where the catalog does not answer, because only it knows them.
        findings: what the processes say, after the comparison, that they found wrong with their files.
    """

    up_to: int
    sources: list[LogSource]
    audit: StockAudit | None
    byte_count: int = 0
    faults: list[str] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """1: something differs. 3: not all could be compared up to the common number. 0: all is equal."""
        if self.faults or any(source.difference for source in self.sources):
            return EXIT_FAILED
        if self.audit is None or any(source.failure or source.compared < self.up_to for source in self.sources):
            return EXIT_WORK_LEFT
        return EXIT_OK


def verify(config: ClusterConfig, show: Show = lambda _done, _all: None) -> Steps[Verification]:
    """Compare all logs up to one number with the catalog's journal, or without it with the longest replica's.

    Trading goes on meanwhile: orders above that number are not looked at.

    Raises:
        RpcFailure: the log that the others are compared with could not be read; NOTHING_ANSWERS.
    """
    audit: StockAudit | None = StockAudit()
    assert audit is not None
    why = None
    try:
        yield from audit.read_stocks(config.catalog)
    except RpcFailure as failure:
        audit, why = None, short_text(failure)
    view = yield from _poll_until_arrived(config, needs_catalog=audit is not None)
    catalog: LogSource = Journal(config.catalog, failure=why)
    replicas = {one.replica_id: _source(one, view) for one in view.replicas}
    if audit is not None and view.catalog is not None:
        reference, up_to = catalog, view.catalog.last_number
    else:
        longest = max(view.replicas, key=lambda one: (one.health is not None and not one.foreign, one.last_number))
        if longest.health is None or longest.foreign:
            raise RpcFailure(Reason.NOTHING_ANSWERS, "neither the catalog nor a replica answers")
        reference, up_to = replicas.pop(longest.replica_id), longest.last_number
    others = [*replicas.values()] if reference is catalog else [catalog, *replicas.values()]
    done = Verification(up_to, [reference, *others], audit)

    def take(rows: bytes, after: int) -> None:
        done.byte_count += len(rows)
        if audit is not None:
            audit.take(rows, after)
        show(after + rows.count(b"\n"), up_to)

    yield from compare_logs(reference, others, up_to, take)
    done.faults = audit.faults() if audit is not None else []
    after: ClusterView = yield from poll(config)  # to be read is what made some find it
    done.findings = finding_lines(status_data(after, config))
    return done


def _poll_until_arrived(config: ClusterConfig, *, needs_catalog: bool) -> Steps[ClusterView]:
    """Return a view in which all that are in sync hold what the catalog held at the first poll."""
    first: ClusterView = yield from poll(config)
    view, wanted = first, first.catalog.last_number if first.catalog and needs_catalog else 0
    for _ in range(ARRIVAL_TRIES):
        in_sync = [one for one in view.replicas if is_in_sync(view, one.replica_id)]
        if all(one.last_number >= wanted for one in in_sync):
            break
        yield Pause(ARRIVAL_PAUSE_S)
        view = yield from poll(config)
    return dataclasses.replace(view, catalog=first.catalog, catalog_failure=first.catalog_failure)


def _source(report: ReplicaReport, view: ClusterView) -> LogSource:
    to = order_pb2.Addressee(replica_id=report.replica_id, cluster_id=view.cluster_id)
    source = ReplicaLog(report.address, to)
    if report.health is None or report.foreign:
        source.failure = report.trouble
    return source


def run_verify(config: ClusterConfig, network: Network, out: TextIO, err: TextIO) -> int:
    """Verify and print what was found; return the exit code: as Verification, or 4 if nothing could be read."""
    started = time.monotonic()
    try:
        with ProgressDisplay("verify", err) as display:
            done = network.run(verify(config, display))
    except RpcFailure as failure:
        err.write(f"{failure.message}\n")
        return EXIT_DOWN
    orders = f"orders 1..{done.up_to}" if done.up_to else "no orders"
    out.write(f"{orders}, {size_text(done.byte_count)}, {time.monotonic() - started:.2f} s\n")
    for source in done.sources:
        out.write(_source_lines(source, done))
    if done.audit is None:
        out.write("stocks: not audited: only the catalog knows their quantities\n")
    elif not done.faults:
        out.write(f"stocks: {done.audit.stock_count}, initial + sells - buys = quantity for each\n")
    for fault in done.faults:
        out.write(f"stocks: {fault}\n")
    out.writelines(f"{line}\n" for line in done.findings)
    return done.exit_code


def _source_lines(source: LogSource, done: Verification) -> str:
    if source.difference is not None:
        reference = done.sources[0].name
        width = max(len(reference), len(source.name))
        return (
            f"{source.name}: differs first at order {source.difference.number}\n"
            f"  {reference:{width}}  {source.difference.expected}\n"
            f"  {source.name:{width}}  {source.difference.found}\n"
        )
    if source.failure is not None:
        return f"{source.name}: not compared: {source.failure}\n"
    if source is done.sources[0]:
        return f"{source.name}: what the others are compared with\n"
    behind = done.up_to - source.compared
    return f"{source.name}: equal" + (f" up to {source.compared}, {behind} behind\n" if behind else "\n")
