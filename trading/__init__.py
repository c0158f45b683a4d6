"""The REST frontend: api and its neighbours -> market -> replicas. Never imports `backends`.

The core, on which orders depend, is process.py, replicas/ and market/. All others are the shell, which imports the core
and is not imported by it: pyproject.toml has the rules.
"""
