import os

import pytest

from backends.storage.csv.files import OS_FILES
from backends.storage.csv.log_check import CHUNK_BYTES, check_file, find_good_row
from common.rows import HEADER, MAX_ROW_BYTES, parse_row
from tests.backends.storage.csv.log_files import CLUSTER, make_rows


@pytest.fixture
def check(tmp_path):
    """Check a log with this content; returns the result and the offset of a good row behind the bad one."""

    def check_content(content: bytes):
        path = tmp_path / "log.csv"
        path.write_bytes(content)
        descriptor = os.open(path, os.O_RDONLY)
        try:
            checked = check_file(OS_FILES, descriptor, CLUSTER)
            good_row = None if checked.bad is None else find_good_row(OS_FILES, descriptor, checked)
        finally:
            os.close(descriptor)
        assert path.read_bytes() == content
        return checked, good_row

    return check_content


def test_good_log_is_good_to_its_end(check):
    rows = make_rows(7)
    checked, _ = check(HEADER + b"".join(rows))
    assert checked.bad is None
    assert (checked.number, checked.chain) == (7, parse_row(rows[-1]).chain)
    assert list(checked.ends) == [len(HEADER + b"".join(rows[:n])) for n in range(8)]


@pytest.mark.parametrize("count", [1, 5])
def test_cut_at_any_byte_is_a_torn_tail(check, count):
    rows = make_rows(count)
    content = HEADER + b"".join(rows)
    whole = {len(HEADER + b"".join(rows[:n])): n for n in range(count + 1)}
    for length in range(len(HEADER), len(content) + 1):
        checked, good_row = check(content[:length])
        assert checked.number == max((n for end, n in whole.items() if end <= length), default=0)
        assert (checked.bad is None) == (length in whole)
        assert good_row is None


@pytest.mark.parametrize(
    "tail",
    [
        b"\x00",
        b"\x00" * 4096,
        b"\x00" * (3 * CHUNK_BYTES),
        b"\n",
        b"\n" * 10_000,
        b"hello\nworld\n",
        b"7" * 100_000,
        make_rows(1)[0],  # a row of the past
        make_rows(20)[19],  # a row from so far ahead that it cannot stand here
        make_rows(20)[19] * 3,
        make_rows(6, cluster_id="cluster-2")[5],  # the row that is due, of another history
        HEADER,
    ],
)
def test_end_without_a_good_row_is_a_torn_tail(check, tail):
    rows = make_rows(5)
    checked, good_row = check(HEADER + b"".join(rows) + tail)
    assert (checked.number, checked.good_length) == (5, len(HEADER + b"".join(rows)))
    assert checked.bad is not None
    assert good_row is None


@pytest.mark.parametrize("filler", [b"\x00", b"x", b"\n", b"0"])
def test_hole_with_rows_behind_it_is_damage(check, filler):
    rows = make_rows(20)
    good, hole, after = b"".join(rows[:5]), len(b"".join(rows[5:12])) + 10, b"".join(rows[5:])
    checked, good_row = check(HEADER + good + filler * hole + after[hole:])
    assert checked.number == 5
    # Row 13 has lost its beginning, row 14 is whole.
    assert good_row == len(HEADER + b"".join(rows[:13]))


def test_hole_longer_than_a_chunk_is_damage_too(check):
    rows = make_rows(60_000)
    good = HEADER + b"".join(rows[:5])
    after = b"".join(rows[59_000:])
    hole = b"\x00" * (len(HEADER + b"".join(rows)) - len(good) - len(after))
    assert len(hole) > 4 * CHUNK_BYTES
    checked, good_row = check(good + hole + after)
    assert checked.number == 5
    assert good_row == len(good + hole)


@pytest.mark.parametrize("lead", range(CHUNK_BYTES - 2 * MAX_ROW_BYTES - 130, CHUNK_BYTES + 20, 37))
def test_row_on_the_border_of_two_windows_is_found(check, lead):
    rows = make_rows(3, first=10_000)
    checked, good_row = check(HEADER + b"\x00" * lead + rows[0] + rows[1])
    assert checked.number == 0
    assert good_row is not None


def test_missing_row_is_damage(check):
    """The rows behind it stand too early for their numbers, but each continues the other."""
    rows = make_rows(200)
    checked, good_row = check(HEADER + b"".join(rows[:5] + rows[150:]))
    assert checked.bad == "has the number 151"
    assert good_row == len(HEADER + b"".join(rows[:5] + rows[150:151]))


def test_line_put_in_before_a_good_row_is_damage(check):
    rows = make_rows(6)
    checked, good_row = check(HEADER + b"".join(rows[:5]) + b"# note\n" + rows[5])
    assert checked.number == 5
    assert good_row == len(HEADER + b"".join(rows[:5])) + 7


@pytest.mark.parametrize("broken", [b"x", b"7", b"0", b"a", b",", b"\r"])
def test_last_row_behind_a_broken_line_end_is_damage(check, broken):
    rows = make_rows(12)
    checked, good_row = check(HEADER + b"".join(rows[:10]) + rows[10][:-1] + broken + rows[11])
    assert checked.number == 10
    assert good_row is not None


@pytest.mark.parametrize("content", [b"", HEADER[:1], HEADER[:-1], b"\x00" * 500, b"hello\n", b"\n"])
def test_torn_header_is_a_torn_tail(check, content):
    checked, good_row = check(content)
    assert (checked.header_is_good, checked.bad_number, checked.good_length) == (False, 0, 0)
    assert good_row is None


@pytest.mark.parametrize(
    "header", [b"", b"\x00" * len(HEADER), HEADER.replace(b"epoch", b"EPOCH"), b"\xef\xbb\xbf" + HEADER]
)
def test_broken_header_before_good_rows_is_damage(check, header):
    checked, good_row = check(header + b"".join(make_rows(3)))
    assert checked.bad_number == 0
    assert good_row is not None
