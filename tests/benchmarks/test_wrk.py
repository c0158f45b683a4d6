from collections import Counter
from pathlib import Path

import pytest

from benchmarks.load_client import NO_ANSWER, LoadError
from benchmarks.wrk import BAD_STATUS, read_report, run_wrk

REPORT = '{"count": 300, "us": 2000000, "status": 20, "broken": 1, "p50_us": 1500, "p99_us": 9000}'


def program(folder: Path, *lines: str) -> str:
    """Return the path of a program that writes what it was given and the script it was given, and ends as wrk does."""
    path = folder / "wrk"
    path.write_text("\n".join(["#!/bin/sh", f'echo "$@" >{folder}/given', f'cat "${{10}}" >{folder}/script', *lines]))
    path.chmod(0o755)
    return str(path)


def test_a_report_is_read():
    result = read_report(REPORT, client_cpu_s=0.5)
    assert (result.seconds, result.count, result.rate) == (2.0, 280, 140.0)
    assert result.errors == Counter({BAD_STATUS: 20, NO_ANSWER: 1})
    assert (result.percentile(0.5), result.percentile(0.99)) == (0.0015, 0.009)
    assert read_report(REPORT.replace("20,", "0,").replace('"broken": 1', '"broken": 0'), 0.5).errors == Counter()


def test_wrk_is_run_for_whole_seconds_with_a_script_that_reports(tmp_path: Path):
    wrk = program(tmp_path, "echo Running", f"echo '{REPORT}'")
    result = run_wrk(wrk, "127.0.0.1:1", "/path", clients=8, seconds=0.4, script="request = 1")
    assert result.count == 280
    given = (tmp_path / "given").read_text()
    assert given.startswith("-t1 -c8 -d1s")
    assert given.endswith("http://127.0.0.1:1/path\n")
    script = (tmp_path / "script").read_text()
    assert script.startswith("request = 1")
    assert "done = function" in script


def test_no_server_and_no_expected_answer_are_errors(tmp_path: Path):
    wrk = program(tmp_path, "echo unable to connect", "exit 1")
    with pytest.raises(LoadError, match=r"127\.0\.0\.1:1: unable to connect"):
        run_wrk(wrk, "127.0.0.1:1", "/", clients=1, seconds=1)
    wrk = program(tmp_path, f"echo '{REPORT.replace('300', '20')}'")
    with pytest.raises(LoadError, match="not one answer was as expected"):
        run_wrk(wrk, "127.0.0.1:1", "/", clients=1, seconds=1)
