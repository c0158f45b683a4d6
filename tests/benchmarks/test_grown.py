from itertools import islice

from benchmarks.grown import grown_rows
from common.row_checks import check_rows
from common.rows import chain_seed, parse_row


def test_grown_rows_are_a_history():
    rows = list(islice(grown_rows("a-cluster"), 2000))
    checked = check_rows(b"".join(rows), 0, chain_seed("a-cluster"))
    assert (checked.count, checked.last_number) == (2000, 2000)
    parsed = [parse_row(row) for row in rows]
    assert len({row.idempotency_key for row in parsed}) == 2000
    assert [row.created_at for row in parsed] == sorted(row.created_at for row in parsed)
    assert {row.order_type for row in parsed} == {"buy", "sell"}
