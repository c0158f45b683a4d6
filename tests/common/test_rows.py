import re
import zlib
from pathlib import Path

from hypothesis import given

from common.bounds import (
    MAX_NUMBER,
    MAX_ORDER_QUANTITY,
    MAX_PRICE_CENTS,
)
from common.row_checks import check_rows
from common.rows import (
    COLUMNS,
    HEADER,
    MAX_ROW_BYTES,
    MIN_ROW_BYTES,
    chain_seed,
    encode_order,
    end_chain,
    order_from_row,
    parse_row,
    places,
    row_pattern,
    split_rows,
)
from protos import catalog_pb2, order_pb2
from tests.common.made_rows import FIELDS, encode, fields

ROOT = Path(__file__).parents[2]


def test_header_is_fixed():
    assert HEADER == (
        b"transaction_number,epoch,stock_name,order_type,quantity,price,account,idempotency_key,created_at,chain\n"
    )


def test_row_has_these_bytes():
    line, chain = encode(prev_chain=chain_seed("c"))
    body = b"57,4,BRK.B,buy,3,41.35,,bot7-000318,2031-04-09T13:05:22.104511Z,"
    assert chain_seed("c") == zlib.crc32(b"c")
    assert chain == zlib.crc32(b"c" + body)
    assert line == body + b"%08x\n" % chain


def test_shortest_and_longest_row_have_the_lengths_that_are_given():
    shortest, _ = encode(
        transaction_number=1, epoch=1, stock_name="A", quantity=1, price_cents=1, idempotency_key="k", account=""
    )
    longest, _ = encode(
        transaction_number=MAX_NUMBER,
        epoch=MAX_NUMBER,
        stock_name="A" * 32,
        order_type="sell",
        quantity=MAX_ORDER_QUANTITY,
        price_cents=MAX_PRICE_CENTS,
        account="a" * 64,
        idempotency_key="k" * 64,
    )
    assert (len(shortest), len(longest)) == (MIN_ROW_BYTES, MAX_ROW_BYTES)
    assert check_rows(longest, MAX_NUMBER - 1, 0).count == 1


@given(fields)
def test_no_text_of_a_column_is_shorter_or_longer_than_it_says(order):
    line, _ = encode(**order)
    for text, column in zip(line[:-1].split(b","), COLUMNS.values(), strict=True):
        assert column.shortest <= len(text) <= column.longest


def test_order_that_is_asked_for_is_in_its_row_and_comes_back_out_of_it():
    wanted = catalog_pb2.NewOrder(
        stock_name="BRK.B", order_type=catalog_pb2.BUY, quantity=3, account="", idempotency_key="bot7-000318"
    )
    given = {name: FIELDS[name] for name in ("transaction_number", "epoch", "price_cents", "created_at")}
    assert encode_order(wanted, **given, prev_chain=5) == encode(prev_chain=5)
    assert order_from_row(parse_row(encode()[0])) == order_pb2.Order(**{**FIELDS, "order_type": catalog_pb2.BUY})


def test_every_field_of_an_order_is_a_column_and_every_column_but_the_chain_is_told():
    assert [field.name for field in order_pb2.Order.DESCRIPTOR.fields] == list(COLUMNS)[:-1]
    assert {field.name for field in catalog_pb2.NewOrder.DESCRIPTOR.fields} - {"request_id"} <= COLUMNS.keys()


def test_split_rows_have_their_fields_at_their_places():
    lines = [encode(stock_name=name)[0] for name in ("A", "B")]
    name_at, price_at, chain_at = places("stock_name", "price_cents", "chain")
    whole = list(split_rows(lines))
    assert [(fields[name_at], fields[price_at]) for fields in whole] == [(b"A", b"41.35"), (b"B", b"41.35")]
    assert int(whole[1][chain_at], 16) == end_chain(b"".join(lines)) == parse_row(lines[1]).chain
    assert [fields[name_at] for fields in split_rows(lines, last="stock_name")] == [b"A", b"B"]


def test_pattern_finds_the_rows_with_one_of_the_texts_in_each_field_named():
    rows = [
        encode(stock_name=name, account=account, idempotency_key="k.1")[0]
        for name in ("A", "AB", "B")
        for account in ("", "ann")
    ]
    data = b"".join(rows)

    def found(**wanted):
        return row_pattern(wanted).findall(data)

    assert found() == rows
    assert found(stock_name=["A", "B"]) == [*rows[:2], *rows[4:]]
    assert found(stock_name=["A"], account=[""]) == rows[:1]
    assert found(idempotency_key=["k.1"], order_type=["buy"]) == rows
    assert found(idempotency_key=["k?1"]) == found(order_type=["sell"]) == []


def test_nobody_else_splits_a_row():
    folders = ("common", "backends", "trading", "frontend_site", "deploy", "benchmarks", "examples")
    found = [
        str(path)
        for folder in folders
        for path in (ROOT / folder).rglob("*.py")
        if path != ROOT / "common/rows.py"
        and re.search(r"""(partition|split)\(b",|decode\(\)\.r?split\(",""", path.read_text())
    ]
    assert found == []
