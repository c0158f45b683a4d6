#!/usr/bin/env python3
"""The frontend's commands: runserver, migrate, replicas, ..."""

if __name__ == "__main__":
    from common.process.start import start_clean

    start_clean()

import os
import sys

from django.core.management import execute_from_command_line
from django.db import DatabaseError

from common.process.config import ConfigError
from common.process.finish import run_program
from common.process.logs import configure_logs


def main() -> None:
    """Run the command of the command line.

    Raises:
        ConfigError: a setting or the database cannot be used.
    """
    os.environ["DJANGO_SETTINGS_MODULE"] = "frontend_site.settings"
    configure_logs("manage")
    try:
        execute_from_command_line(sys.argv)
    except DatabaseError as error:
        why = str(error).partition("\n")[0]  # of a driver, which names host and user, never the password
        raise ConfigError(f"Django's own database (DATABASE_URL) cannot be used: {why}") from error


if __name__ == "__main__":
    run_program("manage.py", main, ConfigError)
