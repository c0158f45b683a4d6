"""A client of the REST interface, as a user would write one."""

import threading
from collections.abc import Mapping
from typing import Any

import httpx

REQUEST_TIMEOUT_S = 12.0  # an order is answered within 8 s


class Rest:
    """Requests to one frontend; any number of threads, each with its own kept-alive connection.

    Attributes:
        headers: sent with every request; change them before the first.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self.headers: dict[str, str] = {}
        self._base = f"http://{address}"
        self._own = threading.local()
        self._lock = threading.Lock()
        self._clients: list[httpx.Client] = []  # guarded by _lock

    def request(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        """Send one request.

        Raises:
            httpx.TransportError: no answer.
        """
        client = getattr(self._own, "client", None)
        if client is None:
            client = httpx.Client(
                base_url=self._base,
                headers=self.headers,
                timeout=REQUEST_TIMEOUT_S,
                trust_env=False,
                verify=False,  # loading the usual certificates takes longer than fifty requests
            )
            self._own.client = client
            with self._lock:
                self._clients.append(client)
        response: httpx.Response = client.request(method, path, **arguments)
        return response

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> httpx.Response:
        """GET a path."""
        return self.request("GET", path, headers=headers)

    def place(self, name: str, order_type: str, quantity: Any, key: str | None = None) -> httpx.Response:
        """POST one order."""
        headers = {"Idempotency-Key": key} if key is not None else None
        return self.request(
            "POST", "/orders", json={"name": name, "type": order_type, "quantity": quantity}, headers=headers
        )

    def quantity(self, name: str) -> int:
        """Return a stock's quantity, read past the cache."""
        response = self.get(f"/stocks/{name}", headers={"Cache-Control": "no-cache"})
        assert response.status_code == 200, response.text
        quantity: int = response.json()["data"]["quantity"]
        return quantity

    def close(self) -> None:
        """Close the connections of all threads."""
        with self._lock:
            clients, self._clients = self._clients, []
        for client in clients:
            client.close()
        self._own = threading.local()
