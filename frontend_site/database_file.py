"""Django's own database as a file: whether it can be one."""

import sqlite3
from pathlib import Path

from common.process.config import ConfigError


def check_database_file(path: Path) -> None:
    """Return if SQLite can read all of the file; also if there is none, or an empty one, which `migrate` fills.

    Raises:
        ConfigError: it is damaged; says how to go on.
    """
    if not path.is_file() or path.stat().st_size == 0:
        return
    try:
        database = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        try:
            (found,) = database.execute("PRAGMA quick_check(1)").fetchone()
        finally:
            database.close()
    except sqlite3.OperationalError:  # somebody writes to it, or it cannot be opened: Django says so if that lasts
        return
    except sqlite3.DatabaseError as error:
        found = str(error)
    if found != "ok":
        raise ConfigError(
            f"{path} is damaged ({' '.join(found.split())}): it holds accounts, tokens and sessions, not orders;"
            f" put a copy in its place, or begin with none: mv {path} {path}.damaged && python manage.py migrate"
        )
