"""The page as a Django app: its templates and static files are found through this."""

from django.apps import AppConfig


class DashboardConfig(AppConfig):
    """Names the app; importing it starts nothing. It has no models."""

    name = "trading.dashboard"
    label = "dashboard"
    verbose_name = "Dashboard"
