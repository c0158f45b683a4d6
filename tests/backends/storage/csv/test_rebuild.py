"""The operator's repair: after any loss of the catalog's files it trades on from what the replicas hold."""

import itertools
from datetime import UTC, datetime

import pytest

from backends.storage.csv.data_directory import DataDirectory
from backends.storage.csv.ledger import JOURNAL_NAME
from backends.storage.csv.rebuild.rebuild import Rebuild
from backends.storage.csv.small_files import SmallFiles
from backends.storage.ports import StartRefused
from common.calls.failures import RpcFailure
from common.rows import HEADER, chain_seed, end_chain
from tests.backends.catalog.desk import Desk
from tests.backends.storage.csv.log_files import CLUSTER, Crash, CrashingFiles, FaultyFiles, make_rows
from tests.backends.storage.csv.rebuild_site import Site


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path)


def test_damaged_journal_is_rebuilt_from_a_replica(site):
    site.damage(site.journal, 4)
    damaged = site.journal.read_bytes()
    with pytest.raises(StartRefused, match=r"row 4 is damaged.*python -m backends.catalog.rebuild"):
        site.desk.open()
    replicas = {name: content for name, content in site.content().items() if name.startswith("order-")}
    said = site.rebuild()
    assert "3 good rows; row 4 is damaged" in said
    assert "orders 4 to 10 come from" in said
    assert "price changes since the last copy of catalog_database.csv are not known here" in said
    assert "done: 10 orders" in said
    assert site.journal.with_name(f"{JOURNAL_NAME}.before-rebuild-1").read_bytes() == damaged
    assert {name: content for name, content in site.content().items() if name.startswith("order-")} == replicas
    site.check_whole()


def test_longer_good_journal_is_kept(site):
    site.add_replica(1, 2)
    site.add_replica(2, 3)
    site.add_replica(3, 3)
    site.damage(site.journal, 5)
    said = site.rebuild()
    assert "nothing that any replica holds is missing from the journal" in said
    assert "what stood behind row 4 is in no other log" in said
    assert "catalog_database.csv is as of trade 6: no log that is left holds those above 4" in said
    site.check_whole(4)


def test_undamaged_catalog_stays_as_it_is(site):
    assert "nothing that any replica holds is missing" in site.rebuild()
    site.check_whole()


def test_wiped_directory_is_rebuilt_with_its_seed(site, tmp_path):
    for path in (tmp_path / "catalog").iterdir():
        path.unlink()
    seed = tmp_path / "seed.csv"
    seed.write_text("name,price,quantity\nACME,41.00,100\nBlue.Finch,0.01,0\nT,1,1000\n")
    assert "give the initial quantity of stock ACME" in site.refused()
    said = site.rebuild(seed=seed)
    assert "catalog_database.csv is missing" in said
    assert "stock ACME: its price is that of its last trade" in said
    assert "ACME,41.35,100,88,6\n" in site.database.read_text()
    site.check_whole()


def test_rolled_back_catalog_that_was_made_anew_is_rebuilt(site, tmp_path):
    """The disk was replaced, the catalog started as a new cluster, and halted when it met a replica."""
    for path in (tmp_path / "catalog").iterdir():
        path.unlink()
    (tmp_path / "catalog").rmdir()
    (tmp_path / "elsewhere").mkdir()
    other = Desk(tmp_path / "elsewhere" / "other", stocks=[("ACME", 1, 7)])
    other.stop()
    (tmp_path / "elsewhere" / "other" / "identity.csv").write_text("cluster_id,role,replica_id\ncluster-2,catalog,0\n")
    (tmp_path / "elsewhere" / "other").rename(tmp_path / "catalog")
    site.desk.open()
    with pytest.raises(RpcFailure, match="HALTED"):
        site.desk.begin(number=10, chain=1)
    site.desk.stop()
    seed = tmp_path / "seed.csv"
    seed.write_text("name,price,quantity\nACME,41.00,100\nBlue.Finch,0.01,0\nT,1,1000\n")
    said = site.rebuild(seed=seed)
    assert "the catalog is marked: this catalog was rolled back" in said
    assert "is of another cluster, cluster-2, and not used" in said
    assert (tmp_path / "catalog" / "identity.csv").read_text() == f"cluster_id,role,replica_id\n{CLUSTER},catalog,0\n"
    site.check_whole()


