"""What a running system keeps on disk is private, and its logs are not needed for serving."""

import os
import stat
from pathlib import Path

import pytest

from common.process.private import keep_private
from deploy.systems.process import Process
from deploy.systems.supervised import SupervisedSystem
from tests.harness.cluster import Cluster
from tests.harness.rest import Rest
from tests.harness.seeds import write_seed

ORDER = {"name": "A00.T", "type": "buy", "quantity": 1}


def modes(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): f"{stat.S_IMODE(path.stat().st_mode):04o}" for path in folder.rglob("*")}


def test_every_file_of_a_run_is_its_owners_alone(tmp_path):
    """Also those that were there before, as an older version or a copy left them; whatever the umask of the caller."""
    write_seed(tmp_path / "seed.csv")
    system = SupervisedSystem(tmp_path, tmp_path / "seed.csv")
    for name in ("catalog", "order-1", "health", "run"):
        (system.data_dir / name).mkdir(parents=True)
        (system.data_dir / name).chmod(0o755)
    (system.data_dir / "frontend.sqlite3").touch(0o644)
    before = os.umask(0)
    try:
        with system:
            rest = Rest(system.address)
            assert rest.request("POST", "/orders", json=ORDER).status_code == 201
            found = modes(system.data_dir)
            rest.close()
    finally:
        os.umask(before)
    assert {"frontend.sqlite3", "secret_key", "health/lock", "run/supervisord.conf"} <= found.keys()
    assert {"catalog/catalog_journal.csv", "order-3/order_database.csv", "run/supervisor.sock"} <= found.keys()
    loose = {path: mode for path, mode in found.items() if not mode.endswith("00")}
    assert loose == {}


@pytest.mark.parametrize(("before", "after"), [(0o755, 0o700), (0o700, 0o700), (0o1777, 0o1777)])
def test_loose_folder_is_shut_unless_all_share_it(tmp_path, before, after):
    folder = tmp_path / "data"
    folder.mkdir()
    folder.chmod(before)
    keep_private(folder, tmp_path / "missing")
    assert stat.S_IMODE(folder.stat().st_mode) == after


class Unheard(Process):
    """One whose output is a full disk."""

    output = ""


class UnheardCluster(Cluster):
    """Every process writes its log to a full disk."""

    def new_process(self, name: str, command: list[str]) -> Process:
        environment = self.environment | self.own_environment(name) | {"BOURSE_LOG_LEVEL": "debug"}
        return Unheard(name, command, environment, Path("/dev/full"))


def test_logs_on_a_full_disk_harm_nothing(tmp_path):
    write_seed(tmp_path / "seed.csv")
    with UnheardCluster(tmp_path, tmp_path / "seed.csv") as cluster:
        assert cluster.rest.request("POST", "/orders", json=ORDER).status_code == 201
        for name in reversed(cluster.processes):  # the health loop first: its start is not waited for
            cluster.kill(name)
            cluster.start_all()
            assert cluster.rest.request("POST", "/orders", json=ORDER).status_code == 201
        assert cluster.rest.get("/schema").status_code == 200
        assert set(cluster.stop_all().values()) == {0}
