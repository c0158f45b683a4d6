"""What operators do and see: the command `replicas`, the health loop as a process, and their endpoints."""
