import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.bounds import (
    MAX_NUMBER,
    MAX_ORDER_QUANTITY,
    MAX_PRICE_CENTS,
)
from common.row_checks import BadRow, check_prefix, check_rows, check_unchanged, find_rows
from common.rows import (
    Row,
    chain_seed,
    encode_row,
    parse_row,
)
from tests.backends.storage.csv.log_files import CLUSTER, make_rows
from tests.common.made_rows import chained, chains, encode, fields


@given(st.lists(fields, min_size=1, max_size=5), st.integers(0, MAX_NUMBER - 5), chains)
def test_encoded_rows_pass_the_check_and_parse_back(orders, prev_number, seed):
    chain, lines, expected = seed, [], []
    for number, order in enumerate(orders, prev_number + 1):
        line, chain = encode_row(transaction_number=number, **order, prev_chain=chain)
        lines.append(line)
        expected.append(Row(number, **order, chain=chain))

    checked = check_rows(b"".join(lines), prev_number, seed, base=100)

    assert (checked.count, checked.last_number, checked.last_chain) == (len(orders), prev_number + len(orders), chain)
    assert list(checked.ends) == [100 + len(b"".join(lines[: n + 1])) for n in range(len(lines))]
    assert [parse_row(line) for line in lines] == expected
    assert [parse_row(line.rstrip(b"\n")) for line in lines] == expected


