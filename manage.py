#!/usr/bin/env python3
"""The frontend's commands: runserver, migrate, replicas, ..."""

import os
import sys

from django.core.management import execute_from_command_line
from django.db import DatabaseError

from common.process.config import ConfigError
from common.process.logs import configure_logs


def main() -> None:
    """Run the command of the command line. A setting or a database that cannot be used ends it with one line and exit
    code 1."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "frontend_site.settings")
    try:
        configure_logs("manage")
        execute_from_command_line(sys.argv)
    except ConfigError as error:
        sys.exit(f"manage.py: {error}")
    except DatabaseError as error:
        why = str(error).partition("\n")[0]  # of a driver, which names host and user, never the password
        sys.exit(f"manage.py: Django's own database (DATABASE_URL) cannot be used: {why}")


if __name__ == "__main__":
    main()
