"""One log format in all processes, for lines of other libraries too: docs/SECURITY.md says what never stands in one."""

import logging
import os
import re
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any, TextIO, cast

import structlog
from structlog.typing import EventDict, Processor

from common.process.config_error import ConfigError
from common.process.request_context import add_request_id

FORMAT_VARIABLE = "BOURSE_LOG_FORMAT"
LEVEL_VARIABLE = "BOURSE_LOG_LEVEL"

_FORMATS = ("console", "logfmt", "json")
_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_FIRST_KEYS = ["time", "level", "process", "replica", "event"]
_SECRETS = re.compile(r"(?i)(\b(?:bearer|basic)\s+)[\w.~+/=-]{4,}|(://[^\s/:@]*:)[^\s/@]+(?=@)|(\btoken=)[^\s&\"'\\]+")

# What this process writes of itself in each line.
_identity: dict[str, object] = {}
_facts: list[Callable[[], Mapping[str, object]]] = []


def configure_logs(process: str, *, replica: int | None = None) -> None:
    """Log to stderr, a line an event, under this name. Call it first of all; again only to give another name.

    BOURSE_LOG_FORMAT: `console`, `logfmt` or `json`; by default `console` on a terminal, else `logfmt`.
    BOURSE_LOG_LEVEL: `debug`, `info` (the default), `warning` or `error`. Below `debug` nothing is logged per order.
    An error that nobody catches is logged too, with the id of the request that its thread worked for.

    Raises:
        ConfigError: one of the variables has another value.
    """
    _identity.clear()
    _identity.update({"process": process} if replica is None else {"process": process, "replica": replica})
    structlog.configure(
        processors=[*_common_processors(), *_rendering()],
        wrapper_class=structlog.make_filtering_bound_logger(_level()),
        logger_factory=structlog.PrintLoggerFactory(file=cast(TextIO, _Lines())),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(handlers=[stdlib_handler()], level=max(logging.WARNING, _level()), force=True)
    sys.excepthook = _log_uncaught
    threading.excepthook = lambda given: _log_uncaught(given.exc_type, given.exc_value, given.exc_traceback)


class _Lines:
    """Where our lines go: stderr, whatever it is now.

    A line that cannot be written, on a full disk or into a closed pipe, is dropped, as `logging` drops its own: an
    order must not fail, nor a log be left half shown, because nobody can be told of it.
    """

    def write(self, text: str) -> None:
        with suppress(OSError, ValueError):
            sys.stderr.write(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            sys.stderr.flush()


def add_facts(facts: Callable[[], Mapping[str, object]]) -> None:
    """Write what `facts()` returns in each line from now on, unless the line says the same itself.

    Any thread may call it, holding any lock: it must not wait for one, nor log.
    """
    _facts.append(facts)


def stdlib_handler() -> logging.Handler:
    """Return a handler of `logging`, for libraries that use it: their lines look like all others."""
    handler = logging.StreamHandler(sys.stderr)
    formatter = structlog.stdlib.ProcessorFormatter(
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_rendering()],
        foreign_pre_chain=_common_processors(),
    )
    handler.setFormatter(formatter)
    return handler


def stdlib_config(levels: Mapping[str, str]) -> dict[str, Any]:
    """Return the configuration, for `logging.config.dictConfig`, that logs these loggers from these levels on."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {"stderr": {"()": "common.process.logs.stdlib_handler"}},
        "root": {"handlers": ["stderr"], "level": "WARNING"},
        "loggers": {
            name: {"handlers": ["stderr"], "level": level, "propagate": False} for name, level in levels.items()
        },
    }


def _level() -> int:
    text = os.environ.get(LEVEL_VARIABLE) or "info"
    level = _LEVELS.get(text.lower())
    if level is None:
        raise ConfigError(f"{LEVEL_VARIABLE}={text!r} is none of {', '.join(_LEVELS)}")
    return level


def _common_processors() -> list[Processor]:
    return [
        _describe,
        add_request_id,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        _escape,
    ]


def _rendering() -> list[Processor]:
    """Return the processors that make the text of a line: the renderer, and behind it what masks secrets."""
    name = os.environ.get(FORMAT_VARIABLE) or ("console" if sys.stderr.isatty() else "logfmt")
    match name.lower():
        case "console":
            # Not rich's tracebacks: they show the values of variables.
            renderer: Processor = structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty() and not os.environ.get("NO_COLOR"),
                pad_event_to=0,
                timestamp_key="time",
                exception_formatter=structlog.dev.plain_traceback,
            )
            return [renderer, _mask]
        case "logfmt":
            renderer = structlog.processors.LogfmtRenderer(key_order=_FIRST_KEYS, drop_missing=True, bool_as_flag=False)
        case "json":
            renderer = structlog.processors.JSONRenderer(default=str)
        case _:
            raise ConfigError(f"{FORMAT_VARIABLE}={name!r} is none of {', '.join(_FORMATS)}")
    return [structlog.processors.format_exc_info, renderer, _mask]


def _describe(_logger: Any, _method: str, event: EventDict) -> EventDict:
    for facts in _facts:
        for name, value in facts().items():
            event.setdefault(name, value)
    return {**_identity, **event}


def _escape(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Spell out the control characters of texts that may come from outside: no line looks like two, none colours."""
    for name, value in event.items():
        if isinstance(value, str) and not value.isprintable():
            event[name] = repr(value)[1:-1]
    return event


def _mask(_logger: Any, _method: str, line: Any) -> Any:
    return _SECRETS.sub(lambda found: f"{found[1] or found[2] or found[3]}***", line)


def _log_uncaught(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error or kind(), trace)
    elif not issubclass(kind, SystemExit):  # a thread may end so
        structlog.get_logger().critical("uncaught error", exc_info=(kind, error, trace))
