"""The faults, by what they hit. Importing this registers all of them."""

from tests.chaos.faults import (
    catalog,
    catch_up,
    clients,
    damage,
    disk_full,
    follower,
    frontend,
    leader,
    links,
    loss,
    membership,
    power,
    promotion,
    sync,
)

__all__ = [
    "catalog",
    "catch_up",
    "clients",
    "damage",
    "disk_full",
    "follower",
    "frontend",
    "leader",
    "links",
    "loss",
    "membership",
    "power",
    "promotion",
    "sync",
]
