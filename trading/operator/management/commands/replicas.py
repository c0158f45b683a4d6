"""`manage.py replicas`: the operator's command on the order replicas. It needs no database."""

import sys
from datetime import UTC, datetime
from typing import Any, TextIO

from django.core.management.base import BaseCommand, CommandError, CommandParser

from common.process.config import ConfigError
from common.process.logs import configure_logs
from common.process.metrics import show_metrics
from common.process.stop_signals import call_at_stop
from trading.operator import operating
from trading.operator.arguments import add_commands
from trading.operator.event_file import EventFile
from trading.operator.exits import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_OK, EXIT_USAGE, EXIT_WORK_LEFT, UsageError
from trading.operator.history import print_history, read_history
from trading.operator.resync_run import ResyncRun
from trading.operator.verify import run_verify
from trading.operator.watch import Watch
from trading.operator.watch_lock import WatchRuns, watching
from trading.operator.watch_metrics import WatchMetrics
from trading.process import cluster_config, network


class Command(BaseCommand):
    """The sub-commands. Results go to stdout, progress and logs to stderr."""

    help = "Show, watch and repair the order replicas."
    requires_system_checks: list[str] = []
    requires_migrations_checks = False

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the sub-commands; one is required."""
        add_commands(parser)

    def handle(self, *_args: Any, **options: Any) -> None:
        """Run a sub-command and leave with its exit code."""
        command = options["command"]
        configure_logs(f"replicas-{command}")
        try:
            code = getattr(self, f"_{command}")(options, _stream(options, "stdout"), _stream(options, "stderr"))
        except (ConfigError, UsageError) as error:
            raise CommandError(str(error), returncode=EXIT_USAGE) from error
        except WatchRuns as error:
            raise CommandError(str(error), returncode=EXIT_FAILED) from error
        except KeyboardInterrupt:
            code = EXIT_INTERRUPTED
        if code:
            sys.exit(code)

    def _status(self, options: dict[str, Any], out: TextIO, _err: TextIO) -> int:
        status = operating.StatusCommand(cluster_config(), network(), options["format"], out)
        if options["watch"] is not None:
            status.watch(options["watch"])
        return status.show()

    def _leader(self, _options: dict[str, Any], out: TextIO, err: TextIO) -> int:
        return operating.show_leader(cluster_config(), network(), out, err)

    def _wait(self, options: dict[str, Any], out: TextIO, err: TextIO) -> int:
        return operating.wait_for(cluster_config(), network(), options["aim"], options["timeout"], out, err)

    def _switchover(self, options: dict[str, Any], out: TextIO, err: TextIO) -> int:
        return operating.switch_leader(cluster_config(), network(), options["to"], options["hold"], out, err)

    def _resync(self, options: dict[str, Any], out: TextIO, err: TextIO) -> int:
        run = ResyncRun(cluster_config(), network(), out, err, dry_run=options["dry_run"])
        return run.run(options["ids"], all_of_them=options["all"])

    def _verify(self, _options: dict[str, Any], out: TextIO, err: TextIO) -> int:
        return run_verify(cluster_config(), network(), out, err)

    def _events(self, options: dict[str, Any], out: TextIO, err: TextIO) -> int:
        history = network().run(read_history(cluster_config()))
        print_history(history, options["format"], options["limit"], out, err)
        return EXIT_WORK_LEFT if history.missing else EXIT_OK

    def _watch(self, options: dict[str, Any], _out: TextIO, _err: TextIO) -> int:
        directory = cluster_config().health_dir
        with watching(directory, datetime.now(UTC)):
            metrics = WatchMetrics(cluster_config())
            show_metrics(options["metrics"], metrics.registry)
            keep = EventFile(directory).append
            watch = Watch(cluster_config(), network(), options["interval"], keep=keep, metrics=metrics)
            call_at_stop(lambda _signal: watch.stop())
            watch.run()
        return EXIT_OK


def _stream(options: dict[str, Any], name: str) -> TextIO:
    """Return the plain stream: Django's wrapper ends every write with a newline, which breaks a table in parts."""
    stream: TextIO = options.get(name) or getattr(sys, name)
    return stream
