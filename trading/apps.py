"""The REST frontend as a Django app."""

from django.apps import AppConfig
from django.conf import settings
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, reset_queries


class TradingConfig(AppConfig):
    """Names the app; importing it starts nothing. It has no models: the truth is in the backends."""

    name = "trading"
    label = "trading"
    verbose_name = "Trading"

    def ready(self) -> None:
        """Where nobody has an account, spare each request Django's look at the database: none uses it."""
        if not settings.AUTHENTICATION:
            request_started.disconnect(reset_queries)
            request_started.disconnect(close_old_connections)
            request_finished.disconnect(close_old_connections)
