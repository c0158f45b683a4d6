"""The secret key of a site whose operator gave none: made once, kept private in the data directory."""

import contextlib
import os
import secrets
from pathlib import Path

from common.process.config import ConfigError

FILE_NAME = "secret_key"
LEAST_LENGTH = 16


def read_or_make_secret_key(data_dir: Path) -> str:
    """Return the key kept in `data_dir`, made now if there is none. Processes that start at once get the same one.

    Raises:
        ConfigError: the file can be neither read nor made, or holds no key.
    """
    path = data_dir / FILE_NAME
    try:
        if not path.exists():
            _make(path)
        key = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text"
        raise ConfigError(f"the secret key {path} (BOURSE_SECRET_KEY is not set) cannot be used: {why}") from error
    if len(key) < LEAST_LENGTH:
        raise ConfigError(f"the secret key {path} is shorter than {LEAST_LENGTH} characters: remove it or write a key")
    return key


def _make(path: Path) -> None:
    """Write a new key under a name of its own, then link it into place: nobody ever reads half a key."""
    aside = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(48) + "\n")
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):  # another process was faster: its key is the one
            os.link(aside, path)
    finally:
        aside.unlink()
