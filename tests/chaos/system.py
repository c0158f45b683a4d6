"""The real processes of a cluster, with links, steps and disks that can fail."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

from common.process.failpoints import STEPS
from deploy.supervision import replica_command
from deploy.systems.system import replica_list
from deploy.systems.waiting import wait_until
from protos import catalog_pb2, order_pb2
from tests.chaos.disk import Disk
from tests.chaos.proxy import Links
from tests.harness.cluster import Cluster

REACHED_WITHIN_S = 15.0


class Trap:
    """A step at which a process is killed or parked, the next time that it is reached."""

    def __init__(self, folder: Path, step: str, action: str) -> None:
        """`action` is "kill" or "park"."""
        self._armed = folder / f"{step}.{action}"
        self._released = folder / f"{step}.go"
        self._released.unlink(missing_ok=True)
        self._armed.touch()

    @staticmethod
    def entries(folder: Path) -> str:
        """Return the BOURSE_FAILPOINTS of a process whose traps are set in this folder."""
        return ",".join(
            f"{step}=kill@{folder / step}.kill,{step}=park-until:{folder / step}.go@{folder / step}.park"
            for step in STEPS
        )

    @property
    def is_reached(self) -> bool:
        """Whether the process has come by."""
        return not self._armed.exists()

    def wait(self, within_s: float = REACHED_WITHIN_S) -> None:
        """Wait until the process has come by.

        Raises:
            AssertionError: it has not in this time.
        """
        wait_until(lambda: self.is_reached, within_s, f"{self._armed.stem} reached")

    def release(self) -> None:
        """Let a parked process go on; disarm a trap that was not reached."""
        self._armed.unlink(missing_ok=True)
        self._released.touch()


class System(Cluster):
    """A cluster with two frontends whose every link, disk and step can be made to fail while it runs.

    Attributes:
        disks: the disk of each backend by its name.
    """

    def __init__(self, folder: Path, seed: Path, environment: Mapping[str, str], *, interval_s: int = 2) -> None:
        self.disks: dict[str, Disk] = {}
        self._traps: list[Trap] = []
        self._frozen: set[str] = set()
        super().__init__(folder, seed, environment=environment, frontends=2, interval_s=interval_s)

    @cached_property
    def links(self) -> Links:
        """The links between the processes; those to the catalog and to the replicas."""
        replicas = {address: f"order-{number}" for number, address in self.replicas.items()}
        return Links({self.catalog: "catalog", **replicas})

    def own_environment(self, name: str) -> dict[str, str]:
        """Return what lets this process fail in its own way."""
        folder = self._faults(name)
        folder.mkdir(parents=True, exist_ok=True)
        own = {"BOURSE_FAILPOINTS": Trap.entries(folder), **self.links.environment(name)}
        if name == "catalog" or name.startswith("order-"):
            self.disks[name] = Disk(folder / "disk")
            own["BOURSE_DISK_FAULTS"] = str(self.disks[name].control)
        return own

    def kill_at(self, name: str, step: str) -> Trap:
        """Kill a process when it next reaches a step; the names are in common/process/failpoints.py."""
        return self._trap(name, step, "kill")

    def park_at(self, name: str, step: str) -> Trap:
        """Park the thread of a process that next reaches a step, until the trap is released."""
        return self._trap(name, step, "park")

    def freeze(self, name: str) -> None:
        self._frozen.add(name)
        super().freeze(name)

    def resume(self, name: str) -> None:
        self._frozen.discard(name)
        super().resume(name)

    def blackhole(self, name: str) -> None:
        """Lose all that goes to and from a process, as if its host was gone; `links.heal` ends that."""
        others = self.processes.keys() - {name}
        self.links.silence(name, others)
        for other in others:
            self.links.silence(other, [name])

    def end_faults(self) -> None:
        """Heal the links and disks, let all that is parked or frozen go on, and start what has ended."""
        self.links.heal()
        for disk in self.disks.values():
            disk.clear()
        for trap in self._traps:
            trap.release()
        for name in list(self._frozen):
            self.resume(name)
        self.start_all()

    def set_members(self, replica_ids: Sequence[int]) -> None:
        """Configure these replicas, for every process that is started from now on; new ones get a process."""
        known = {number: address for number, address in self.replicas.items() if number in replica_ids}
        free = iter(self.ports.addresses[-4:-1])  # the last is spare_port
        self.replicas = {number: known.get(number) or next(free) for number in replica_ids}
        members = {"BOURSE_REPLICAS": replica_list(self.replicas)}
        self.environment |= members
        for name in [name for name in self.processes if name.startswith("order-")]:
            if int(name.removeprefix("order-")) not in self.replicas:
                del self.processes[name]
        for number in self.replicas.keys() - known.keys():
            name = f"order-{number}"
            self.processes[name] = self.new_process(name, replica_command(number))
        for process in self.processes.values():
            process.environment |= members

    def spare_port(self) -> int:
        """Return a free port that no process of the cluster uses."""
        return self.ports.ports[-1]

    def leader_name(self) -> str:
        """Return the name of the process that leads.

        Raises:
            AssertionError: nobody leads within 10 s.
        """
        return f"order-{wait_until(self.leader, 10, 'a leader')}"

    def followers(self) -> list[str]:
        """Return the names of the replicas that do not lead."""
        leader = self.leader_name()
        return [name for name in (f"order-{number}" for number in self.replicas) if name != leader]

    def in_sync(self, name: str) -> bool:
        """Whether a replica leads, or is in sync by the leader's word."""
        number = int(name.removeprefix("order-"))
        leader = self.leader()
        health = self.health(leader) if leader is not None else None
        if health is None or health.role != order_pb2.LEADER:
            return False
        states = {follower.replica_id: follower.state for follower in health.followers}
        return number == leader or states.get(number) == order_pb2.IN_SYNC

    def epoch(self) -> int:
        """Return the catalog's newest epoch, 0 if the catalog does not answer."""
        health: catalog_pb2.CatalogHealthResponse | None = self.catalog_health()
        return health.epoch if health else 0

    def epochs(self) -> list[tuple[int, int]]:
        """Return every epoch that was begun, with the id of its leader."""
        lines = (self.data_dir / "catalog" / "catalog_epochs.csv").read_text().splitlines()[1:]
        return [(int(epoch), int(leader_id)) for epoch, leader_id, _ in (line.split(",") for line in lines)]

    def close(self) -> None:
        super().close()
        self.links.close()

    def _trap(self, name: str, step: str, action: str) -> Trap:
        assert step in STEPS, step
        trap = Trap(self._faults(name), step, action)
        self._traps.append(trap)
        return trap

    def _faults(self, name: str) -> Path:
        return self.folder / "faults" / name
