"""The REST frontend: views -> services -> clients, and the replica manager. Never imports `backends`."""
