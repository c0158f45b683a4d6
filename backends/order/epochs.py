"""Beginning an epoch at the catalog, and showing it a log that proves it lost history."""

from collections.abc import Callable
from dataclasses import dataclass

from backends.failures import CatalogUnavailable, Diverged
from backends.order.catalog_link import CatalogLink
from backends.order.store import OrderStore
from common.calls.failures import RpcFailure
from common.calls.reasons import Reason
from common.calls.steps import Pause, Steps
from protos import catalog_pb2

RETRY_PAUSE_S = 0.1
# A sync may take this long before the catalog counts as stalled. Asking again sooner would only begin another epoch.
BEGIN_TIMEOUT_S = 2.0


def read_missing(link: CatalogLink, store: OrderStore, gives_up: Callable[[], bool] = lambda: False) -> Steps[bool]:
    """Read the rows that the store lacks from the catalog and append them, page by page.

    Returns whether the store then held the catalog's last number; False if `gives_up()` became true before.

    Raises:
        RpcFailure: as `CatalogLink.call` and `OrderStore.extend`.
        Diverged: the store is longer than the journal, or holds another history. Metadata: number, chain.
    """
    while True:
        after, chain = store.position
        try:
            page: catalog_pb2.ListTradesResponse = yield from link.call(catalog_pb2.ListTradesRequest(after=after))
        except RpcFailure as failure:
            if failure.reason is not Reason.OUT_OF_RANGE:
                raise
            raise Diverged(
                f"the log holds {after} orders, the catalog only {failure.number('last_number')}",
                metadata={"number": after, "chain": chain},
            ) from failure
        store.extend(page.cluster_id, after, page.after_chain, page.rows)
        if store.last_number >= page.last_number:
            return True
        if gives_up():
            return False


def begin_epoch(
    link: CatalogLink,
    store: OrderStore,
    replica_id: int,
    expected_epoch: int,
    gives_up: Callable[[CatalogUnavailable], bool],
) -> Steps[int]:
    """Begin an epoch for this replica and read what the store still lacks of what was decided before it.

    Asks again while the catalog does not answer, until `gives_up`, which is told why. An epoch of its own id just above
    the expected one is its own lost answer: it begins again from that one. Returns the new epoch; the store then holds
    every row of the journal.

    Raises:
        CatalogUnavailable: gave up. RpcFailure: FENCED, HALTED; as `read_missing`.
    """
    while True:
        try:
            return (yield from _begin_once(link, store, replica_id, expected_epoch))
        except CatalogUnavailable as failure:
            if gives_up(failure):
                raise
            yield Pause(RETRY_PAUSE_S)
        except RpcFailure as failure:
            newest = failure.number("leader_id"), failure.number("epoch")
            if failure.reason is not Reason.FENCED or newest != (replica_id, expected_epoch + 1):
                raise
            expected_epoch += 1


def _begin_once(link: CatalogLink, store: OrderStore, replica_id: int, expected_epoch: int) -> Steps[int]:
    number, chain = store.position
    answer: catalog_pb2.BeginEpochResponse = yield from link.call(
        catalog_pb2.BeginEpochRequest(
            leader_id=replica_id,
            expected_epoch=expected_epoch,
            number=number,
            chain=chain,
            cluster_id=store.cluster_id,
        ),
        BEGIN_TIMEOUT_S,
    )
    yield from read_missing(link, store)
    if store.chain_at(answer.last_number) != answer.last_chain:
        number, chain = store.position
        raise Diverged(
            f"another chain at order {answer.last_number} than the catalog's",
            metadata={"number": number, "chain": chain},
        )
    return answer.epoch


@dataclass(frozen=True, slots=True)
class HeldLog:
    """A checked log that differs from the catalog's history: which replica holds it, and its chain at a number."""

    holder_id: int
    number: int
    chain: int


def log_that_differs(failure: RpcFailure, store: OrderStore, own_id: int) -> HeldLog:
    """Return the log by which histories were found to differ: the one that the failure names, else our own."""
    if "chain" not in failure.metadata:
        return HeldLog(own_id, *store.position)
    return HeldLog(failure.number("replica_id", own_id), failure.number("number"), failure.number("chain"))


def show_log(link: CatalogLink, cluster_id: str, replica_id: int, expected_epoch: int, held: HeldLog) -> Steps[None]:
    """Show the catalog a log that differs from its history, so that it halts and names who holds it.

    Raises:
        RpcFailure: HALTED, it lost history and knows it now; FENCED or CATALOG, it could not be shown.
    """
    yield from link.call(
        catalog_pb2.BeginEpochRequest(
            leader_id=replica_id,
            expected_epoch=expected_epoch,
            number=held.number,
            chain=held.chain,
            holder_id=held.holder_id,
            cluster_id=cluster_id,
        )
    )
