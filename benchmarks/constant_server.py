"""`python -m benchmarks.constant_server HOST:PORT`: answers whatever comes with one constant, to measure the client."""

import selectors
import socket
import sys
from contextlib import suppress

BODY = b'{"data":{"name":"HOT","price":123.45,"price_decimal":"123.45","quantity":1000000000000}}'
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(BODY), BODY)


def serve(address: str) -> None:
    """Serve until killed."""
    host, _, port = address.rpartition(":")
    listener = socket.create_server((host, int(port)), backlog=128)
    with selectors.DefaultSelector() as selector:
        selector.register(listener, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is listener:
                    selector.register(listener.accept()[0], selectors.EVENT_READ)
                elif isinstance(key.fileobj, socket.socket) and not _answered(key.fileobj):
                    selector.unregister(key.fileobj)
                    key.fileobj.close()


def _answered(connection: socket.socket) -> bool:
    """Answer what has come; False if the client has gone. One that still had a request under way resets."""
    with suppress(ConnectionError):
        if connection.recv(65_536):
            connection.sendall(ANSWER)
            return True
    return False


if __name__ == "__main__":
    serve(sys.argv[1])
