"""The catalog as a process: what it prints, refuses and keeps."""

import os
import re
import signal
import socket
import subprocess
import sys

import pytest

from backends.storage.csv.data_directory import DataDirectory
from backends.storage.csv.ledger import JOURNAL_NAME
from common.calls.network import Network
from common.rows import HEADER
from protos import catalog_pb2

TIMEOUT_S = 20


def environment(data_dir):
    clean = {name: value for name, value in os.environ.items() if not name.startswith("BOURSE_")}
    return {**clean, "BOURSE_DATA_DIR": str(data_dir)}


def refused(data_dir, *arguments, module="backends.catalog", **variables):
    """Run the process, which must refuse to start, and return its one line."""
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        env={**environment(data_dir), **variables},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    (line,) = done.stderr.splitlines()
    return line


@pytest.fixture
def start(tmp_path):
    """A function that starts a catalog on a free port and returns the process and its address."""
    started = []

    def start_one(*arguments):
        process = subprocess.Popen(
            [sys.executable, "-m", "backends.catalog", "--address", "127.0.0.1:0", *arguments],
            env=environment(tmp_path),
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        lines = []
        for line in process.stderr or ():
            lines.append(line)
            found = re.search(r"serving .*address=(\S+)", line)
            if found:
                return process, found[1]
        pytest.fail("".join(lines))

    yield start_one
    for process in started:
        process.kill()
        process.communicate()


def test_trades_survive_a_kill_and_a_clean_stop(start, tmp_path):
    network = Network()
    process, address = start()
    health = network.call(address, catalog_pb2.CatalogHealthRequest(), 5.0)
    begin = catalog_pb2.BeginEpochRequest(leader_id=1, chain=health.last_chain)
    begun = network.call(address, begin, 5.0)
    trade = catalog_pb2.NewOrder(stock_name="AAPL", order_type=catalog_pb2.BUY, quantity=30, idempotency_key="k")
    batch = catalog_pb2.UpdateStockRequest(
        epoch=begun.epoch, batch_seq=1, first_number=1, prev_chain=begun.last_chain, trades=[trade]
    )
    row = network.call(address, batch, 5.0).results[0].row
    process.kill()
    process.wait()
    process, address = start()
    assert network.call(address, catalog_pb2.LookupStockRequest(stock_name="AAPL"), 5.0).stock.quantity == 70
    assert (tmp_path / "catalog" / JOURNAL_NAME).read_bytes() == HEADER + row
    process.send_signal(signal.SIGTERM)
    assert process.wait(TIMEOUT_S) == 0
    assert re.search(r"^AAPL,\d+\.\d\d,100,70,1$", (tmp_path / "catalog" / "catalog_database.csv").read_text(), re.M)
    network.close()


def test_port_in_use_is_one_line(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        line = refused(tmp_path, "--address", address)
    assert line == f"catalog: cannot listen on {address}: Address already in use"


def test_directory_in_use_is_one_line(tmp_path):
    directory = DataDirectory.open(tmp_path / "catalog", "catalog")
    assert f"{tmp_path / 'catalog'} is in use" in refused(tmp_path, "--address", "127.0.0.1:0")
    assert f"{tmp_path / 'catalog'} is in use" in refused(tmp_path, module="backends.catalog.rebuild")
    directory.close()


def test_unusable_directory_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    assert str(tmp_path / "file") in refused(tmp_path, "--address", "127.0.0.1:0", "--data-dir", tmp_path / "file")


def test_malformed_seed_line_is_named_and_nothing_is_made(tmp_path):
    seed = tmp_path / "seed.csv"
    seed.write_text("name,price,quantity\nACME,1.00,100\nT,free,100\n")
    line = refused(tmp_path, "--address", "127.0.0.1:0", "--seed", seed)
    assert line == f"catalog: seed file {seed}, line 3: price 'free' is not a decimal number"
    assert sorted(path.name for path in (tmp_path / "catalog").iterdir()) == ["lock"]


def test_malformed_setting_names_its_variable(tmp_path):
    assert "BOURSE_CATALOG='nowhere'" in refused(tmp_path, BOURSE_CATALOG="nowhere")


def test_damaged_journal_is_refused_then_rebuilt_then_served(start, tmp_path):
    process, _ = start()
    process.terminate()
    process.wait(TIMEOUT_S)
    cluster_id = (tmp_path / "catalog" / "identity.csv").read_text().splitlines()[1].split(",")[0]
    for number in (1, 2, 3):
        directory = DataDirectory.open(tmp_path / f"order-{number}", "order", number)
        directory.adopt(cluster_id)
        directory.close()
        (tmp_path / f"order-{number}" / "order_database.csv").write_bytes(HEADER)
    (tmp_path / "catalog" / JOURNAL_NAME).unlink()
    line = refused(tmp_path, "--address", "127.0.0.1:0")
    command = re.search(r"run: python -m (backends.catalog.rebuild) (--data-dir) (\S+) \(", line)
    assert command is not None
    done = subprocess.run(
        [sys.executable, "-m", *command.groups()],
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "done: 0 orders" in done.stdout
    _, address = start()
    network = Network()
    assert network.call(address, catalog_pb2.CatalogHealthRequest(), 5.0).epoch == 1000
    network.close()
