"""A checker of recorded histories: what clients were told against what the files hold (docs/PROTOCOL.md, 8).

`python -m tests.checker FILE` checks a saved history again.
"""
