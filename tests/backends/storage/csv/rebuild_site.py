"""A stopped cluster whose catalog is lost, damaged or rolled back, for the tests of its rebuild."""

import copy
import itertools
import shutil

import pytest

from backends.storage.csv.data_directory import DataDirectory
from backends.storage.csv.files import OS_FILES
from backends.storage.csv.ledger import JOURNAL_NAME
from backends.storage.csv.rebuild.rebuild import Rebuild
from backends.storage.csv.small_files import SmallFiles
from backends.storage.ports import StartRefused
from common.row_checks import check_rows
from common.rows import HEADER, chain_seed
from tests.backends.catalog.desk import Desk
from tests.backends.storage.csv.log_files import CLUSTER, die

DATABASE = "catalog_database.csv"


class Site:
    """A stopped cluster: a catalog with ten trades, and the directories of its replicas."""

    def __init__(self, root):
        self.root = root
        self.desk = Desk(root / "catalog")
        self.desk.begin()
        self.desk.send(*[self.desk.buy("ACME", 2) for _ in range(6)])
        self.desk.ledger.checkpoint.write()
        self.desk.send(*[self.desk.sell("Blue.Finch", 3) for _ in range(4)])
        self.desk.crash()
        self.rows = self.journal.read_bytes().splitlines(keepends=True)[1:]
        self.replicas = [self.add_replica(number, 10) for number in (1, 2, 3)]
        self.lines = []

    def copy_to(self, root):
        """Return a copy of the stopped cluster."""
        shutil.copytree(self.root, root, dirs_exist_ok=True)
        site = copy.copy(self)
        site.root = root
        site.desk = Desk(root / "catalog", is_open=False)
        site.desk.keys = itertools.count(100)  # those below are known
        site.replicas = [root / path.name for path in self.replicas]
        return site

    @property
    def journal(self):
        return self.root / "catalog" / JOURNAL_NAME

    @property
    def database(self):
        return self.root / "catalog" / DATABASE

    def log(self, replica_id):
        return self.root / f"order-{replica_id}" / "order_database.csv"

    def add_replica(self, replica_id, row_count, cluster_id=CLUSTER, rows=None):
        path = self.root / f"order-{replica_id}"
        directory = DataDirectory.open(path, "order", replica_id)
        directory.adopt(cluster_id)
        directory.close()
        self.log(replica_id).write_bytes(HEADER + b"".join((rows or self.rows)[:row_count]))
        return path

    def damage(self, path, number):
        """Change one digit in a row."""
        lines = path.read_bytes().splitlines(keepends=True)
        assert b",ACME,buy,2," in lines[number]
        lines[number] = lines[number].replace(b",ACME,buy,2,", b",ACME,buy,3,")
        path.write_bytes(b"".join(lines))

    def rebuild(self, *, files=OS_FILES, seed=None, accept_missing=False):
        self.lines = []
        Rebuild(
            small_files=SmallFiles(self.root / "catalog", files, die),
            replica_dirs=self.replicas,
            seed=seed,
            accept_missing=accept_missing,
            report=self.lines.append,
            utc_now=lambda: self.desk.now,
        ).run()
        return "\n".join(self.lines)

    def refused(self, **options):
        """Run the command, which must refuse and change nothing; return why."""
        before = self.content()
        with pytest.raises(StartRefused) as caught:
            self.rebuild(**options)
        assert self.content() == before
        return str(caught.value)

    def content(self):
        paths = (path for path in self.root.rglob("*") if path.is_file() and path.name != "lock")
        return {str(path.relative_to(self.root)): path.read_bytes() for path in paths}

    def check_whole(self, count=10):
        """Start the catalog and see that it has `count` trades, knows their keys and trades on."""
        self.desk.open()
        content = self.journal.read_bytes()
        assert content == HEADER + b"".join(self.rows[:count])
        buys, sells = min(count, 6), max(count - 6, 0)
        assert (self.desk.quantity("ACME"), self.desk.quantity("Blue.Finch")) == (100 - 2 * buys, 3 * sells)
        self.desk.begin()
        known, new = self.desk.send(self.desk.buy("ACME", 1, idempotency_key="key-1"), self.desk.buy("ACME", 1))
        assert known.exists == 1
        assert check_rows(content[len(HEADER) :] + new.row, 0, chain_seed(CLUSTER)).last_number == count + 1
        self.desk.stop()
