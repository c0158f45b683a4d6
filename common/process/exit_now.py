"""Ending a process at once, because of its disk."""

import os
import sys
from typing import NoReturn

import structlog

log = structlog.get_logger()

EXIT_CODE = 74  # EX_IOERR of sysexits.h


def exit_process(message: str) -> NoReturn:
    """End this process at once, from any thread, without an answer to anybody."""
    log.critical(message)
    sys.stderr.flush()
    os._exit(EXIT_CODE)
