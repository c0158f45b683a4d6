"""How much the system takes, by Locust (https://locust.io): many users who look stocks up and trade without a pause.

    make run            # in one terminal
    make capacity       # in another one; or Locust itself, with its page in the browser:
    .venv/bin/locust -f examples/locustfile.py --host http://127.0.0.1:8081

Locust counts as failures what no client should see: everything but a success and a refusal for want of shares.
"""

import random
import uuid

from locust import FastHttpUser, constant, task

TRADED = 1  # shares


class Trader(FastHttpUser):
    """One user: seven look-ups to three orders."""

    wait_time = constant(0)

    def on_start(self) -> None:
        """Learn the names of the stocks."""
        self.names = [stock["name"] for stock in self.client.get("/stocks?limit=500").json()["data"]]

    @task(7)
    def look_up(self) -> None:
        """Look a random stock up."""
        self.client.get(f"/stocks/{random.choice(self.names)}", name="/stocks/{name}")

    @task(3)
    def place(self) -> None:
        """Buy or sell one share."""
        body = {"name": random.choice(self.names), "type": random.choice(["buy", "sell"]), "quantity": TRADED}
        headers = {"Idempotency-Key": uuid.uuid4().hex}
        with self.client.post("/orders", json=body, headers=headers, catch_response=True) as answer:
            if answer.status_code == 409:
                answer.success()
