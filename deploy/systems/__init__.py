"""Whole systems of their own, beside each other on one machine: for tests, benchmarks and examples."""
