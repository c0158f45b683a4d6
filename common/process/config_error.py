"""What is raised for a setting that cannot be used; on its own, because the readers of settings import one another."""


class ConfigError(Exception):
    """A setting that cannot be used; the message names the variable and its value, for the operator."""
