"""Django's development server on the frontend's port."""

from django.contrib.staticfiles.management.commands.runserver import Command as StaticFilesCommand


class Command(StaticFilesCommand):
    """As Django's own, at 127.0.0.1:8081 unless told otherwise."""

    default_port = "8081"
