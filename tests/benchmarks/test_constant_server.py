import socket
import struct
import threading

from benchmarks.constant_server import serve
from benchmarks.load_client import get_request, run_load
from benchmarks.processes import is_listening
from deploy.systems.ports import PortBlock
from deploy.systems.waiting import wait_until


def test_a_client_that_resets_its_connection_ends_nobody_elses():
    ports = PortBlock()
    address = ports.addresses[0]
    threading.Thread(target=serve, args=(address,), daemon=True).start()
    wait_until(lambda: is_listening(address), 10, "it listens")
    rude = socket.create_connection(("127.0.0.1", ports.ports[0]))
    rude.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    rude.sendall(get_request("/", "localhost"))
    rude.close()
    load = run_load(address, lambda: get_request("/", "localhost"), clients=2, seconds=0.1)
    assert load.latencies
    assert not load.errors
    ports.close()
