"""The replica manager as a Django app: it brings the command `replicas` and has no models."""

from django.apps import AppConfig


class ReplicasConfig(AppConfig):
    """Names the app; importing it starts nothing."""

    name = "trading.replicas"
    label = "replicas"
    verbose_name = "Order replicas"
