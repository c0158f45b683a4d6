"""What an operator does to the data directories of processes that do not run."""

import random
import shutil
from pathlib import Path

from tests.chaos.system import System


def directory(system: System, name: str) -> Path:
    """Return the data directory of a backend."""
    return system.data_dir / name


def wipe(system: System, name: str) -> None:
    """Empty a backend's data directory, as a new disk would."""
    shutil.rmtree(directory(system, name))


def flip_byte(path: Path, row: int, chance: random.Random) -> None:
    """Change one bit of one byte of a row, its end left alone; -1 is the last row."""
    lines = path.read_bytes().splitlines(keepends=True)
    place = row if row >= 0 else len(lines) + row
    start = sum(map(len, lines[:place]))
    with path.open("r+b") as file:
        file.seek(start + chance.randrange(len(lines[place]) - 1))
        byte = file.read(1)
        file.seek(-1, 1)
        file.write(bytes([byte[0] ^ 0x01]))


def middle_row(path: Path) -> int:
    """Return the number of the row in the middle of a log."""
    return path.read_bytes().count(b"\n") // 2


def count_rows(path: Path) -> int:
    """Return how many rows a log has, which is the number of its last one."""
    return path.read_bytes().count(b"\n") - 1


def refused_start(system: System, name: str, within_s: float = 10.0) -> str:
    """Start a process that has ended and is to refuse; return what it wrote.

    Raises:
        AssertionError: it did not exit with 1 and one message.
    """
    process = system.processes[name]
    before = len(process.output)
    system.restart(name)
    code = process.wait(within_s)
    written = process.output[before:]
    assert code == 1, (code, written)
    assert "Traceback" not in written, written
    return written


def rebuild(system: System, *arguments: str) -> str:
    """Stop all processes, run the rebuild command, start all again; return what the command wrote.

    Raises:
        AssertionError: it failed.
    """
    system.stop_all()
    ended = system.run("-m", "backends.catalog.rebuild", *arguments)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    system.start_all()
    return ended.stdout
