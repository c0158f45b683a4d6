"""What stands on stderr. Each test runs a small process: the set-up of logs is that of a whole process."""

import json
import os
import pty
import subprocess
import sys
from collections.abc import Mapping

import pytest

START = """
import logging, threading, structlog
from common.process.logs import add_facts, configure_logs
from common.process.request_context import working_for
configure_logs("order-3", replica=3)
log = structlog.get_logger()
"""


def run(code: str, code_of_exit: int = 0, **variables: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", START + code],
        env=environment(variables),
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.returncode == code_of_exit, done.stderr
    assert done.stdout == ""
    return done.stderr.splitlines()


def environment(variables: Mapping[str, str]) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("BOURSE_")}
    return {**clean, **variables}


def test_lines_of_ours_and_of_libraries_are_alike():
    ours, theirs = run(
        'add_facts(lambda: {"epoch": 4, "last_number": 61})\n'
        "with working_for('req-1'):\n"
        '    log.info("catching up", last_number=7)\n'
        '    logging.getLogger("django").warning("odd %s", "thing")\n'
    )
    assert ours.startswith("time=20")
    _, _, ours = ours.partition(" ")
    assert ours == ('level=info process=order-3 replica=3 event="catching up" last_number=7 epoch=4 request_id=req-1')
    _, _, theirs = theirs.partition(" ")
    assert theirs == (
        'level=warning process=order-3 replica=3 event="odd thing" epoch=4 last_number=61 request_id=req-1'
    )


def test_json_by_one_variable():
    code = 'log.info("leading", epoch=4)\nlogging.getLogger("x").error("theirs")'
    first, second = map(json.loads, run(code, BOURSE_LOG_FORMAT="json"))
    assert (first["event"], first["epoch"], first["process"], first["replica"]) == ("leading", 4, "order-3", 3)
    assert first["time"].endswith("Z")
    assert (second["event"], second["level"], second["process"]) == ("theirs", "error", "order-3")


@pytest.mark.parametrize(("level", "count"), [("debug", 3), ("info", 2), ("WARNING", 1), ("error", 0)])
def test_level_by_one_variable(level: str, count: int):
    lines = run('log.debug("a")\nlog.info("b")\nlog.warning("c")', BOURSE_LOG_LEVEL=level)
    assert len(lines) == count


@pytest.mark.parametrize("name", ["BOURSE_LOG_FORMAT", "BOURSE_LOG_LEVEL"])
@pytest.mark.parametrize("command", [["-m", "backends.catalog"], ["-m", "deploy.frontend"], ["manage.py", "check"]])
def test_value_that_cannot_be_used_is_one_line(name: str, command: list[str], tmp_path):
    done = subprocess.run(
        [sys.executable, *command],
        env=environment({name: "loud", "BOURSE_DATA_DIR": str(tmp_path)}),
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert f"{name}='loud'" in line


def test_an_error_that_nobody_catches_is_logged_with_its_request():
    lines = run(
        "from common.process.request_context import work_for\n"
        "def work():\n"
        "    work_for('req-9')\n"
        "    raise ValueError('in a thread')\n"
        "thread = threading.Thread(target=work); thread.start(); thread.join()\n"
        "raise KeyError('in main')\n",
        code_of_exit=1,
    )
    in_thread, in_main = lines
    assert "level=critical" in in_thread
    assert 'event="uncaught error"' in in_thread
    assert "ValueError: in a thread" in in_thread
    assert "request_id=req-9" in in_thread
    assert "KeyError: 'in main'" in in_main


def test_secrets_are_masked_and_tracebacks_show_no_variables():
    lines = run(
        "try:\n"
        "    password = 'hunter22'\n"
        "    raise ValueError('GET with Authorization: Bearer abcdef123456')\n"
        "except ValueError:\n"
        "    log.exception('failed', url='postgres://user:hunter23@db/x', header='Basic dXNlcjpwYXNz')\n"
    )
    (line,) = lines
    assert "Bearer ***" in line
    assert "postgres://user:***@db/x" in line
    assert "Basic ***" in line
    assert not any(secret in line for secret in ("hunter", "abcdef", "dXNl"))


@pytest.mark.parametrize("form", ["logfmt", "json", "console"])
def test_key_in_the_address_of_the_page_is_masked_in_other_libraries_lines_too(form):
    """As Django's own server logs a request that was refused."""
    said = "logging.getLogger('django.server').warning('%r %s', 'GET /?token=Zm9v-_Bar&a=1 HTTP/1.1', 403)"
    (line,) = run(said, BOURSE_LOG_FORMAT=form)
    assert "GET /?token=***&a=1 HTTP/1.1" in line
    assert "Zm9v" not in line


def test_a_value_from_outside_makes_no_second_line_and_no_colour():
    (line,) = run('log.warning("request failed", path="/x\\nlevel=info\\x1b[31m")')
    assert r"/x\\nlevel=info\\x1b[31m" in line


def test_a_terminal_gets_lines_for_people():
    terminal, end = pty.openpty()
    try:
        code = (
            START
            + 'log.info("leading", epoch=4)\ntry:\n    1/0\nexcept ZeroDivisionError:\n    log.exception("failed")'
        )
        subprocess.run(
            [sys.executable, "-c", code], env=environment({"NO_COLOR": "1"}), stderr=end, timeout=20, check=True
        )
        shown = os.read(terminal, 10_000).decode()
    finally:
        os.close(terminal)
        os.close(end)
    assert "[info     ] leading epoch=4 process=order-3 replica=3" in shown
    assert "ZeroDivisionError: division by zero\r\n" in shown
    assert "\x1b" not in shown
