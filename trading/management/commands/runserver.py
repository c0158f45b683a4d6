"""Django's development server on the frontend's port."""

from django.contrib.staticfiles.management.commands.runserver import Command as StaticFilesCommand

from trading.operator.loop_notice import loop_notice


class Command(StaticFilesCommand):
    """As Django's own, at 127.0.0.1:8081 unless told otherwise."""

    default_port = "8081"

    def on_bind(self, server_port: int | str) -> None:
        """Say where it listens, and begin what deploy/frontend.py begins in a process that serves."""
        super().on_bind(server_port)
        loop_notice().start()
