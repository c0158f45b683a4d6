"""`manage.py replicas`: the operator's command on the order replicas. It needs no database."""

import signal
import sys
from typing import Any, TextIO

from django.core.management.base import BaseCommand, CommandError, CommandParser

from common.config import ConfigError
from common.logs import configure_logs
from trading.clients.network import cluster_config, network
from trading.replicas import operating
from trading.replicas.watch import Watch


class Command(BaseCommand):
    """Exit codes: 0 ok, 1 failed, 2 usage, 3 degraded or work left, 4 no leader or no catalog, 130 interrupted."""

    help = "Show, watch and repair the order replicas."
    requires_system_checks: list[str] = []
    requires_migrations_checks = False

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the sub-commands; one is required."""
        commands = parser.add_subparsers(dest="command", required=True, metavar="status | resync | watch")
        status = commands.add_parser("status", help="one row a replica; exit code 0 all in sync, 3 degraded, 4 down")
        status.add_argument("--format", choices=("table", "json"), default="table")
        resync = commands.add_parser("resync", help="bring followers up to date now: those named, or all out of sync")
        which = resync.add_mutually_exclusive_group()
        which.add_argument("ids", nargs="*", type=int, default=[], metavar="ID", help="replica ids")
        which.add_argument("--all", action="store_true", help="every follower, also those in sync")
        watch = commands.add_parser("watch", help="the health loop: elect, catch up, switch over, until SIGTERM")
        watch.add_argument("--interval", type=_seconds, default=10.0, metavar="SECONDS")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Run a sub-command and leave with its exit code."""
        command = options["command"]
        configure_logs(f"replicas-{command}")
        try:
            code = getattr(self, f"_{command}")(options)
        except (ConfigError, operating.UsageError) as error:
            raise CommandError(str(error), returncode=operating.EXIT_USAGE) from error
        except KeyboardInterrupt:
            code = operating.EXIT_INTERRUPTED
        if code:
            sys.exit(code)

    def _status(self, options: dict[str, Any]) -> int:
        as_json = options["format"] == "json"
        return operating.show_status(cluster_config(), network(), as_json=as_json, out=_stream(options, "stdout"))

    def _resync(self, options: dict[str, Any]) -> int:
        out, err = _stream(options, "stdout"), _stream(options, "stderr")
        run = operating.ResyncRun(cluster_config(), network(), out, err)
        return run.run(options["ids"], all_of_them=options["all"])

    def _watch(self, options: dict[str, Any]) -> int:
        watch = Watch(cluster_config(), network(), options["interval"])
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: watch.stop())
        watch.run()
        return operating.EXIT_OK


def _stream(options: dict[str, Any], name: str) -> TextIO:
    """Return the plain stream: Django's wrapper ends every write with a newline, which breaks a table in parts."""
    stream: TextIO = options.get(name) or getattr(sys, name)
    return stream


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0.1 <= seconds <= 3600:
        raise ValueError(text)
    return seconds