def test_lost_directory_beside_replicas_is_not_taken_for_a_new_cluster(site, tmp_path):
    for path in (tmp_path / "catalog").iterdir():
        path.unlink()
    with pytest.raises(StartRefused, match=r"order-1 belongs to a cluster already.*make rebuild"):
        site.desk.open()


def test_epochs_begin_above_all_that_were_seen(site):
    site.desk.open()
    for _ in range(4):
        site.desk.begin()
    site.desk.crash()
    site.rebuild()
    site.desk.open()
    assert site.desk.health().epoch == 1005
    assert site.desk.begin().epoch == 1006


def test_lost_epochs_begin_above_those_of_the_orders(site):
    (site.root / "catalog" / "catalog_epochs.csv").unlink()
    site.rebuild()
    site.desk.open()
    assert site.desk.health().epoch == 1001


def test_two_replicas_that_disagree_are_refused(site):
    rows = site.rows[:5] + make_rows(5, first=6, prev_chain=end_chain(site.rows[4]))
    site.add_replica(2, 10, rows=rows)
    said = site.refused()
    assert "disagree from order 6 on" in said
    assert "order-2" in said


def test_replicas_of_two_clusters_are_refused(site):
    (site.root / "order-2" / "identity.csv").write_text("cluster_id,role,replica_id\ncluster-2,order,2\n")
    assert "belongs to cluster cluster-2, the replicas before it to cluster-1" in site.refused()


def test_journal_of_another_history_gives_way_to_the_replicas(site):
    rows = site.rows[:5] + make_rows(9, first=6, prev_chain=end_chain(site.rows[4]))
    site.journal.write_bytes(HEADER + b"".join(rows))
    assert "the journal is of another history from row 6 on" in site.rebuild()
    site.check_whole()


def test_log_of_a_replica_without_an_identity_is_used_if_it_is_of_the_cluster(site):
    (site.root / "order-2" / "identity.csv").unlink()
    assert "order-2/order_database.csv: 10 orders" in site.rebuild()
    site.check_whole()


@pytest.mark.parametrize("harm", [None, b"", b"\0" * 40])
def test_logs_of_replicas_that_all_lost_their_identity_are_of_the_catalogs_cluster(site, harm):
    site.journal.unlink()
    for path in site.replicas:
        (path / "identity.csv").unlink() if harm is None else (path / "identity.csv").write_bytes(harm)
    assert "equal to all 3 replicas' logs" in site.rebuild()
    site.check_whole()


def test_log_without_an_identity_that_is_of_no_cluster_here_must_be_accepted(site):
    (site.root / "order-2" / "identity.csv").unlink()
    site.log(2).write_bytes(HEADER + b"".join(make_rows(3, first=1, prev_chain=chain_seed("cluster-2"))))
    assert f"order-2/order_database.csv holds no order of cluster {CLUSTER}" in site.refused()


def test_nothing_can_be_rebuilt_where_no_identity_is_left(site):
    for path in (site.root / "catalog", *site.replicas):
        (path / "identity.csv").unlink()
    assert "nor any replica belongs to a cluster" in site.refused()


@pytest.mark.parametrize("missing", ["directory", "files", "log"])
def test_missing_replica_must_be_accepted(site, missing):
    if missing == "directory":
        site.replicas.append(site.root / "order-4")
    elif missing == "files":
        (site.root / "order-2" / "identity.csv").unlink()
        site.log(2).unlink()
    else:
        site.log(2).unlink()
    assert "--accept-missing" in site.refused()
    site.rebuild(accept_missing=True)
    site.check_whole()


