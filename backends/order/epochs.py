"""Beginning an epoch at the catalog, and showing it a log that proves it lost history."""

from collections.abc import Callable

from backends.failures import Diverged
from backends.order.catalog_link import CatalogLink
from backends.order.store import OrderStore
from common.failures import RpcFailure
from common.steps import Steps
from protos import catalog_pb2


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
            if failure.reason != "OUT_OF_RANGE":
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


def begin_epoch(link: CatalogLink, store: OrderStore, replica_id: int, expected_epoch: int) -> Steps[int]:
    """Begin an epoch for this replica and read what the store still lacks of what was decided before it.

    Returns the new epoch; the store then holds every row of the journal.

    Raises:
        RpcFailure: FENCED, HALTED, CATALOG; as `read_missing`.
    """
    number, chain = store.position
    answer: catalog_pb2.BeginEpochResponse = yield from link.call(
        catalog_pb2.BeginEpochRequest(leader_id=replica_id, expected_epoch=expected_epoch, number=number, chain=chain)
    )
    yield from read_missing(link, store)
    if store.chain_at(answer.last_number) != answer.last_chain:
        number, chain = store.position
        raise Diverged(
            f"another chain at order {answer.last_number} than the catalog's",
            metadata={"number": number, "chain": chain},
        )
    return answer.epoch


def show_log(link: CatalogLink, replica_id: int, expected_epoch: int, number: int, chain: int) -> Steps[None]:
    """Show the catalog the number and chain of a checked log that differs from its history, so that it halts.

    Raises:
        RpcFailure: HALTED, it lost history and knows it now; FENCED or CATALOG, it could not be shown.
    """
    yield from link.call(
        catalog_pb2.BeginEpochRequest(leader_id=replica_id, expected_epoch=expected_epoch, number=number, chain=chain)
    )
