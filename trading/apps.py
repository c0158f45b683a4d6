"""The REST frontend as a Django app."""

from django.apps import AppConfig


class TradingConfig(AppConfig):
    """Names the app; importing it starts nothing. It has no models: the truth is in the backends."""

    name = "trading"
    label = "trading"
    verbose_name = "Trading"
