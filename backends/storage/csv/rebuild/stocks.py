"""The stocks that a rebuild makes: a log played on the initial quantities that are still known."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from backends.storage.csv.checkpoint import DATABASE_NAME
from backends.storage.csv.files import Files
from backends.storage.csv.rebuild.sources import Source, read_source
from backends.storage.ports import StartRefused
from backends.storage.replay import Replay, ReplayFailed
from backends.storage.values import Stock

Report = Callable[[str], None]


class InitialStocks:
    """The initial quantities: those of the catalog's last checkpoint, and those that the operator gave.

    The operator's count where the checkpoint has none, and where the log proves the checkpoint's wrong.
    """

    def __init__(self, checkpoint: list[Stock], given: list[Stock]) -> None:
        self._given = {stock.name: stock for stock in given}
        self._stocks = {stock.name: stock for stock in checkpoint}
        self.checkpoint_names = frozenset(self._stocks)
        for name, stock in self._given.items():
            self._stocks.setdefault(name, stock)

    def all(self) -> list[Stock]:
        """Return the stocks to play the log on."""
        return list(self._stocks.values())

    def correct(self, name: str) -> bool:
        """Take the operator's initial quantity of a stock instead; return whether there is another one."""
        known, given = self._stocks.get(name), self._given.get(name)
        if known is None or given is None or known.initial_quantity == given.initial_quantity:
            return False
        self._stocks[name] = replace(known, initial_quantity=given.initial_quantity)
        return True

    def is_given(self, name: str) -> bool:
        """Whether the operator gave this stock's initial quantity."""
        return name in self._given


def play(source: Source, initial: InitialStocks, files: Files, report: Report) -> Replay:
    """Return the log played on the initial quantities; its stocks have the prices of the trades above the checkpoint.

    Raises:
        StartRefused: a traded stock has no initial quantity, or a wrong one; says what to give with --seed.
    """
    while (replay := _try(source, initial, files, report)) is None:
        pass  # an initial quantity was corrected; each can be only once
    for name, cents in replay.traded_prices.items():
        stock = replay.stocks[name]
        if stock.price_cents != cents:
            report(f"stock {name}: its price is that of its last trade, which is newer than {DATABASE_NAME}")
            stock.price_cents = cents
    return replay


def _try(source: Source, initial: InitialStocks, files: Files, report: Report) -> Replay | None:
    """Play the log; None: it proved an initial quantity wrong, and the operator gave another."""
    replay = Replay(initial.all())
    try:
        read_source(source.path, source.cluster_id, files, replay.visit)
        wrong = {name: why for name, why in replay.disagreements.items() if name in initial.checkpoint_names}
    except ReplayFailed as error:
        if not initial.correct(error.stock_name):
            raise StartRefused(_needed(source.path, error.stock_name, str(error))) from error
        report(f"stock {error.stock_name}: its initial quantity is that of the seed file, for {error}")
        return None
    corrected = [name for name in wrong if initial.correct(name)]
    for name in corrected:
        report(f"stock {name}: its initial quantity is that of the seed file, for {wrong[name]}")
    if corrected:
        return None
    for name, why in wrong.items():
        if not initial.is_given(name):
            raise StartRefused(_needed(source.path, name, f"{DATABASE_NAME} contradicts it: {why}"))
        report(f"stock {name}: its quantity follows from the seed file and the orders; {DATABASE_NAME} had another")
    return replay


def _needed(path: Path, name: str, problem: str) -> str:
    return f"{path}: {problem}: give the initial quantity of stock {name} with --seed FILE.csv; nothing was changed"
