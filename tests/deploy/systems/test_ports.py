import socket

from deploy.systems.ports import BLOCK_SIZE, PortBlock, is_free


def test_blocks_that_are_held_share_no_port():
    blocks = [PortBlock() for _ in range(20)]
    assert len({port for block in blocks for port in block.ports}) == 20 * BLOCK_SIZE
    for block in blocks:
        block.close()


def test_a_port_that_somebody_listens_on_is_not_free():
    block = PortBlock()
    port = block.ports[0]
    assert is_free(port)
    with socket.create_server(("127.0.0.1", port)):
        assert not is_free(port)
    block.close()
