"""The classic workload of a trading system, on a system of its own: `python -m examples.workload`."""
