"""With which exit code a sub-command of `replicas` ends."""

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_WORK_LEFT = 3
EXIT_DOWN = 4
EXIT_INTERRUPTED = 130


class UsageError(Exception):
    """The command was given something that does not exist here; the message names it."""
