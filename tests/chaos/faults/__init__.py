"""The faults, by what they hit. Importing this registers all of them."""

from tests.chaos.faults import leader

__all__ = ["leader"]
