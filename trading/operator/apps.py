"""The operator's tools as a Django app: it brings the command `replicas` and has no models."""

from django.apps import AppConfig


class OperatorConfig(AppConfig):
    """Names the app; importing it starts nothing."""

    name = "trading.operator"
    label = "operator"
    verbose_name = "Operator"
