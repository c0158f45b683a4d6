import json
from pathlib import Path

from benchmarks.results import Results, interleave
from benchmarks.table import figure, render, write_json


def test_a_row_has_its_median_and_spread():
    row = Results().add("a", "look-ups", "1/s", [3.0, 1.0, 2.0])
    assert (row.median, row.low, row.high) == (2.0, 1.0, 3.0)


def test_a_ratio_is_taken_round_by_round():
    row = Results().add_ratio("a", "A / B", [10.0, 30.0, 20.0], [5.0, 10.0, 20.0])
    assert row.values == [2.0, 3.0, 1.0]


def test_runs_are_interleaved_and_every_second_round_goes_backwards():
    order: list[str] = []

    def made(name: str):
        def run() -> int:
            order.append(name)
            return len(order)

        return run

    assert interleave({"a": made("a"), "b": made("b")}, 3) == {"a": [1, 4, 5], "b": [2, 3, 6]}
    assert order == ["a", "b", "b", "a", "a", "b"]


def test_the_table_has_every_row_under_its_part_and_what_failed():
    results = Results()
    results.add("first part", "one", "1/s", [1234.5, 1000.0, 2000.0], "a note")
    results.add("second part", "two", "ms", [0.25])
    results.add("first part", "three", "times", [1.5])
    results.failures.append("it broke")
    lines = render(results, {"cores": 2}).splitlines()
    parts = [line for line in lines if line.endswith("part")]
    assert lines[0] == "cores: 2"
    assert parts == ["first part", "second part"]
    assert lines.index("second part") > next(place for place, line in enumerate(lines) if "three" in line)
    one = next(line for line in lines if line.strip().startswith("one"))
    assert one.split() == ["one", "1,234", "1,000", "-", "2,000", "1/s", "a", "note"]
    assert lines[-1] == "FAILED: it broke"


def test_figures_have_three_digits():
    assert [figure(value) for value in (12_345.6, 99.94, 1.234, 0.1234)] == ["12,346", "99.9", "1.23", "0.123"]


def test_the_file_has_every_value(tmp_path: Path):
    results = Results()
    results.add("a", "one", "1/s", [2.0, 1.0, 3.0])
    write_json(results, {"cores": 2}, tmp_path / "new" / "bench.json")
    written = json.loads((tmp_path / "new" / "bench.json").read_text())
    assert written["environment"] == {"cores": 2}
    assert written["rows"][0]["values"] == [2.0, 1.0, 3.0]
    assert (written["rows"][0]["median"], written["failures"]) == (2.0, [])
