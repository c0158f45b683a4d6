"""The same trade as a small Django + DRF + PostgreSQL application with two synchronous standbys, to compare with."""
