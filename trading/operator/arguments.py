"""The command line of `manage.py replicas`."""

import argparse
from collections.abc import Callable
from typing import Any

from common.bounds import MAX_HOLD_S
from common.process.metrics import METRICS_HELP
from trading.operator.operating import FORMATS
from trading.operator.switchover import HOLD_S

EXIT_CODES = (
    "exit codes: 0 ok, 1 failed, 2 wrong use, 3 degraded or work left, 4 down: no order can be acknowledged,"
    " 130 interrupted"
)


def add_commands(parser: argparse.ArgumentParser) -> None:
    """Declare the sub-commands; one is required."""
    parser.epilog = EXIT_CODES
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    status = _command(commands, "status", "one row a replica; ends with 0 all in sync, 3 degraded, 4 down")
    status.add_argument("--format", choices=FORMATS, default="table", help="default: table")
    status.add_argument(
        "--watch",
        nargs="?",
        type=_seconds(0.1, 3600),
        const=2.0,
        metavar="SECONDS",
        help="show it anew every so many seconds (2), until Ctrl-C",
    )

    _command(commands, "leader", "the leader's id alone, for scripts; ends with 4 if nobody leads")

    wait = _command(commands, "wait", "until a state is reached; ends with 3 or 4 if it is not in time")
    wait.add_argument(
        "--for",
        dest="aim",
        choices=("in-sync", "leader"),
        default="in-sync",
        help="in-sync: all replicas are (default); leader: orders can be acknowledged",
    )
    wait.add_argument("--timeout", type=_seconds(0, 86_400), default=60.0, metavar="SECONDS", help="default: 60")

    switchover = _command(commands, "switchover", "make another replica the leader; no request fails")
    switchover.add_argument("--to", type=int, metavar="ID", help="default: the highest other id that is in sync")
    switchover.add_argument(
        "--hold",
        type=_hold,
        default=HOLD_S,
        metavar="SECONDS",
        help=f"how long the health loop leaves it the leader before the highest id in sync leads again ({HOLD_S})",
    )

    resync = _command(commands, "resync", "bring followers up to date now: those named, or all out of sync")
    which = resync.add_mutually_exclusive_group()
    which.add_argument("ids", nargs="*", type=int, default=[], metavar="ID", help="replica ids")
    which.add_argument("--all", action="store_true", help="every follower, also those in sync")
    resync.add_argument("--dry-run", action="store_true", help="say what would be copied, and copy nothing")

    _command(
        commands, "verify", "compare the logs of all replicas with the catalog's, byte by byte, and audit the stocks"
    )

    events = _command(
        commands,
        "events",
        "elections as the catalog keeps them (the newest 1000 since a rebuild), failures and returns as this data"
        " directory's health loop saw them when it looked (the newest 1 to 2 MB)",
    )
    events.add_argument("--format", choices=FORMATS, default="table", help="default: table")
    events.add_argument("--limit", type=_count, default=20, metavar="N", help="the newest N (20)")

    watch = _command(commands, "watch", "the health loop: elect, catch up, switch over, until SIGTERM")
    watch.add_argument(
        "--interval", type=_seconds(0.1, 3600), default=10.0, metavar="SECONDS", help="between two looks (10)"
    )
    watch.add_argument("--metrics", metavar="H:P", help=METRICS_HELP)


def _command(commands: Any, name: str, what: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=what, description=what, epilog=EXIT_CODES)
    return parser


def _seconds(least: float, most: float) -> Callable[[str], float]:
    def seconds(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = -1.0
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds within {least:g} to {most:g}")
        return value

    return seconds


def _hold(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > MAX_HOLD_S:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of seconds within 0 to {MAX_HOLD_S}")
    return int(text)


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1")
    return int(text)
