"""GET /events: live updates. Sources -> one ring of events a process -> any number of streams that read it."""
