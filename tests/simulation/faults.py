"""The faults of a simulated run: which ones, when, and how all is healed at the end."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from backends.storage.ports import StartRefused
from tests.simulation.disk import Survival
from tests.simulation.files import PowerCut
from tests.simulation.network import Weather
from tests.simulation.nodes import Node
from tests.simulation.process import Killed, Process, ProcessEnded
from tests.simulation.replica_node import ReplicaNode

if TYPE_CHECKING:
    from tests.simulation.cluster import SimulatedCluster

SURVIVALS: Sequence[Survival] = ("nothing", "all", "first", "first", "any")
# A torn batch of the journal with a hole in it looks like damage, and waits for an operator (docs/PROTOCOL.md,
# "Opening a log"): the catalog's disk keeps the writes in order.
CATALOG_SURVIVALS: Sequence[Survival] = ("nothing", "all", "first", "first")
AWAY_S = (0.0, 0.1, 0.5, 2.0)
START_S = 0.02
RETRY_START_S = 0.5


class Faults:
    """Injects faults. Each run has some of the kinds only: what one kind hides, another run shows.

    Attributes:
        kinds: those of this run.
    """

    def __init__(self, cluster: "SimulatedCluster") -> None:
        self._cluster = cluster
        self._world = cluster.world
        self._random = cluster.world.random
        self._nodes: list[Node] = [cluster.catalog, *cluster.replicas]
        self._others: list[Process] = [*cluster.frontends, cluster.health]
        for process in (*self._nodes, *self._others):
            process.on_end = self._ended
        every: list[Callable[[], None]] = [
            self._kill,
            self._kill_at_step,
            self._crash_in_disk_call,
            self._cut_power,
            self._cut_power_of_all,
            self._stop_catalog,
            self._freeze,
            self._cut_link,
            self._isolate,
            self._slow_links,
            self.change_weather,
            self._fill_disk,
            self._fail_disk,
            self._slow_disk,
            self._wipe_replica,
            self._flip_byte,
            self._checkpoint,
        ]
        self.kinds = [kind for kind in every if self._random.random() < 0.4] or every

    def inject(self) -> None:
        """Let one fault happen now, or end an earlier one."""
        if self._random.random() < 0.25:
            self._end_some()
        else:
            self._random.choice(self.kinds)()

    def heal(self) -> None:
        """End all faults; what is down is started within a moment."""
        self._world.note("heal")
        self._cluster.network.heal()
        for process in self._world.processes.values():
            process.killed_in = None
            process.freeze(0.0)
            process.stall(0.0)
        for node in self._nodes:
            node.disk_faults.heal()
        for replica in self._cluster.replicas:
            if replica.is_damaged:  # what nobody has read since: a start reads all
                self.kill(replica)

    # -- Processes -------------------------------------------------------------------------------------------------

    def _any_process(self) -> Process:
        return self._random.choice([*self._nodes, *self._nodes, *self._others])

    def kill(self, process: Process) -> None:
        """Kill a process if it runs; it is started again after a while."""
        if process.is_alive:
            self._end(process, "kill", "")

    def _kill(self) -> None:
        self.kill(self._any_process())

    def _kill_at_step(self) -> None:
        self._any_process().killed_in = self._random.randint(0, 20)

    def _stop_catalog(self) -> None:
        if self._cluster.catalog.is_alive:
            self._cluster.catalog.stop()

    def _checkpoint(self) -> None:
        catalog = self._cluster.catalog
        if not catalog.is_alive:
            return
        if self._random.random() < 0.5:  # in the middle of it the catalog ends, or its power
            catalog.disk_faults.crash_in = self._random.randint(0, 3)
            catalog.disk_faults.crash = self._random.choice((Killed, PowerCut))
        catalog.checkpoint()

    def _freeze(self) -> None:
        process = self._any_process()
        seconds = self._random.choice((0.2, 0.8, 2.0, 4.0))
        self._world.fault("freeze", f"{process.name} for {seconds} s")
        process.freeze(seconds)

    def _ended(self, process: Process, ended: ProcessEnded) -> None:
        """A process has ended, in the middle of what it did."""
        if isinstance(ended, PowerCut) and isinstance(process, Node):
            self._lose_power(process, "within a call to the disk")
        elif isinstance(ended, Killed):
            self._end(process, "kill", f" {ended}")
        elif str(ended) == "stopped":
            self._end(process, "clean stop", "")
        elif isinstance(process, Node) and process.disk_faults.has_failed:
            self._end(process, "end after a failed call", f": {ended}")
        elif isinstance(process, ReplicaNode) and process.is_damaged:
            self._end(process, "end at a bad byte", f": {ended}")
        else:
            raise self._cluster.history.violated(f"{process.name} ended itself: {ended}")

    def _end(self, process: Process, kind: str, how: str) -> None:
        away_s = self._random.choice(AWAY_S)
        self._world.fault(kind, f"{process.name}{how}, away for {away_s} s")
        if process.is_alive:
            process.die()
        self._start_later(process, away_s + START_S)

    def _start_later(self, process: Process, delay_s: float) -> None:
        self._world.at(delay_s, lambda: self._start(process))

    def _start(self, process: Process) -> None:
        if process.is_alive:
            return
        self._world.note(f"start {process.name}")
        try:
            process.start()
        except StartRefused as refusal:
            self._world.note(f"{process.name} does not start: {refusal}")
            assert isinstance(process, Node)
            if process.disk_faults.room is None and not process.disk_faults.has_failed:
                raise self._cluster.history.violated(f"{process.name} does not start: {refusal}") from refusal
            self._start_later(process, RETRY_START_S)

    # -- Power and disks -------------------------------------------------------------------------------------------

    def _cut_power(self) -> None:
        node = self._random.choice(self._nodes)
        if node.is_alive:
            self._lose_power(node, "at any moment")

    def _cut_power_of_all(self) -> None:
        self._world.fault("power cut of all", "")
        for node in self._nodes:
            if node.is_alive:
                self._lose_power(node, "with all others")

    def _lose_power(self, node: Node, when: str) -> None:
        survival = self._random.choice(CATALOG_SURVIVALS if node is self._cluster.catalog else SURVIVALS)
        self._world.fault("power cut", f"{node.name} {when}; of what was not synced is kept: {survival}")
        if node.is_alive:
            node.die(silently=True)
        self._cluster.disk.cut_power(node.path, survival, self._random)
        self._start_later(node, self._random.choice(AWAY_S) + START_S)

    def _crash_in_disk_call(self) -> None:
        faults = self._random.choice(self._nodes).disk_faults
        faults.crash_in = self._random.randint(0, 12)
        faults.crash = self._random.choice((Killed, PowerCut))

    def _fill_disk(self) -> None:
        node = self._random.choice(self._nodes)
        room = self._random.choice((0, 30, 150, 400))
        self._world.fault("full disk", f"{node.name} has {room} bytes left")
        node.disk_faults.room = room

    def _fail_disk(self) -> None:
        node = self._random.choice(self._nodes)
        calls = self._random.randint(0, 8)
        self._world.fault("failing call", f"{node.name}, after {calls} calls")
        node.disk_faults.failure_in = calls

    def _slow_disk(self) -> None:
        node = self._random.choice(self._nodes)
        seconds = self._random.choice((0.01, 0.2, 1.2, 3.0))
        self._world.fault("slow syncs", f"{node.name}, {seconds} s each")
        node.disk_faults.sync_s = seconds

    def _wipe_replica(self) -> None:
        node = self._random.choice(self._cluster.replicas)
        self._world.fault("wiped replica", node.name)
        if node.is_alive:
            node.die()
        self._cluster.disk.wipe(node.path)
        self._cluster.invariants.forget_replica(node.replica_id)
        self._start_later(node, self._random.choice(AWAY_S) + START_S)

    def _flip_byte(self) -> None:
        """Change a byte of what a replica has on stable storage; it must not serve from it, and is filled anew."""
        node = self._random.choice(self._cluster.replicas)
        at = self._cluster.disk.flip_byte(node.log_path, self._random)
        if at is not None:
            self._world.fault("flipped byte", f"{node.name}, byte {at} of its log")
            node.is_damaged = True
            self._cluster.invariants.forget_replica(node.replica_id)

    # -- Network ---------------------------------------------------------------------------------------------------

    def _cut_link(self) -> None:
        source, target = self._any_link()
        both_ways = self._random.random() < 0.5
        self._world.fault("cut link", f"{source.name} {'--' if both_ways else '->'} {target.name}")
        self._cluster.network.cut_link(source.address, target.address, both_ways=both_ways)

    def _isolate(self) -> None:
        alone = self._random.choice(self._nodes)
        self._world.fault("isolation", alone.name)
        for other in [*self._nodes, *self._others]:
            if other is not alone:
                self._cluster.network.cut_link(alone.address, other.address, both_ways=True)

    def _slow_links(self) -> None:
        """Make some links slow, so that what is asked later over others is answered sooner."""
        for _ in range(self._random.choice((1, 4, 12))):
            source, target = self._any_link()
            seconds = self._random.choice((0.05, 0.2, 0.6))
            self._world.fault("slow link", f"{source.name} -> {target.name}, up to {seconds} s")
            self._cluster.network.slow[source.address, target.address] = seconds

    def mislead(self) -> None:
        """Let the address of one replica lead to another, as a name that was given anew does."""
        named, found = self._random.sample(self._cluster.replicas, 2)
        self._world.fault("misled address", f"{named.address} leads to {found.name}")
        self._cluster.network.misled[named.address] = found.address

    def _any_link(self) -> tuple[Process, Process]:
        """Return the ends of a link; each role is as likely, however many processes have it."""
        cluster = self._cluster
        roles: list[list[Process]] = [[cluster.catalog], [*cluster.replicas], [*cluster.frontends], [cluster.health]]
        source, target = self._random.sample(roles, 2)
        return self._random.choice(source), self._random.choice(target)

    def change_weather(self) -> None:
        """Let messages be lost, late or doubled, more or less of them than before."""
        self._cluster.network.weather = weather = Weather(
            loss=self._random.choice((0.0, 0.0, 0.0, 0.01, 0.1)),
            lateness=self._random.choice((0.0, 0.0, 0.05, 0.2)),
            doubling=self._random.choice((0.0, 0.2, 0.7)),
            longest_delay_s=self._random.choice((0.002, 0.002, 0.02, 0.2)),
        )
        self._world.note(f"{weather}")

    def _end_some(self) -> None:
        """End some faults: without that a run would end in a standstill."""
        if self._random.random() < 0.5:
            self._world.note("links and messages are well again")
            self._cluster.network.heal()
        for node in self._nodes:
            if self._random.random() < 0.5:
                node.disk_faults.room = None
                node.disk_faults.sync_s = 0.0
