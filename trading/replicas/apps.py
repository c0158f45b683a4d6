"""The replica manager as a Django app: it has no models, and its command is the operator's."""

from django.apps import AppConfig


class ReplicasConfig(AppConfig):
    """Names the app; importing it starts nothing."""

    name = "trading.replicas"
    label = "replicas"
    verbose_name = "Order replicas"
