"""The path of an order: gathered, sent to the leader, tried again under its key until its outcome is known."""
