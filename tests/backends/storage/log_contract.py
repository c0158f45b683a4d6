"""What every engine's OrderLog must do: each function tries one promise of ports.OrderLog."""

import threading
from random import Random
from typing import Any

import pytest

from backends.storage.ports import OrderLog, StartRefused, StoreFull
from backends.storage.values import RowQuery
from common.row_checks import BadRow, check_rows
from common.rows import Row, chain_seed, encode_row, parse_row
from tests.backends.storage.engines import CLUSTER, Engine


def make_rows(count: int, after: int = 0, prev_chain: int | None = None, random: Random | None = None) -> list[bytes]:
    """Return rows after+1, after+2, ... with fields that repeat, so that filters find some."""
    chain = chain_seed(CLUSTER) if prev_chain is None else prev_chain
    rows = []
    for number in range(after + 1, after + count + 1):
        chance = random or Random(number)
        row, chain = encode_row(
            transaction_number=number,
            epoch=1 + number // 10,
            stock_name=chance.choice(("ACME", "T", "Blue.Finch")),
            order_type=chance.choice(("buy", "sell")),
            quantity=chance.randint(1, 9),
            price_cents=4135,
            account=chance.choice(("", "ann", "bob")),
            idempotency_key=f"k{number}",
            created_at=f"2031-04-09T13:05:{number // 3:02d}.000000Z",
            prev_chain=chain,
        )
        rows.append(row)
    return rows


def opened(engine: Engine) -> OrderLog:
    log = engine.open_log()
    log.adopt(CLUSTER)
    return log


def log_that_is_new_belongs_to_nobody(engine: Engine) -> None:
    log = engine.open_log()
    assert (log.cluster_id, log.is_open, log.position, log.stalled_s()) == ("", False, (0, 0), 0.0)
    log.adopt(CLUSTER)
    assert (log.cluster_id, log.is_open, log.position) == (CLUSTER, True, (0, chain_seed(CLUSTER)))
    assert log.place


def log_keeps_its_cluster_and_refuses_another(engine: Engine) -> None:
    opened(engine)
    engine.cut_power()
    log = engine.open_log()
    assert log.cluster_id == CLUSTER
    with pytest.raises(StartRefused):
        log.adopt("elsewhere")
    log.adopt(CLUSTER)
    log.adopt(CLUSTER)
    assert log.position == (0, chain_seed(CLUSTER))


def log_is_open_once(engine: Engine) -> None:
    log = opened(engine)
    with pytest.raises(StartRefused):
        engine.open_log()
    log.close()
    log.close()
    engine.open_log().close()


def log_appends_what_lasts(engine: Engine) -> None:
    rows = make_rows(7)
    log = opened(engine)
    log.append(b"".join(rows[:3]))
    log.append(b"")
    log.append(b"".join(rows[3:]))
    assert log.position == (7, parse_row(rows[6]).chain)
    engine.cut_power()
    log = opened(engine)
    assert log.position == (7, parse_row(rows[6]).chain)
    assert log.read(1, 7) == b"".join(rows)


def log_shows_nothing_before_it_is_durable(engine: Engine) -> None:
    log = opened(engine)
    seen = []
    log.on_sync = lambda seconds: seen.append((log.position.number, seconds >= 0.0))
    log.append(b"".join(make_rows(2)))
    assert seen == [(0, True)]
    assert log.position.number == 2


def log_stays_whole_if_the_one_who_is_told_of_a_write_fails(engine: Engine) -> None:
    rows = make_rows(3)
    log = opened(engine)

    def fail(_seconds: float) -> None:
        raise LookupError("nobody can be told")

    log.on_sync = fail
    with pytest.raises(LookupError):
        log.append(rows[0])
    log.on_sync = lambda _seconds: None
    if not log.position.number:  # not shown: it may be asked for again
        log.append(rows[0])
    log.append(b"".join(rows[1:]))
    assert log.read(1, 3) == b"".join(rows)
    engine.cut_power()
    assert opened(engine).read(1, 3) == b"".join(rows)


def log_refuses_rows_that_do_not_continue_it(engine: Engine) -> None:
    rows = make_rows(4)
    log = opened(engine)
    log.append(rows[0])
    for bad in (rows[2], rows[0], rows[1][:-1], rows[1].replace(b"4", b"5", 1), b"".join((rows[1], rows[3]))):
        with pytest.raises(BadRow):
            log.append(bad)
    assert (log.position.number, log.read(1, 1)) == (1, rows[0])
    log.append(rows[1])


def log_that_is_full_changes_nothing_and_goes_on_later(engine: Engine) -> None:
    rows = make_rows(3)
    log = opened(engine)
    log.append(rows[0])
    engine.fill()
    with pytest.raises(StoreFull):
        log.append(b"".join(rows[1:]))
    assert (log.position, log.read_after(0, 10_000)) == ((1, parse_row(rows[0]).chain), rows[0])
    engine.make_room()
    log.append(rows[1])
    engine.fill()
    with pytest.raises(StoreFull):
        log.append(rows[2])
    engine.make_room()
    engine.cut_power()
    log = opened(engine)
    assert log.read_after(0, 10_000) == b"".join(rows[:2])
    log.append(rows[2])


