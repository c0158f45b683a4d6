"""Rows for tests: a history of a cluster, as bytes."""

from common.rows import chain_seed, encode_row

CLUSTER = "test-cluster"


def make_rows(count: int, *, first: int = 1, chain: int | None = None, names: tuple[str, ...] = ("ACME",)) -> bytes:
    """Return rows first..first+count-1 that continue `chain`; keys are k<number>, types alternate buy, sell."""
    chain = chain_seed(CLUSTER) if chain is None else chain
    rows = []
    for number in range(first, first + count):
        row, chain = encode_row(
            transaction_number=number,
            epoch=1,
            stock_name=names[number % len(names)],
            order_type="buy" if number % 2 else "sell",
            quantity=1 + number % 7,
            price_cents=4135,
            account="",
            idempotency_key=f"k{number}",
            created_at=f"2031-04-09T13:05:{number // 1000 % 60:02d}.{number % 1000:06d}Z",
            prev_chain=chain,
        )
        rows.append(row)
    return b"".join(rows)