@pytest.mark.parametrize("check", [check_rows, check_unchanged])
@given(data=st.data())
def test_changed_byte_never_passes(check, data):
    rows = make_rows(6)
    whole = bytearray(b"".join(rows))
    place = data.draw(st.integers(0, len(whole) - 1))
    whole[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(BadRow) as caught:
        check(bytes(whole), 0, chain_seed(CLUSTER))
    row_of_place = next(n for n in range(1, 7) if place < len(b"".join(rows[:n])))
    assert caught.value.number == row_of_place


@given(st.integers(0, 400), st.binary(max_size=40), st.integers(0, 40))
def test_missing_and_added_bytes_never_pass(place, added, removed):
    whole = b"".join(make_rows(6))
    changed = whole[:place] + added + whole[place + removed :]
    if changed == whole:
        return
    checked, reason = check_prefix(changed, 0, chain_seed(CLUSTER))
    good = changed[: checked.ends[-1]] if checked.count else b""
    assert whole.startswith(good)
    assert reason is not None or changed == good  # whole rows may be missing at the end: that is another prefix
    if changed != good:
        with pytest.raises(BadRow):
            check_unchanged(changed, 0, chain_seed(CLUSTER))


def test_rows_that_passed_once_are_unchanged():
    rows = make_rows(6)
    check_unchanged(b"".join(rows), 0, chain_seed(CLUSTER))
    check_unchanged(b"".join(rows[2:4]), 2, parse_row(rows[1]).chain)
    check_unchanged(b"", 6, parse_row(rows[5]).chain)


def test_rows_of_another_place_are_not_those_that_passed():
    rows = make_rows(6)
    with pytest.raises(BadRow, match="row 3 has the number 4"):
        check_unchanged(b"".join(rows[3:5]), 2, parse_row(rows[2]).chain)


def test_nothing_passes():
    checked = check_rows(b"", 7, 99)
    assert (checked.count, list(checked.ends), checked.last_number, checked.last_chain) == (0, [], 7, 99)


def test_rows_before_a_bad_one_are_given():
    rows = make_rows(5)
    rows[3] = rows[3].replace(b"GOOGL", b"GOOGX")
    checked, reason = check_prefix(b"".join(rows), 0, chain_seed(CLUSTER), base=10)
    assert (checked.count, checked.last_number) == (3, 3)
    assert checked.last_chain == parse_row(rows[2]).chain
    assert checked.ends[-1] == 10 + len(b"".join(rows[:3]))
    assert reason is not None
    assert "chain" in reason


@pytest.mark.parametrize(
    ("damage", "number", "reason"),
    [
        (lambda rows: [rows[0], rows[2]], 2, "has the number 3"),
        (lambda rows: [rows[0], rows[0], rows[1]], 2, "has the number 1"),
        (lambda rows: [b"\n", *rows], 1, "is not well formed: ''"),
        (lambda rows: [rows[0], b"hello, world\n", *rows[1:]], 2, "is not well formed: 'hello, world'"),
        (lambda rows: [rows[0], rows[1][:-1]], 2, "has no end"),
        (lambda rows: [rows[0], b"7" * 300 + rows[1]], 2, "is longer than any row"),
        (lambda rows: [rows[0], b"\xff\x00\n"], 2, r"is not well formed: '\\xff\x00'"),
    ],
)
def test_bad_row_says_what_is_wrong(damage, number, reason):
    with pytest.raises(BadRow) as caught:
        check_rows(b"".join(damage(make_rows(3))), 0, chain_seed(CLUSTER))
    assert caught.value.number == number
    assert reason in caught.value.reason


def test_rows_of_another_history_do_not_pass():
    rows = make_rows(2, cluster_id="cluster-2")
    with pytest.raises(BadRow) as caught:
        check_rows(b"".join(rows), 0, chain_seed(CLUSTER))
    assert caught.value.number == 1


@pytest.mark.parametrize(
    "body",
    [
        b"057,4,A,buy,3,41.35,,k,2031-04-09T13:05:22.104511Z,",
        b"+57,4,A,buy,3,41.35,,k,2031-04-09T13:05:22.104511Z,",
        b"57,0,A,buy,3,41.35,,k,2031-04-09T13:05:22.104511Z,",
        b"57,9007199254740992,A,buy,3,41.35,,k,2031-04-09T13:05:22.104511Z,",
        b"57,4,,buy,3,41.35,,k,2031-04-09T13:05:22.104511Z,",
        b"57,4," + b"A" * 33 + b",buy,3,41.35,,k,2031-04-09T13:05:22.104511Z,",
        "57,4,Å,buy,3,41.35,,k,2031-04-09T13:05:22.104511Z,".encode(),
        b"57,4,A,hold,3,41.35,,k,2031-04-09T13:05:22.104511Z,",
        b"57,4,A,buy,0,41.35,,k,2031-04-09T13:05:22.104511Z,",
        b"57,4,A,buy,1000000001,41.35,,k,2031-04-09T13:05:22.104511Z,",
        b"57,4,A,buy,3,0.00,,k,2031-04-09T13:05:22.104511Z,",
        b"57,4,A,buy,3,41.3,,k,2031-04-09T13:05:22.104511Z,",
        b"57,4,A,buy,3,41.350,,k,2031-04-09T13:05:22.104511Z,",
        b"57,4,A,buy,3,1000000000.01,,k,2031-04-09T13:05:22.104511Z,",
        b"57,4,A,buy,3,041.35,,k,2031-04-09T13:05:22.104511Z,",
        b"57,4,A,buy,3,41.35," + b"a" * 65 + b",k,2031-04-09T13:05:22.104511Z,",
        b"57,4,A,buy,3,41.35,,,2031-04-09T13:05:22.104511Z,",
        b"57,4,A,buy,3,41.35,,a b,2031-04-09T13:05:22.104511Z,",
        b"57,4,A,buy,3,41.35,,k,2031-04-09 13:05:22.104511Z,",
        b"57,4,A,buy,3,41.35,,k,2031-04-09T13:05:22.104511Z,more,",
    ],
)
def test_row_outside_the_limits_does_not_pass_although_its_chain_is_right(body):
    with pytest.raises(BadRow, match="row 57"):
        check_rows(chained(body), 56, 0)


@pytest.mark.parametrize(
    "changes",
    [
        {"epoch": MAX_NUMBER, "quantity": MAX_ORDER_QUANTITY, "price_cents": MAX_PRICE_CENTS},
        {"epoch": 1, "quantity": 1, "price_cents": 1},
        {"epoch": MAX_NUMBER - 1, "quantity": MAX_ORDER_QUANTITY - 1, "price_cents": MAX_PRICE_CENTS - 1},
        {"epoch": 10**15, "quantity": 10**8, "price_cents": 10**10},
        {"epoch": 9 * 10**15, "price_cents": 100},
        {"price_cents": 99},
    ],
)
def test_row_at_the_limits_passes(changes):
    line, chain = encode(**changes)
    assert check_rows(line, 56, 0).last_chain == chain


def test_chain_has_one_spelling():
    number = next(n for n in range(1, 100) if encode(quantity=n)[1] > 0xA0000000)
    line, _ = encode(quantity=number)
    with pytest.raises(BadRow):
        check_rows(line[:-9] + line[-9:].upper(), 56, 0)


def test_number_above_the_highest_does_not_pass():
    line, _ = encode(transaction_number=MAX_NUMBER + 1)
    with pytest.raises(BadRow):
        check_rows(line, MAX_NUMBER, 0)


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_rows_are_found_wherever_they_stand(before, between):
    rows = make_rows(2, first=4711)
    junk = before.replace(b"\n", b"?") + b"?", between + b"\n"
    data = junk[0] + rows[0] + junk[1] + rows[1]
    found = list(find_rows(data))
    assert [data[row.start : row.end] for row in found] == rows
    assert [row.number_text for row in found] == [b"4711", b"4712"]
    assert [row.body + b"%08x\n" % row.chain for row in found] == rows
