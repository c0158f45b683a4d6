"""How a program ends when it cannot do its work: one line, an exit code, no trace."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from common.process.config import ConfigError
from common.process.finish import run_program

ROOT = Path(__file__).parents[3]

# Each prints something without a system that runs.
COMMANDS = [
    ["-m", "backends.catalog", "--help"],
    ["-m", "backends.catalog.rebuild", "--help"],
    ["-m", "deploy.run", "--help"],
    ["-m", "deploy.control", "--help"],
    ["-m", "deploy.frontend", "--help"],
    ["manage.py", "replicas", "status"],
    ["manage.py", "replicas", "status", "--format", "json"],
    ["manage.py", "replicas", "events"],
    ["manage.py", "check"],
]


@pytest.mark.parametrize(
    ("command", "sink"),
    [*((command, "full") for command in COMMANDS), *((command, "closed pipe") for command in COMMANDS[3::4])],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_output_that_cannot_be_written_is_one_line_and_exit_code_1(tmp_path, command, sink):
    with open("/dev/full", "w") if sink == "full" else closed_pipe() as output:
        ended = subprocess.run(
            [sys.executable, *command],
            cwd=ROOT,
            env={
                "BOURSE_DATA_DIR": str(tmp_path),
                "BOURSE_CATALOG": "127.0.0.1:1",
                "BOURSE_REPLICAS": "1=127.0.0.1:2",
                "BOURSE_LOG_LEVEL": "error",
            },
            stdout=output,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    why = "No space left on device" if sink == "full" else "Broken pipe"
    *before, last = ended.stderr.splitlines()
    assert last.endswith(f": the output cannot be written: {why}"), ended.stderr
    assert ended.returncode == 1
    assert all(line.startswith("not shown: ") for line in before)  # of `events`, about what is missing in it


def closed_pipe():
    """Return the end of a pipe that nobody reads."""
    reader = subprocess.Popen(["true"], stdin=subprocess.PIPE)
    assert reader.wait(10) == 0
    return reader.stdin


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (ConfigError("X=1 is wrong"), 1, "program: X=1 is wrong\n"),
        (KeyboardInterrupt(), 130, ""),
        (SystemExit(3), 3, ""),
    ],
)
def test_each_end_has_its_code(capsys, error, code, said):
    def main():
        raise error

    with pytest.raises(SystemExit) as ended:
        run_program("program", main, ConfigError)
    assert (ended.value.code, capsys.readouterr().err) == (code, said)


def test_error_that_nobody_foresaw_is_raised():
    def main():
        raise OSError(28, "No space left on device", "a file of ours")

    with pytest.raises(OSError, match="a file of ours"):
        run_program("program", main, ConfigError)


def test_interrupt_is_heard_again_while_the_program_runs():
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        run_program("program", lambda: None)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
