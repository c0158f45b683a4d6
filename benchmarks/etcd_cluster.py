"""Three members of etcd on this machine, each with its own data directory, and what they are asked over JSON."""

import base64
import json
import os
import shutil
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from benchmarks.processes import cpu_seconds
from deploy.systems.ports import PortBlock
from deploy.systems.process import Process
from deploy.systems.waiting import wait_until

READY_WITHIN_S = 30.0
CALL_WITHIN_S = 10.0
MEMBERS = ("etcd-1", "etcd-2", "etcd-3")
_ALL_KEYS = base64.b64encode(b"\0").decode()  # as a key and as the end of a range: from the first one to the last


def find_etcd() -> str | None:
    """Return the path of the program, None if it is not installed."""
    return shutil.which("etcd")


class EtcdCluster:
    """Use it as a context manager: inside, `leader` (host:port) answers. Its settings are etcd's defaults: each put is
    synced by a majority before it is answered."""

    def __init__(self, folder: Path, program: str) -> None:
        self._folder = folder
        self._program = program
        self._ports = PortBlock()
        self.clients = dict(zip(MEMBERS, self._ports.addresses, strict=False))
        self._peers = dict(zip(MEMBERS, self._ports.addresses[len(MEMBERS) :], strict=False))
        self._members: list[Process] = []
        self.leader = ""

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True)
        try:
            for name in MEMBERS:
                self._start(name)
            wait_until(self._has_leader, READY_WITHIN_S, "etcd has a leader that all members know")
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def _start(self, name: str) -> None:
        client, peer = f"http://{self.clients[name]}", f"http://{self._peers[name]}"
        cluster = ",".join(f"{one}=http://{address}" for one, address in self._peers.items())
        command = [self._program, f"--name={name}", f"--data-dir={self._folder / name}", "--logger=zap"]
        command += [f"--listen-client-urls={client}", f"--advertise-client-urls={client}", "--log-level=warn"]
        command += [f"--listen-peer-urls={peer}", f"--initial-advertise-peer-urls={peer}"]
        command += [f"--initial-cluster={cluster}", "--initial-cluster-state=new"]
        environment = {key: value for key, value in os.environ.items() if not key.startswith("ETCD_")}
        member = Process(name, command, environment, self._folder / f"{name}.log")
        self._members.append(member)
        member.start()

    def _has_leader(self) -> bool:
        """Whether all members know a leader; its address is noted then."""
        for member in self._members:
            member.check_runs()
        try:
            told = {name: self._ask(name, "maintenance/status") for name in MEMBERS}
        except OSError:
            return False
        leaders = {one.get("leader", "0") for one in told.values()}
        found = [name for name, one in told.items() if leaders == {one["header"]["member_id"]}]
        if found:
            self.leader = self.clients[found[0]]
        return bool(found)

    def _ask(self, name: str, path: str, **content: object) -> dict[str, Any]:
        url = f"http://{self.clients[name]}/v3/{path}"
        with urllib.request.urlopen(url, json.dumps(content).encode(), timeout=CALL_WITHIN_S) as answer:
            told: dict[str, Any] = json.loads(answer.read())
            return told

    def key_count(self) -> int:
        """Return how many keys there are, by a read that a majority confirms."""
        told = self._ask(MEMBERS[0], "kv/range", key=_ALL_KEYS, range_end=_ALL_KEYS, count_only=True)
        return int(told.get("count", 0))

    def cpu_s(self) -> float:
        """Return the CPU time of all members so far."""
        return sum(cpu_seconds(member.pid) for member in self._members)

    def _stop(self) -> None:
        for member in self._members:
            member.stop()
        self._ports.close()
