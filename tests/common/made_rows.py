"""Rows for tests of their form: any fields within the limits, and rows of them."""

import zlib
from typing import Any

from hypothesis import strategies as st

from common.bounds import (
    ACCOUNT,
    IDEMPOTENCY_KEY,
    MAX_NUMBER,
    MAX_ORDER_QUANTITY,
    MAX_PRICE_CENTS,
    STOCK_NAME,
    TIME,
)
from common.rows import encode_row

FIELDS: dict[str, Any] = {
    "transaction_number": 57,
    "epoch": 4,
    "stock_name": "BRK.B",
    "order_type": "buy",
    "quantity": 3,
    "price_cents": 4135,
    "account": "",
    "idempotency_key": "bot7-000318",
    "created_at": "2031-04-09T13:05:22.104511Z",
}

fields = st.fixed_dictionaries(
    {
        "epoch": st.integers(1, MAX_NUMBER),
        "stock_name": st.from_regex(STOCK_NAME, fullmatch=True),
        "order_type": st.sampled_from(["buy", "sell"]),
        "quantity": st.integers(1, MAX_ORDER_QUANTITY),
        "price_cents": st.integers(1, MAX_PRICE_CENTS),
        "account": st.from_regex(ACCOUNT, fullmatch=True),
        "idempotency_key": st.from_regex(IDEMPOTENCY_KEY, fullmatch=True),
        "created_at": st.from_regex(TIME, fullmatch=True, alphabet="0123456789TZ.:-"),
    }
)
chains = st.integers(0, 2**32 - 1)


def encode(prev_chain=0, **changes):
    return encode_row(**{**FIELDS, **changes}, prev_chain=prev_chain)


def chained(body: bytes, prev_chain=0) -> bytes:
    """The body with the chain that belongs to it, whatever the body is."""
    return b"%b%08x\n" % (body, zlib.crc32(body, prev_chain))
