"""Whose programs make up a system: this checkout's, or those of another one, of another commit, beside it."""

import sys
from dataclasses import dataclass
from pathlib import Path

from deploy.settings import ROOT


class NoCheckout(Exception):
    """A folder is no checkout that can be run; the message says what is missing in it."""


@dataclass(frozen=True)
class Checkout:
    """A folder with the whole repository, and the interpreter that runs it.

    Attributes:
        folder: absolute.
        python: the path of the interpreter.
    """

    folder: Path
    python: str

    @classmethod
    def at(cls, folder: Path) -> "Checkout":
        """Return the checkout in a folder, with the interpreter of its own `.venv`.

        Raises:
            NoCheckout: it lacks one of the two.
        """
        folder = folder.absolute()
        python = folder / ".venv/bin/python"
        for path, maker in (
            (folder / "deploy/run.py", "is no checkout of Bourse"),
            (python, "run `make install` there"),
        ):
            if not path.is_file():
                raise NoCheckout(f"{folder}: {path.relative_to(folder)} is missing: {maker}")
        return cls(folder, str(python))


THIS = Checkout(ROOT, sys.executable)
