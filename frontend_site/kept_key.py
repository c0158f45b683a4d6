"""A key that is made once and kept in a file of its own: a line of what was drawn and its checksum."""

import fcntl
import os
import re
import secrets
from contextlib import suppress
from pathlib import Path
from zlib import crc32

from common.process.config import ConfigError
from common.process.directories import sync_directory
from common.process.finish import tell

_KEY = re.compile(rb"([A-Za-z0-9_-]{43})([0-9a-f]{8})\n")
_MOST_BYTES = 1000  # far more than any key has


def kept_key(path: Path, what: str, *, once_replaced: str, older: re.Pattern[bytes] | None = None) -> str:
    """Return the key that a file holds, made now if there is none. Processes that ask at once get the same one.

    Any file system will do, also one that can only be read or shared (NFS): without a key to make nothing is locked or
    written. A file that holds no key, as it was cut or its disk lost a bit, is written anew; a line on stderr says so.

    Args:
        what: the key, in words.
        once_replaced: what follows for people when it was.
        older: the whole file of a key from before there were checksums, which still counts.

    Raises:
        ConfigError: the file can be neither read nor made.
    """
    try:
        before = path.read_bytes() if path.exists() else None
        if before is not None and _is_whole(before, older):
            return before.decode("ascii").strip()
        return _make_alone(path, older, "" if before is None else once_replaced)
    except OSError as error:
        raise ConfigError(f"{what} {path} cannot be used: {error.strerror}; remove it") from error


def _is_whole(content: bytes, older: re.Pattern[bytes] | None) -> bool:
    if older is not None and older.fullmatch(content):
        return True
    match = _KEY.fullmatch(content)
    return match is not None and b"%08x" % crc32(match[1]) == match[2]


def _make_alone(path: Path, older: re.Pattern[bytes] | None, once_replaced: str) -> str:
    """Write a key, unless another process has done so by now; a reader that meets half of it waits here too."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)  # NFS locks nothing that is open for reading alone
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        content = os.pread(descriptor, _MOST_BYTES, 0)
        if _is_whole(content, older):
            return content.decode("ascii").strip()
        with suppress(OSError):  # a file system without modes
            os.fchmod(descriptor, 0o600)
        drawn = secrets.token_urlsafe(32)
        key = f"{drawn}{crc32(drawn.encode()):08x}"
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{key}\n".encode(), 0)
        os.fsync(descriptor)
        sync_directory(path.parent)
    finally:
        os.close(descriptor)
    if once_replaced:
        tell(f"warning: {path} held no key: a new one is made, and {once_replaced}")
    return key
