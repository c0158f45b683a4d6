"""`python -m benchmarks.constant_server HOST:PORT`: answers whatever comes with one constant, to measure the client."""

import selectors
import socket
import sys

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
                elif isinstance(key.fileobj, socket.socket) and key.fileobj.recv(65_536):
                    key.fileobj.sendall(ANSWER)
                elif isinstance(key.fileobj, socket.socket):
                    selector.unregister(key.fileobj)
                    key.fileobj.close()


if __name__ == "__main__":
    serve(sys.argv[1])
