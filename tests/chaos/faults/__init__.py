"""The faults, by what they hit. Importing this registers all of them."""

from tests.chaos.faults import damage, disk_full, leader, loss, power, sync

__all__ = ["damage", "disk_full", "leader", "loss", "power", "sync"]
