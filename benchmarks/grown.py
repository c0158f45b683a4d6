"""Systems that have grown: orders written straight into the files of a stopped one, as if they had been traded."""

import shutil
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import count, islice
from pathlib import Path

from benchmarks.bourse import Bourse
from benchmarks.traffic import TEN
from common.rows import HEADER, chain_seed, encode_row, time_text

LOGS = ("catalog/catalog_journal.csv", *(f"order-{number}/order_database.csv" for number in (1, 2, 3)))
PAST = datetime(2026, 1, 1)  # noqa: DTZ001 - as rows record it, in UTC


def grow(folder: Path, sizes: Sequence[int]) -> dict[int, Path]:
    """Make a folder with a data directory for each number of orders (ascending); all logs of one are equal.

    Each can be given to `Bourse` as its own. All are of one cluster: never let two of them meet.
    """
    first = folder / "first"
    with Bourse(first):  # makes the files of a new cluster, and an epoch
        pass
    cluster_id = (first / "var/catalog/identity.csv").read_text().splitlines()[1].split(",")[0]
    rows = grown_rows(cluster_id)
    log = folder / "rows"
    log.write_bytes(HEADER)
    grown, written = {}, 0
    for size in sizes:
        with log.open("ab") as file:
            file.writelines(islice(rows, size - written))
        written = size
        grown[size] = folder / str(size)
        shutil.copytree(first, grown[size])
        for path in LOGS:
            shutil.copyfile(log, grown[size] / "var" / path)
    log.unlink()
    return grown


def grown_rows(cluster_id: str) -> Iterator[bytes]:
    """Yield rows from number 1 on, without end: buys and sells of one share by turns, through ten stocks."""
    chain = chain_seed(cluster_id)
    for number in count(1):
        row, chain = encode_row(
            transaction_number=number,
            epoch=1,
            stock_name=TEN[number // 2 % len(TEN)],
            order_type="buy" if number % 2 else "sell",
            quantity=1,
            price_cents=12_345,
            account="",
            idempotency_key=f"grown-{number:026d}",
            created_at=time_text(PAST + timedelta(microseconds=number)),
            prev_chain=chain,
        )
        yield row
