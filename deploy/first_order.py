"""`python deploy/first_order.py [URL]`: waits until orders can be placed, and places one. Needs no package.

Exit code 0 if it was filled; 1 and one line if it was not, or the system was not open in time.
"""

import json
import sys
import time
import urllib.error
import urllib.request

OPENS_WITHIN_S = 120.0
TIMEOUT_S = 10.0


def main() -> None:
    """Run the command line."""
    url = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8081"
    deadline = time.monotonic() + OPENS_WITHIN_S
    while not is_open(url):
        if time.monotonic() > deadline:
            sys.exit(f"{url} takes no orders, {OPENS_WITHIN_S:.0f} s after the start")
        time.sleep(0.2)
    try:
        order = b"name=AAPL&type=buy&quantity=1"
        with urllib.request.urlopen(f"{url}/orders", data=order, timeout=TIMEOUT_S) as answer:
            placed = json.load(answer)["data"]
    except OSError as error:
        sys.exit(f"{url}: the order failed: {error}")
    print(f"order {placed['number']}: {placed['status']}")  # noqa: T201


def is_open(url: str) -> bool:
    """Whether orders could be placed now."""
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=TIMEOUT_S):
            return True
    except (urllib.error.URLError, OSError):
        return False


if __name__ == "__main__":
    main()
