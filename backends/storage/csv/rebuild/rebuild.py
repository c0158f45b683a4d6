"""Making the catalog's files anew from the replicas' logs: docs/PROTOCOL.md, "Loss of a disk"."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from backends.storage.csv.checkpoint import DATABASE_NAME, MalformedCheckpoint, parse_checkpoint
from backends.storage.csv.data_directory import DataDirectory
from backends.storage.csv.epochs import EPOCHS_NAME, MalformedEpochs, epoch_above, parse_epochs
from backends.storage.csv.files import DiskFull
from backends.storage.csv.ledger import JOURNAL_NAME
from backends.storage.csv.notebook import read_marker
from backends.storage.csv.rebuild.replicas import ReplicaLogs, read_replicas
from backends.storage.csv.rebuild.sources import Source, check_agreement, differing_number, longest, read_source
from backends.storage.csv.rebuild.stocks import InitialStocks, play
from backends.storage.csv.rebuild.writing import finish, replace_catalog
from backends.storage.csv.small_files import SmallFiles
from backends.storage.ports import StartRefused
from backends.storage.replay import Replay
from backends.storage.seed import DEFAULT_STOCKS, read_seed
from backends.storage.values import Epoch, Stock
from common.rows import time_text


@dataclass(frozen=True)
class Rebuild:
    """One run of the command.

    Attributes:
        small_files: the catalog's directory.
        replica_dirs: the directories of all replicas.
        seed: initial quantities that `catalog_database.csv` cannot give; None: the shipped list, if that file is lost.
        accept_missing: go on although a replica's log is missing, or may have held more than can be read.
        report: takes the lines that tell the operator what was found and done.
    """

    small_files: SmallFiles
    replica_dirs: Sequence[Path]
    seed: Path | None
    accept_missing: bool
    report: Callable[[str], None]
    utc_now: Callable[[], datetime]

    def run(self) -> None:
        """Rebuild the catalog.

        Raises:
            StartRefused: it cannot be done, or not without a decision of the operator; says which.
        """
        with ExitStack() as locks:
            directory = DataDirectory.open(self.small_files.directory, "catalog", files=self.small_files.files)
            locks.callback(directory.close)
            try:
                replicas = read_replicas(self.replica_dirs, directory.cluster_id, self.small_files.files, locks)
                self._run(directory, replicas)
            except (DiskFull, OSError) as error:
                raise StartRefused(f"{directory.path}: {error}; run the command again when this is mended") from error

    def _run(self, directory: DataDirectory, replicas: ReplicaLogs) -> None:
        cluster_id = replicas.cluster_id or directory.cluster_id
        if cluster_id is None:
            raise StartRefused(f"neither {directory.path} nor any replica belongs to a cluster: nothing can be rebuilt")
        self.report(f"cluster {cluster_id}, catalog {directory.path}")
        if directory.damage:
            self.report(f"{directory.path}: {directory.damage}: written anew")
        if (reason := read_marker(self.small_files)) is not None:
            self.report(f"the catalog is marked: {reason}")
        check_agreement(replicas.sources, self.small_files.files)
        source = self._choose(cluster_id, replicas)
        self._check_complete(source, replicas)
        played = self._play(directory, source)
        epoch = self._epoch(played)
        stocks = list(played.stocks.values())
        kept = replace_catalog(directory, self.small_files, source, stocks, epoch)
        self._compare(cluster_id, source, stocks, replicas)
        finish(self.small_files)
        for name in kept:
            self.report(f"the old file is kept as {self.small_files.path(name)}")
        self.report(f"price changes since the last copy of {DATABASE_NAME} are not known here: check the prices")
        self.report(
            f"done: {source.last_number} orders, chain {source.last_chain:08x}, {len(stocks)} stocks, epochs above"
            f" {epoch.epoch}; equal to all {len(replicas.sources)} replicas' logs. Start the processes again"
        )

    def _choose(self, cluster_id: str, replicas: ReplicaLogs) -> Source:
        """Return the log to rebuild from: the longest of the replicas, or the journal's good rows if those are more."""
        for source in replicas.sources:
            self.report(f"{source.path}: {source.last_number} orders{_behind(source)}")
        best = longest(replicas.sources)
        journal = read_source(self.small_files.path(JOURNAL_NAME), cluster_id, self.small_files.files)
        if journal is None:
            self.report(f"{self.small_files.path(JOURNAL_NAME)} is missing")
            if best is None:
                raise StartRefused("there is neither a journal nor any replica's log: nothing can be rebuilt")
            return best
        self.report(f"{journal.path}: {journal.last_number} good rows{_behind(journal)}")
        if best is None:
            return journal
        differing = differing_number(best, journal, self.small_files.files)
        if differing is not None:
            self.report(f"the journal is of another history from row {differing} on; what all replicas agree on counts")
            return best
        if journal.last_number < best.last_number:
            self.report(f"orders {journal.last_number + 1} to {best.last_number} come from {best.path}")
            return best
        self.report("nothing that any replica holds is missing from the journal: its good rows are kept")
        if journal.problem:
            self.report(
                f"what stood behind row {journal.last_number} is in no other log; it was acknowledged to nobody"
            )
        return journal

    def _check_complete(self, source: Source, replicas: ReplicaLogs) -> None:
        """Refuse to go on, unless told to, if a replica may have held orders that are in no readable log."""
        problems = list(replicas.missing)
        problems += [
            f"{replica.path}: {replica.problem}, and it may have held up to {replica.most_rows} orders"
            for replica in replicas.sources
            if replica.problem and replica.most_rows > source.last_number
        ]
        for problem in problems:
            self.report(problem)
        if problems and not self.accept_missing:
            raise StartRefused(
                f"{'; '.join(problems)}: orders that only it held would be lost; nothing was changed. Bring it back, or"
                " accept that with --accept-missing"
            )

    def _play(self, directory: DataDirectory, source: Source) -> Replay:
        checkpoint = self._read_checkpoint(directory, source.cluster_id)
        given = read_seed(self.seed, self.report) if self.seed is not None else []
        if not checkpoint and not given:
            self.report(f"no initial quantities are left or given: those of the shipped list {DEFAULT_STOCKS} are used")
            given = read_seed(DEFAULT_STOCKS)
        played = play(source, InitialStocks(checkpoint, given), self.small_files.files, self.report)
        if played.checkpoint_number > source.last_number:
            self.report(
                f"{DATABASE_NAME} is as of trade {played.checkpoint_number}: no log that is left holds those above"
                f" {source.last_number}; their numbers will be given again"
            )
        return played

    def _read_checkpoint(self, directory: DataDirectory, cluster_id: str) -> list[Stock]:
        path = self.small_files.path(DATABASE_NAME)
        if not self.small_files.exists(DATABASE_NAME):
            self.report(f"{path} is missing")
            return []
        if directory.cluster_id not in (None, cluster_id) and not self._is_of(cluster_id):
            self.report(f"{path} is of another cluster, {directory.cluster_id}, and not used")
            return []
        try:
            return parse_checkpoint(self.small_files.read(DATABASE_NAME))
        except MalformedCheckpoint as error:
            self.report(f"{path} is damaged and not used: {error}")
            return []

    def _is_of(self, cluster_id: str) -> bool:
        """Whether the journal's rows are this cluster's, whatever the identity says: that may be damaged."""
        journal = read_source(self.small_files.path(JOURNAL_NAME), cluster_id, self.small_files.files)
        return journal is not None and journal.last_number > 0

    def _epoch(self, played: Replay) -> Epoch:
        """Return an epoch above all that any file shows."""
        data = self.small_files.read(EPOCHS_NAME) if self.small_files.exists(EPOCHS_NAME) else b""
        return epoch_above(data, played.last_epoch, time_text(self.utc_now()))

    def _compare(self, cluster_id: str, source: Source, stocks: list[Stock], replicas: ReplicaLogs) -> None:
        """Read back what was written, and compare it with what it was made of.

        Raises:
            StartRefused: it differs; the catalog stays marked.
        """
        files = self.small_files.files
        replay = Replay(parse_checkpoint(self.small_files.read(DATABASE_NAME)))
        journal = read_source(self.small_files.path(JOURNAL_NAME), cluster_id, files, replay.visit)
        if journal is None or (journal.last_number, journal.last_chain) != (source.last_number, source.last_chain):
            raise StartRefused(f"{self.small_files.path(JOURNAL_NAME)} is not what was written: is the disk failing?")
        if replay.disagreements or list(replay.stocks.values()) != sorted(stocks, key=lambda stock: stock.name):
            raise StartRefused(f"{self.small_files.path(DATABASE_NAME)} is not what was written: is the disk failing?")
        try:
            parse_epochs(self.small_files.read(EPOCHS_NAME))
        except MalformedEpochs as error:
            raise StartRefused(f"{self.small_files.path(EPOCHS_NAME)} is not what was written: {error}") from error
        check_agreement([journal, *replicas.sources], files)


def _behind(source: Source) -> str:
    return f"; {source.problem}" if source.problem else ""
