"""The secret key of a site whose operator gave none: made once, kept private in the data directory."""

import fcntl
import os
import re
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from common.process.config import ConfigError
from common.process.directories import sync_directory

FILE_NAME = "secret_key"
LEAST_LENGTH = 16

_KEY = re.compile(rf"[!-~]{{{LEAST_LENGTH},}}")


def read_or_make_secret_key(data_dir: Path) -> str:
    """Return the key kept in `data_dir`. Processes that start at once get the same one.

    It is made now if there is none. A file that holds no key, such as one that is empty or full of zeros, is as good as
    none: one line on stderr says so, as whoever has logged in has to do so again.

    Raises:
        ConfigError: the file can be neither read nor made.
    """
    path = data_dir / FILE_NAME
    try:
        with _locked(data_dir):
            key = _read(path)
            if key is None:
                key = _make(path)
    except OSError as error:
        raise ConfigError(
            f"the secret key {path} (BOURSE_SECRET_KEY is not set) cannot be used: {error.strerror}"
        ) from error
    return key


def _read(path: Path) -> str | None:
    """Return the key, None if there is none."""
    try:
        text = path.read_text(encoding="ascii", errors="replace").strip()
    except FileNotFoundError:
        return None
    if _KEY.fullmatch(text):
        return text
    sys.stderr.write(f"warning: {path} held no key: a new one is made, and who has logged in must do so again\n")
    return None


def _make(path: Path) -> str:
    """Write a new key aside, durably, then give it its name: nobody ever reads half a key."""
    key = secrets.token_urlsafe(48)
    aside = path.with_name(f"{path.name}.new")
    aside.unlink(missing_ok=True)
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(key + "\n")
        file.flush()
        os.fsync(file.fileno())
    aside.rename(path)
    sync_directory(path.parent)
    return key


@contextmanager
def _locked(data_dir: Path) -> Iterator[None]:
    """Keep other processes that do the same out of a `with` block."""
    descriptor = os.open(data_dir, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