def log_reads_ranges_and_refuses_others(engine: Engine) -> None:
    rows = make_rows(6)
    log = opened(engine)
    log.append(b"".join(rows))
    assert log.read(2, 4) == b"".join(rows[1:4])
    assert log.row(5) == parse_row(rows[4])
    assert [log.chain_at(number) for number in (0, 1, 6)] == [
        chain_seed(CLUSTER),
        parse_row(rows[0]).chain,
        parse_row(rows[5]).chain,
    ]
    for first, last in ((0, 1), (3, 2), (1, 7)):
        with pytest.raises(ValueError, match="not within"):
            log.read(first, last)
    for read in (lambda: log.row(7), lambda: log.chain_at(7), lambda: log.read_after(7, 100)):
        with pytest.raises(ValueError, match="not within"):
            read()


def log_pages_hold_whole_rows_and_at_least_one(engine: Engine) -> None:
    rows = make_rows(6)
    log = opened(engine)
    log.append(b"".join(rows))
    assert log.read_after(6, 100) == b""
    assert log.read_after(2, 1) == rows[2]
    assert log.read_after(2, len(rows[2]) + len(rows[3])) == rows[2] + rows[3]
    assert log.read_after(2, len(rows[2]) + len(rows[3]) + 1) == rows[2] + rows[3]
    assert log.read_after(2, 10**6, 3) == b"".join(rows[2:5])
    assert log.read_after(0, 10**6) == b"".join(rows)


def log_lists_what_matches(engine: Engine) -> None:
    random = Random(7)
    rows = [parse_row(line) for line in make_rows(60, random=random)]
    log = opened(engine)
    log.append(b"".join(make_rows(60, random=Random(7))))
    for _ in range(150):
        query = _some_query(random)
        assert _listed(log, query) == _matching(rows, query), query


def log_is_read_while_it_grows(engine: Engine) -> None:
    lines = make_rows(60)
    log = opened(engine)
    wrong: list[object] = []
    has_ended = threading.Event()

    def read() -> None:
        last = 0
        while not has_ended.is_set():
            number, chain = log.position
            data = log.read_after(0, 10**6, number) if number else b""
            if number < last or check_rows(data, 0, chain_seed(CLUSTER)).last_chain != chain:
                wrong.append((last, number))
            last = number

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for first in range(0, 60, 3):
        log.append(b"".join(lines[first : first + 3]))
    has_ended.set()
    for reader in readers:
        reader.join(10)
    assert wrong == []
    assert log.position.number == 60


def _some_query(random: Random) -> RowQuery:
    def sometimes(value: Any, otherwise: Any) -> Any:
        return value if random.random() < 0.4 else otherwise

    return RowQuery(
        limit=random.choice((1, 2, 5, 100)),
        descending=random.random() < 0.5,
        after_number=sometimes(random.randint(0, 61), 0),
        before_number=sometimes(random.randint(1, 62), 0),
        after_time=sometimes(f"2031-04-09T13:05:{random.randint(0, 20):02d}.000000Z", ""),
        until_time=sometimes(f"2031-04-09T13:05:{random.randint(0, 20):02d}.000000Z", ""),
        stock_names=sometimes(tuple(random.sample(("ACME", "T", "NONE"), random.randint(1, 3))), ()),
        order_type=sometimes(random.choice(("buy", "sell")), ""),
        account=sometimes(random.choice(("", "ann", "nobody")), None),
        idempotency_key=sometimes(f"k{random.randint(1, 61)}", ""),
    )


def _listed(log: OrderLog, query: RowQuery) -> list[Row]:
    """Return all rows that match, a page after the other."""
    found: list[Row] = []
    for _page in range(100):
        page = log.query(query)
        assert len(page.rows) <= query.limit
        assert page.last_number == 60
        found += page.rows
        if not page.resume_number:
            return found
        place = {"before_number" if query.descending else "after_number": page.resume_number}
        query = RowQuery(**{**{name: getattr(query, name) for name in query.__dataclass_fields__}, **place})
    raise AssertionError(f"{query} never ends")


def _matching(rows: list[Row], query: RowQuery) -> list[Row]:
    matching = [
        row
        for row in rows
        if row.transaction_number > query.after_number
        and row.transaction_number < (query.before_number or 10**9)
        and (not query.after_time or row.created_at > query.after_time)
        and (not query.until_time or row.created_at < query.until_time)
        and (not query.stock_names or row.stock_name in query.stock_names)
        and (not query.order_type or row.order_type == query.order_type)
        and (query.account is None or row.account == query.account)
        and (not query.idempotency_key or row.idempotency_key == query.idempotency_key)
    ]
    return matching[::-1] if query.descending else matching


LOG_CONTRACT = [promise for name, promise in globals().items() if name.startswith("log_")]
