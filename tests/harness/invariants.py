"""What must hold whenever the system has come to rest: docs/PROTOCOL.md, "Invariants"."""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

from backends.row import HEADER, Row, chain_seed, check_rows, parse_row
from common.bounds import price_text
from tests.harness.cluster import Cluster
from tests.harness.load import PlacedOrder
from tests.harness.waiting import wait_until

READER_COUNT = 4


def check_invariants(
    cluster: Cluster, history: Iterable[PlacedOrder] = (), *, within_s: float | None = None
) -> list[Row]:
    """Check everything that can be seen from outside, and return the orders in number order.

    Call it when no client places orders. Waits until all logs are equal, `within_s` at most; the default is the
    interval of the health loop and 5 s.
    """
    history = list(history)
    data = wait_for_equal_logs(cluster, cluster.interval_s + 5 if within_s is None else within_s)
    rows = check_log(cluster, data)
    check_quantities(cluster, rows)
    check_history(cluster, rows, history)
    return rows


def wait_for_equal_logs(cluster: Cluster, within_s: float) -> bytes:
    """Wait until the three order databases and the journal hold the same bytes, and return those."""
    paths = [cluster.journal, *(cluster.order_database(number) for number in cluster.replicas)]

    def equal() -> bytes | None:
        first, *others = [path.read_bytes() if path.exists() else b"" for path in paths]
        return first if all(other == first for other in others) else None

    try:
        return wait_until(equal, within_s, "equal logs") or b""
    except AssertionError as error:
        counts = {path.parent.name: path.read_bytes().count(b"\n") if path.exists() else -1 for path in paths}
        raise AssertionError(f"not equal within {within_s} s, lines: {counts}") from error


def check_log(cluster: Cluster, data: bytes) -> list[Row]:
    """Check numbers 1..N, the chain, that time never falls, that no key is there twice; return the rows."""
    assert data.startswith(HEADER)
    identities = {path.read_text().splitlines()[1].split(",")[0] for path in cluster.data_dir.glob("*/identity.csv")}
    assert len(identities) == 1, identities
    body = data[len(HEADER) :]
    checked = check_rows(body, 0, chain_seed(identities.pop()))
    rows = [parse_row(line) for line in body.splitlines()]
    assert [row.transaction_number for row in rows] == list(range(1, checked.count + 1))
    times = [row.created_at for row in rows]
    assert times == sorted(times)
    keys = [(row.account, row.idempotency_key) for row in rows]
    assert len(set(keys)) == len(keys), "a key has two orders"
    return rows


def check_quantities(cluster: Cluster, rows: Sequence[Row]) -> None:
    """Check for every stock: initial + sells - buys = quantity by uncached REST, and never negative on the way."""
    expected = dict(cluster.initial)
    for row in rows:
        expected[row.stock_name] += row.quantity if row.order_type == "sell" else -row.quantity
        assert expected[row.stock_name] >= 0, f"{row.stock_name} is negative at {row.transaction_number}"
    with ThreadPoolExecutor(READER_COUNT) as readers:
        found = dict(zip(expected, readers.map(cluster.rest.quantity, expected), strict=True))
    assert found == expected


def check_history(cluster: Cluster, rows: Sequence[Row], history: Sequence[PlacedOrder]) -> None:
    """Check each order of the clients: acknowledged ones are in the log and readable, others that were answered
    "not executed" are not there, and every answer was an order, a refusal, 503 or 504."""
    by_key = {row.idempotency_key: row for row in rows}
    wrong = [body for order in history for body in order.bodies]
    assert not wrong, wrong[:5]
    acknowledged = [order for order in history if order.number is not None]
    for order in acknowledged:
        row = by_key[order.key]
        assert order.answer == as_rest(row), (order, row)
        assert (order.name, order.order_type, order.quantity) == (row.stock_name, row.order_type, row.quantity)
    with ThreadPoolExecutor(READER_COUNT) as readers:
        responses = list(readers.map(lambda order: cluster.rest.get(f"/orders/{order.number}"), acknowledged))
    for order, response in zip(acknowledged, responses, strict=True):
        assert response.status_code == 200, (order, response.text)
        assert response.json()["data"] == order.answer
    executed = [order for order in history if order.was_not_executed and order.key in by_key]
    assert not executed, f"answered not_executed, but executed: {executed[:5]}"


def as_rest(row: Row) -> dict[str, object]:
    """Return what the REST interface shows of an order."""
    return {
        "transaction_number": row.transaction_number,
        "number": row.transaction_number,
        "name": row.stock_name,
        "type": row.order_type,
        "quantity": row.quantity,
        "price": row.price_cents / 100,
        "price_decimal": price_text(row.price_cents),
        "status": "filled",
        "client_order_id": row.idempotency_key,
        "created_at": row.created_at,
    }
