"""The key with which operators change something while there are no accounts: made once, kept in the data directory."""

import fcntl
import os
import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from zlib import crc32

import structlog

from common.process.config import ConfigError, parse_switch

FILE_NAME = "operator_key"
# What is drawn, and its checksum: a file that was cut, or whose disk lost a bit, holds no key.
_KEY = re.compile(rb"([A-Za-z0-9_-]{43})([0-9a-f]{8})\n")

log = structlog.get_logger()


def authentication_is_on(environment: Mapping[str, str]) -> bool:
    """Return whether callers have accounts: BOURSE_AUTH, or what BOURSE_PRODUCTION makes of it. Then there is no key.

    Raises:
        ConfigError: a value is no switch.
    """
    production = parse_switch(environment.get("BOURSE_PRODUCTION", "").strip() or "off", name="BOURSE_PRODUCTION")
    default = "on" if production else "off"
    return parse_switch(environment.get("BOURSE_AUTH", "").strip() or default, name="BOURSE_AUTH")


def read_or_make_operator_key(data_dir: Path) -> str:
    """Return the key kept in `data_dir`, made now if there is none. Processes that start at once get the same one.

    A file that holds no key is replaced, with a warning: nothing that is kept depends on it.

    Raises:
        ConfigError: the file can be neither read nor made.
    """
    path = data_dir / FILE_NAME
    try:
        with _alone_in(data_dir):
            content = path.read_bytes() if path.exists() else None
            if content is not None and _is_whole(content):
                return content.decode("ascii").strip()
            key = _make(path)
    except OSError as error:
        raise ConfigError(f"the operator key {path} cannot be used: {error.strerror}; remove it") from error
    if content is not None:
        log.warning("the file of the operator key was damaged: it has a new one", path=str(path))
    return key


def _is_whole(content: bytes) -> bool:
    match = _KEY.fullmatch(content)
    return match is not None and b"%08x" % crc32(match[1]) == match[2]


@contextmanager
def _alone_in(directory: Path) -> Iterator[None]:
    """Keep other processes that do the same out."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _make(path: Path) -> str:
    drawn = secrets.token_urlsafe(32)
    key = f"{drawn}{crc32(drawn.encode()):08x}"
    aside = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            file.write(f"{key}\n")
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
    return key
