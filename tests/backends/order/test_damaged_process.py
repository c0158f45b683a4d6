"""A replica's process whose log is damaged while it runs: it starts again by itself once, and ends with its parent."""

import os
import re
import signal
import subprocess
import sys
import threading
from contextlib import suppress

import grpc
import pytest

from backends.storage.engines import open_order_log
from common.rows import HEADER
from deploy.settings import ROOT
from protos import order_pb2, order_pb2_grpc
from tests.backends.storage.csv.log_files import CLUSTER, make_rows

TIMEOUT_S = 20
# Stands for a supervisor: what it starts is to end with it. It says the process id, and then what that says.
SUPERVISOR = """
import os, subprocess, sys
child = subprocess.Popen(
    [sys.executable, "-S", "-E", sys.argv[1], str(os.getpid()), *sys.argv[2:]], stderr=subprocess.STDOUT
)
print("pid", child.pid, flush=True)
print("exit", child.wait(), flush=True)
"""


class Supervised:
    """A replica of ten orders, without a catalog, below a supervisor."""

    def __init__(self, path):
        self.path = path
        log = open_order_log(path / "order-1", 1, {})
        log.adopt(CLUSTER)
        log.append(b"".join(make_rows(10)))
        log.close()
        self.log = path / "order-1" / "order_database.csv"
        replica = ["-m", "backends.order", "--replica-id", "1", "--address", "127.0.0.1:0", "--catalog", "127.0.0.1:1"]
        clean = {name: value for name, value in os.environ.items() if not name.startswith("BOURSE_")}
        self.supervisor = subprocess.Popen(
            [sys.executable, "-c", SUPERVISOR, str(ROOT / "deploy/parent.py"), sys.executable, *replica],
            env={**clean, "BOURSE_DATA_DIR": str(path)},
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._limit = threading.Timer(TIMEOUT_S, self.kill)
        self.pid = int(self.wait_for(r"^pid (\d+)"))
        self._limit.start()

    def wait_for(self, pattern):
        """Read on until a line matches, and return the first group."""
        lines = []
        for line in self.supervisor.stdout or ():
            lines.append(line)
            if found := re.search(pattern, line):
                return found[1]
        pytest.fail("".join(lines))

    def damage_and_read(self, address, number):
        """Change a byte of an order in the file, and ask the replica for it."""
        rows = self.log.read_bytes().splitlines(keepends=True)
        with self.log.open("r+b") as file:
            file.seek(sum(map(len, rows[:number])) + 2)
            file.write(b"#")
        with grpc.insecure_channel(address) as channel, pytest.raises(grpc.RpcError, match="no longer"):
            order_pb2_grpc.OrderServiceStub(channel).LookUpOrder(
                order_pb2.LookUpOrderRequest(transaction_id=number), timeout=5
            )

    def kill(self):
        self.supervisor.kill()
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    def close(self):
        self._limit.cancel()
        self.kill()
        self.supervisor.communicate()


@pytest.fixture
def supervised(tmp_path):
    one = Supervised(tmp_path)
    yield one
    one.close()


def test_it_starts_again_once_and_still_ends_with_its_parent(supervised):
    supervised.damage_and_read(supervised.wait_for(r"serving .*address=(\S+)"), 8)
    supervised.wait_for("(starting again)")
    supervised.wait_for(r"serving .*address=(\S+)")
    assert supervised.log.read_bytes() == HEADER + b"".join(make_rows(7))
    supervised.supervisor.kill()
    # Its output is shut once the last process that holds it has ended: the replica too.
    reader = threading.Thread(target=supervised.supervisor.stdout.read)
    reader.start()
    reader.join(5)
    outlived = reader.is_alive()
    supervised.kill()
    reader.join(5)
    assert not outlived


def test_damaged_again_it_stays_down_and_says_so(supervised):
    supervised.damage_and_read(supervised.wait_for(r"serving .*address=(\S+)"), 8)
    supervised.wait_for("(starting again)")
    supervised.damage_and_read(supervised.wait_for(r"serving .*address=(\S+)"), 5)
    supervised.wait_for("(does not start again by itself)")
    assert supervised.wait_for(r"^exit (\d+)") == "74"
    assert [path.name for path in sorted(supervised.log.parent.glob("*.damaged-*"))] == ["order_database.csv.damaged-1"]


def test_damaged_again_after_somebody_has_seen_it_it_starts_again(supervised):
    supervised.damage_and_read(supervised.wait_for(r"serving .*address=(\S+)"), 8)
    supervised.wait_for("(starting again)")
    address = supervised.wait_for(r"serving .*address=(\S+)")
    (supervised.log.parent / "findings.txt").unlink()
    with grpc.insecure_channel(address) as channel:
        stub = order_pb2_grpc.OrderServiceStub(channel)
        for _ in range(100):
            if not stub.HealthCheck(order_pb2.HealthCheckRequest(), timeout=5).findings:
                break
            threading.Event().wait(0.1)
    supervised.damage_and_read(address, 5)
    supervised.wait_for("(starting again)")
