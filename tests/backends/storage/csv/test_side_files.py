"""Every file of a backend's directory, and what a bad disk or copy makes of it: refused with its repair, or mended.

The files of the frontend, the health loop and `make run`: tests/frontend_site/test_kept_key.py, test_environment.py,
tests/trading/operator/test_event_file.py, test_watch_lock.py, tests/deploy/test_control.py.
"""

import re
import shutil
import subprocess
import sys

import pytest
from structlog.testing import capture_logs

from backends.storage.csv.data_directory import DataDirectory
from backends.storage.csv.files import OS_FILES
from backends.storage.csv.order_log import ORDER_LOG_NAME, CsvOrderLog
from backends.storage.engines import open_csv_log, open_order_log
from backends.storage.ports import StartRefused
from tests.backends.storage.csv.log_files import CLUSTER, Crash, CrashingFiles
from tests.backends.storage.csv.rebuild_site import DATABASE, Site

HARMS = {
    "missing": lambda _content: None,
    "empty": lambda _content: b"",
    "NULs": lambda content: bytes(len(content)),
    "cut": lambda content: content[: len(content) * 2 // 3],
    "flipped": lambda content: flip(content, len(content) * 2 // 3),
}
SEED = "name,price,quantity\nACME,41.35,100\nBlue.Finch,0.01,0\nT,1000000000.00,1000000000000000\n"

# What each file is worth. "refused": the process names the file and the command that repairs it. "mended": it serves,
# and says what it found. "torn": as "mended", but a crash explains it: a warning in the log is enough. "no matter": it
# tells nothing that is needed.
CATALOG = {
    "identity.csv": dict.fromkeys(HARMS, "refused"),
    "catalog_journal.csv": dict.fromkeys(HARMS, "refused") | {"cut": "torn"},
    "catalog_database.csv": dict.fromkeys(HARMS, "refused"),
    "catalog_epochs.csv": dict.fromkeys(HARMS, "mended"),
    "catalog_rolled_back.txt": dict.fromkeys(HARMS, "refused") | {"missing": "no matter"},
    "catalog_journal.csv.unsynced": dict.fromkeys(HARMS, "mended") | {"missing": "no matter"},
    "catalog_journal.csv.new": dict.fromkeys(HARMS, "no matter"),
    "lock": dict.fromkeys(HARMS, "no matter"),
}
REPLICA = {
    # Without an identity the log itself shows, by its chain, that it is of the cluster that the catalog names.
    "identity.csv": dict.fromkeys(HARMS, "mended") | {"missing": "no matter", "flipped": "refused"},
    "order_database.csv": dict.fromkeys(HARMS, "mended") | {"cut": "torn"},
    "order_database.csv.unsynced": dict.fromkeys(HARMS, "mended") | {"missing": "no matter"},
    "lock": dict.fromkeys(HARMS, "no matter"),
}
WORD = b"a word\nand another\n"  # of files that are not there in a healthy directory


def flip(content, place):
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


def cases(table):
    return [
        pytest.param(name, harm, worth, id=f"{name}-{harm}")
        for name, worths in table.items()
        for harm, worth in worths.items()
    ]


@pytest.fixture(scope="module")
def healthy(tmp_path_factory):
    """A stopped cluster, all of its files good."""
    return Site(tmp_path_factory.mktemp("healthy"))


@pytest.fixture
def site(healthy, tmp_path):
    """A copy of it, to be harmed."""
    return healthy.copy_to(tmp_path)


def harm_file(path, harm):
    content = HARMS[harm](path.read_bytes() if path.exists() else WORD)
    path.unlink(missing_ok=True)
    if content is not None:
        path.write_bytes(content)


def start(site, directory):
    """Start the catalog or replica 1 on its files, and return what its health would say; then stop it."""
    if directory == "catalog":
        site.desk.open()
        health = site.desk.health()
        found, number = list(health.findings), health.last_number
        site.desk.crash()
        return found, number
    log = open_order_log(site.root / directory, 1, {})
    try:
        log.adopt(CLUSTER)
        return list(log.findings), log.position.number
    finally:
        log.close()


def repair(site, refusal):
    """Do what a refusal says, to the letter."""
    if command := re.search(r": rm (\S+), and start again$", refusal):
        subprocess.run(["rm", command[1]], check=True)
        return
    command = re.search(r"run: python (-m \S+ --data-dir \S+) \(with `make run`: make rebuild\)$", refusal)
    assert command, refusal
    arguments = [sys.executable, *command[1].split()]
    ended = run_command(arguments, site)
    if ended.returncode and "give the initial quantity of stock ACME with --seed" in ended.stderr:
        (site.root / "stocks.csv").write_text(SEED)
        ended = run_command([*arguments, "--seed", str(site.root / "stocks.csv")], site)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def run_command(arguments, site):
    environment = {"BOURSE_DATA_DIR": str(site.root), "PATH": "/usr/bin:/bin"}
    return subprocess.run(arguments, env=environment, capture_output=True, text=True, check=False, timeout=30)


@pytest.mark.parametrize(("name", "harm", "worth"), cases(CATALOG))
def test_harmed_file_of_the_catalog(site, name, harm, worth):
    check(site, "catalog", name, harm, worth)


@pytest.mark.parametrize(("name", "harm", "worth"), cases(REPLICA))
def test_harmed_file_of_a_replica(site, name, harm, worth):
    check(site, "order-1", name, harm, worth)


def check(site, directory, name, harm, worth):
    path = site.root / directory / name
    harm_file(path, harm)
    if worth == "refused":
        with pytest.raises(StartRefused) as refused:
            start(site, directory)
        assert str(refused.value).isprintable()
        assert str(path.parent) in str(refused.value)
        repair(site, str(refused.value))
        assert start(site, directory)[1] == 10
        return
    with capture_logs() as logs:
        found, number = start(site, directory)
    is_log = name in ("catalog_journal.csv", "order_database.csv")
    assert number == (10 if not is_log else 6 if harm in ("cut", "flipped") else 0)
    subject = name.removesuffix(".unsynced")
    assert [subject in finding for finding in found] == [True] * (worth == "mended")
    warned = [entry["event"] for entry in logs if entry["log_level"] == "warning"]
    assert ("torn tail cut off" in warned) == (worth == "torn")
    # And the finding is still told by the next run, which finds nothing new.
    assert start(site, directory)[0] == found


@pytest.mark.parametrize("harm", HARMS)
@pytest.mark.parametrize("directory", ["catalog", "order-1"])
def test_harmed_findings_hold_nobody_up(site, directory, harm):
    (site.root / directory / "findings.txt").write_text("order_database.csv: row 3 was damaged\n")
    harm_file(site.root / directory / "findings.txt", harm)
    found, number = start(site, directory)
    assert number == 10
    assert len(found) == (harm != "missing")
    assert all(line.isprintable() for line in found)


@pytest.mark.parametrize("harm", HARMS)
@pytest.mark.parametrize(
    "path",
    [
        "catalog/identity.csv",
        "catalog/catalog_epochs.csv",
        "catalog/catalog_rolled_back.txt",
        f"catalog/{DATABASE}",
        "order-1/order_database.csv.unsynced",
    ],
)
def test_harmed_side_file_is_no_obstacle_to_a_rebuild(site, path, harm):
    harm_file(site.root / path, harm)
    site.damage(site.journal, 4)
    (site.root / "stocks.csv").write_text(SEED)
    site.rebuild(seed=site.root / "stocks.csv")
    site.check_whole()


@pytest.mark.parametrize("harm", ["missing", "empty", "NULs", "cut"])
def test_harmed_identity_of_a_replica_is_no_obstacle_to_a_rebuild(site, harm):
    harm_file(site.root / "order-1" / "identity.csv", harm)
    site.journal.unlink()
    site.rebuild()
    site.check_whole()


@pytest.mark.parametrize("name", ["identity.csv", "catalog_epochs.csv", DATABASE])
def test_every_flipped_byte_is_refused_or_told_or_changes_nothing_that_counts(healthy, tmp_path, name):
    """Prices, names of stocks that were never traded, and who led when stand nowhere else: they cannot be compared."""
    content = (healthy.root / "catalog" / name).read_bytes()
    unknowable = {DATABASE: ("price",), "catalog_epochs.csv": ("leader_id", "time")}.get(name, ())
    columns = content.partition(b"\n")[0].decode().split(",")
    for place in range(content.index(b"\n") + 1, len(content)):
        line = content[: place + 1].rpartition(b"\n")[2]
        shutil.rmtree(tmp_path)
        site = healthy.copy_to(tmp_path)
        (tmp_path / "catalog" / name).write_bytes(flip(content, place))
        try:
            site.desk.open()
        except StartRefused as refused:
            why = str(refused)
        else:
            why = ""
        if why:
            assert re.search(r"(python -m backends.catalog.rebuild|: rm )", why)
            continue
        assert (site.desk.health().last_number, site.desk.quantity("ACME")) == (10, 88)
        is_unknowable = columns[line.count(b",")] in unknowable or line == b"T"
        assert site.desk.health().findings or is_unknowable, (place, line)
        site.desk.crash()


def test_crash_at_any_step_of_a_replicas_first_start_is_no_finding(tmp_path):
    for step in range(100):
        path = tmp_path / str(step)
        try:
            begin_log(path, CrashingFiles(step))
        except Crash:
            pass
        else:
            break
        assert begin_log(path, OS_FILES) == ([], 0)
    else:
        pytest.fail("the first start never ended")
    assert step > 10


def begin_log(path, files):
    """Open a replica's directory, have it belong to a cluster, and return what was found and the last number."""
    directory = DataDirectory.open(path, "order", 1, files)
    log = CsvOrderLog(directory, open_csv_log(path / ORDER_LOG_NAME, files))
    try:
        log.adopt(CLUSTER)
        return list(log.findings), log.position.number
    finally:
        log.close()
