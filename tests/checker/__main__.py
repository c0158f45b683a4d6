"""`python -m tests.checker FILE`: check a saved history again. Exit code 1 if it breaks a promise."""

import sys
from pathlib import Path

from tests.checker.check import find_violations
from tests.checker.saved import load_history
from tests.checker.violations import report

if len(sys.argv) != 2:
    sys.exit("usage: python -m tests.checker FILE")
history = load_history(Path(sys.argv[1]))
violations = find_violations(history)
print(f"{len(history.operations)} operations, {len(history.files)} files: {report(violations)}")
sys.exit(bool(violations))