def test_damaged_replica_that_may_have_held_more_must_be_accepted(site):
    site.add_replica(1, 8)
    site.add_replica(3, 8)
    site.journal.write_bytes(HEADER)
    site.damage(site.log(2), 5)
    assert "order-2/order_database.csv: row 5 is damaged" in site.refused()
    assert "done: 8 orders" in site.rebuild(accept_missing=True)
    site.check_whole(8)


def test_damaged_replica_that_held_no_more_is_no_obstacle(site):
    site.journal.unlink()
    site.damage(site.log(2), 5)
    site.rebuild()
    site.check_whole()


def test_torn_tail_of_a_replica_is_no_damage(site):
    site.journal.unlink()
    for replica_id in (1, 2, 3):
        site.log(replica_id).write_bytes(site.log(replica_id).read_bytes()[:-4])
    site.rebuild()
    site.check_whole(9)


def test_running_process_is_refused(site):
    directory = DataDirectory.open(site.root / "order-2", "order", 2)
    assert "order-2 is in use" in site.refused()
    directory.close()
    directory = DataDirectory.open(site.root / "catalog", "catalog")
    assert "catalog is in use" in site.refused()
    directory.close()
    site.rebuild()


def test_nothing_at_all_is_refused(tmp_path):
    rebuild = Rebuild(
        SmallFiles(tmp_path / "catalog"), [tmp_path / "order-1"], None, True, print, lambda: datetime.now(UTC)
    )
    with pytest.raises(StartRefused, match="nothing can be rebuilt"):
        rebuild.run()


def test_new_stock_that_the_checkpoint_lacks_needs_its_quantity(site, tmp_path):
    text = site.database.read_text()
    site.database.write_text("".join(line for line in text.splitlines(True) if not line.startswith("Blue.Finch")))
    assert "give the initial quantity of stock Blue.Finch with --seed" in site.refused()
    seed = tmp_path / "seed.csv"
    seed.write_text("name,price,quantity\nBlue.Finch,9.99,0\nACME,1,55\n")
    site.rebuild(seed=seed)
    site.check_whole()


@pytest.mark.parametrize("wrong", ["ACME,41.35,101,88,6", "ACME,41.35,100,87,6", "ACME,41.35,3,88,6"])
def test_checkpoint_that_the_orders_contradict_needs_the_true_quantity(site, tmp_path, wrong):
    text = site.database.read_text()
    assert "ACME,41.35,100,88,6" in text
    site.database.write_text(text.replace("ACME,41.35,100,88,6", wrong))
    site.journal.unlink()
    assert "give the initial quantity of stock ACME with --seed" in site.refused()
    seed = tmp_path / "seed.csv"
    seed.write_text("name,price,quantity\nACME,1,100\n")
    assert "stock ACME: its" in site.rebuild(seed=seed)
    assert "ACME,41.35,100,88,6" in site.database.read_text()
    site.check_whole()


def test_crash_at_any_step_can_be_run_again(tmp_path):
    for step in itertools.count():
        site = Site(tmp_path / str(step))
        site.damage(site.journal, 4)
        site.add_replica(1, 2)
        site.add_replica(2, 8)
        site.add_replica(3, 3)
        files = CrashingFiles(step)
        try:
            site.rebuild(files=files)
        except Crash:
            assert_does_not_start_half_done(site)
            site.rebuild()
        site.check_whole(8)
        if len(files.changes()) < step:
            break
    assert step > 20


def assert_does_not_start_half_done(site):
    """Between the first step and the last, the catalog refuses; once it starts, the rebuild was as good as over."""
    try:
        site.desk.open()
    except StartRefused:
        return
    assert site.desk.position[0] == 8
    site.desk.crash()


def test_full_disk_leaves_the_catalog_marked_and_can_be_run_again(site):
    site.damage(site.journal, 4)
    files = FaultyFiles()
    files.room = 700
    with pytest.raises(StartRefused, match="run the command again"):
        site.rebuild(files=files)
    with pytest.raises(StartRefused):
        site.desk.open()
    site.rebuild()
    site.check_whole()
