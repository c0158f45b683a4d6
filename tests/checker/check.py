"""The whole check of a history."""

from tests.checker.history import JOURNAL, History, ListOrders, LookUpOrder, ReadStock
from tests.checker.journal import check_conservation, check_files, read_journal
from tests.checker.linearizability import Seen, check_moments
from tests.checker.lists import ListChecks
from tests.checker.orders import OrderChecks
from tests.checker.positions import Positions, StockPositions
from tests.checker.reads import StockReads, check_found, seen_in_look_up
from tests.checker.violations import Violation, report


def find_violations(history: History) -> list[Violation]:
    """Return every promise of docs/PROTOCOL.md, 8, that the history breaks; none if it can be explained.

    Takes O(n log n) time for n operations and orders, and one more walk through a stock's orders for each refusal that
    does not name what was available.
    """
    data = history.files[JOURNAL]
    journal, found = read_journal(data, history.cluster_id)
    replicas = {name: own for name, own in history.files.items() if name != JOURNAL}
    found += check_files(replicas, data, history.behind)
    found += check_conservation(journal, history.initial)

    positions = StockPositions(journal, history.initial)
    orders = OrderChecks(history, journal, positions)
    lists = ListChecks([one for one in history.operations if isinstance(one, ListOrders)], journal)
    found += orders.violations + lists.violations
    seen = orders.seen + lists.seen
    stock_reads = StockReads(history.operations, positions, history.slack_s)
    for operation in history.operations:
        if isinstance(operation, ReadStock):
            seen.append(stock_reads.seen(operation))
        elif isinstance(operation, LookUpOrder):
            wrong = check_found(operation, operation.order, journal) if operation.order else None
            if wrong is not None:
                found.append(wrong)
            else:
                seen.append(seen_in_look_up(operation, journal))
    if history.files_read_at is not None:
        everything = Positions([(len(journal), len(journal))])
        at = history.files_read_at
        seen.append(Seen(None, at, at, everything, "the journal as it was read"))
    return found + check_moments(orders.decided, seen, history.orders_before)


def check_history(history: History) -> None:
    """Check a history.

    Raises:
        AssertionError: it breaks a promise; the message names the operations that show it.
    """
    violations = find_violations(history)
    assert not violations, report(violations)
