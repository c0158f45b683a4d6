"""Finding stocks by a part of their name. The catalog lists them by name; their names are kept here for a while."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from common.bounds import MAX_PAGE
from trading import services
from trading.operator.kept import Kept
from trading.process import OncePerProcess, network
from trading.reads.catalog_client import catalog_client
from trading.reads.stock import Stock

# Names change when a catalog begins with others, hardly ever.
NAMES_S = 30.0
MOST_NAMES = 20_000


class Found(NamedTuple):
    """Stocks as they are now, and how many more match."""

    stocks: list[Stock]
    more: int


class StockSearch:
    """Any number of threads may use it."""

    def __init__(
        self, load_names: Callable[[], Sequence[str]], read_stocks: Callable[[Sequence[str]], Sequence[Stock]]
    ) -> None:
        self._names = Kept(load_names, NAMES_S)
        self._read_stocks = read_stocks

    def find(self, text: str, most: int) -> Found:
        """Return at most `most` stocks whose name holds `text`, whatever its case: those that begin with it first.

        Raises:
            RpcFailure: CATALOG, HALTED.
        """
        wanted = text.strip().casefold()
        matching = [name for name in self._names.get() if wanted in name.casefold()]
        matching.sort(key=lambda name: not name.casefold().startswith(wanted))
        shown = matching[:most]
        by_name = {stock.name: stock for stock in self._read_stocks(shown)} if shown else {}
        return Found([by_name[name] for name in shown if name in by_name], len(matching) - len(shown))


def load_names() -> list[str]:
    """Return the first MOST_NAMES names of stocks. Raises as StockSearch.find."""
    names: list[str] = []
    while len(names) < MOST_NAMES:
        page = services.list_stocks(after_name=names[-1] if names else "", limit=MAX_PAGE)
        names += [stock.name for stock in page.stocks]
        if not page.has_more or not page.stocks:
            break
    return names


stock_search = OncePerProcess(
    lambda: StockSearch(load_names, lambda names: network().run(catalog_client().read_stocks(names)))
)
