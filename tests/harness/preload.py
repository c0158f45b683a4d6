"""Orders written straight into the files of a stopped system, as if they had been traded."""

from collections.abc import Collection
from datetime import datetime, timedelta

from common.rows import HEADER, chain_seed, encode_row, parse_row, time_text
from tests.harness.cluster import Cluster

CHUNK_ROWS = 50_000


def preload(cluster: Cluster, up_to: int, without: Collection[int] = ()) -> None:
    """Append orders to the journal and to every order database, until there are `up_to`; `without` these replicas.

    All processes are stopped, all logs are equal and hold one order at least. Buys and sells of one share alternate, so
    no stock changes by more than one. Keys are `preloaded-<number>`; each is made a microsecond after the one before.
    """
    identity = (cluster.data_dir / "catalog" / "identity.csv").read_text().splitlines()[1]
    lines = cluster.journal.read_bytes()[len(HEADER) :].splitlines(keepends=True)
    last = parse_row(lines[-1])
    number, chain = last.transaction_number, last.chain or chain_seed(identity.split(",")[0])
    names = list(cluster.initial)
    replica_ids = [replica_id for replica_id in cluster.replicas if replica_id not in without]
    paths = [cluster.journal, *map(cluster.order_database, replica_ids)]
    while number < up_to:
        rows = []
        for next_number in range(number + 1, min(number + CHUNK_ROWS, up_to) + 1):
            row, chain = encode_row(
                transaction_number=next_number,
                epoch=last.epoch,
                stock_name=names[next_number // 2 % len(names)],
                order_type="sell" if next_number % 2 == 0 else "buy",
                quantity=1,
                price_cents=12_345,
                account="",
                idempotency_key=f"preloaded-{next_number}",
                created_at=later(last.created_at, next_number - last.transaction_number),
                prev_chain=chain,
            )
            rows.append(row)
        number += len(rows)
        chunk = b"".join(rows)
        for path in paths:
            with path.open("ab") as log:
                log.write(chunk)


def later(time: str, microseconds: int) -> str:
    """Return a row's time, some microseconds later."""
    return time_text(datetime.fromisoformat(time) + timedelta(microseconds=microseconds))
