"""The bounds of names, keys, quantities and prices, the same at every border (docs/API.md, protos/catalog.proto)."""

import re
from decimal import Context, Decimal, InvalidOperation

MAX_ORDER_QUANTITY = 10**9
MAX_STOCK_QUANTITY = 10**15
MAX_PRICE_CENTS = 10**11
MAX_NUMBER = 2**53 - 1
MAX_REPLICA_ID = 1000
MAX_BATCH_ORDERS = 1000
MAX_PAGE = 500
# An operator's choice of the leader holds against the health loop for at most so long: a day.
MAX_HOLD_S = 86_400
# A replica this close behind is near: it can be elected, for it reads what it lacks in a second; and a leader sends it
# all of that at once, so that it is a member from then on.
NEAR_ORDERS = 1000

# re.ASCII is not needed: the sets are spelt out. Use fullmatch: `$` would accept a final newline.
HELD_STOCK_NAME = re.compile(r"[A-Za-z0-9._-]{1,32}")
# Clients take `.` and `..` out of a path, so nobody could look such a stock up. Files of older catalogs may hold one.
STOCK_NAME = re.compile(rf"(?!\.{{1,2}}\Z){HELD_STOCK_NAME.pattern}")
STOCK_NAME_RULE = "1 to 32 characters of A-Z a-z 0-9 . _ -, and neither . nor .."
IDEMPOTENCY_KEY = re.compile(r"[A-Za-z0-9._:-]{1,64}")
ACCOUNT = re.compile(r"[A-Za-z0-9._@+-]{0,64}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


def price_text(cents: int) -> str:
    """Return a price as text with exactly two decimals: 4135 -> "41.35"."""
    return f"{cents // 100}.{cents % 100:02d}"


def price_cents(text: str) -> int:
    """Return the cents of a price with at most two decimals: "41.35" -> 4135, "41" -> 4100.

    Raises:
        ValueError: not a decimal number, more than two decimals, or not within 0.01 to 10^9.
    """
    try:
        cents = Context(prec=len(text) + 3).multiply(Decimal(text), 100)  # exact, however many digits
    except InvalidOperation:
        raise ValueError(f"price {text[:80]!r} is not a decimal number") from None
    if not cents.is_finite() or cents != cents.to_integral_value():
        raise ValueError(f"price {text[:80]!r} has more than two decimals")
    if not 1 <= cents <= MAX_PRICE_CENTS:
        raise ValueError(f"price {text[:80]!r} is not within 0.01 to 1000000000")
    return int(cents)
