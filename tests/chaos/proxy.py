"""The network between the processes: every gRPC connection goes through here, and each link can fail by itself.

A *link* is what one process (the source) has with another (the destination). gRPC makes its connections through the
HTTP proxy that the environment names, and tells that proxy where it wants to go. So a proxy for each source knows both
ends of every connection, while all processes know one another by their true addresses.
"""

import asyncio
import socket
import struct
import threading
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any

REQUESTS = "requests"  # what the source sends
REPLIES = "replies"  # what it is sent

CHUNK_BYTES = 65_536
CALL_TIMEOUT_S = 10.0


class Link:
    """One link and its faults. The methods take effect before they return, and add up until `heal`. Any thread."""

    def __init__(self, run: Callable[[Callable[[], None]], None]) -> None:
        """`run` calls a function in the thread of the event loop, which alone touches what follows."""
        self._run = run
        self._is_cut = False
        self._is_silent = False
        self._delay_s = {REQUESTS: 0.0, REPLIES: 0.0}
        self._lost: set[str] = set()
        self._open = {REQUESTS: asyncio.Event(), REPLIES: asyncio.Event()}
        for gate in self._open.values():
            gate.set()
        self._healed = asyncio.Event()
        self._connections: set[asyncio.StreamWriter] = set()
        self._broken: set[asyncio.StreamWriter] = set()  # that have lost bytes: of no more use

    def cut(self) -> None:
        """Reset the connections, and refuse new ones."""
        self._run(self._cut)

    def silence(self) -> None:
        """Lose everything in both directions, as a cable that is pulled: nobody is told."""
        self._run(self.fall_silent)

    def lose(self, direction: str) -> None:
        """Lose what goes in one direction. The connections are reset by `heal`."""
        self._run(lambda: self._lose({direction}, silent=False))

    def hold(self, direction: str) -> None:
        """Keep what goes in one direction; `heal` delivers it, late."""
        self._run(self._open[direction].clear)

    def delay(self, seconds: float) -> None:
        """Deliver replies later, by this time."""
        self._run(lambda: self._delay_s.update({REPLIES: seconds}))

    def heal(self) -> None:
        """End all faults of this link."""
        self._run(self._heal)

    # -- In the thread of the event loop ---------------------------------------------------------------------------

    def _cut(self) -> None:
        self._is_cut = True
        self.reset()

    def reset(self) -> None:
        """Reset the connections that there are."""
        for writer in self._connections:
            _reset(writer)

    def fall_silent(self) -> None:
        """As `silence`."""
        self._lose({REQUESTS, REPLIES}, silent=True)

    def _lose(self, directions: set[str], *, silent: bool) -> None:
        self._healed.clear()
        self._is_silent = self._is_silent or silent
        self._lost |= directions
        self._broken |= self._connections

    def _heal(self) -> None:
        self._is_cut = self._is_silent = False
        self._delay_s = {REQUESTS: 0.0, REPLIES: 0.0}
        self._lost.clear()
        for writer in self._broken:
            _reset(writer)
        self._broken.clear()
        self._healed.set()
        for gate in self._open.values():
            gate.set()

    async def carry(self, address: str, near: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> None:
        """Serve one connection of the source to its end."""
        reader, writer = near
        if self._is_silent:
            await self._healed.wait()
        if self._is_cut:
            _reset(writer)
            return
        host, _, port = address.rpartition(":")
        try:
            far_reader, far_writer = await asyncio.open_connection(host, int(port))
        except OSError:
            _reset(writer)
            return
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        pair = {writer, far_writer}
        self._connections |= pair
        if self._lost:
            self._broken |= pair
        try:
            await asyncio.gather(
                self._pump(REQUESTS, reader, far_writer, pair), self._pump(REPLIES, far_reader, writer, pair)
            )
        finally:
            self._connections -= pair
            self._broken -= pair

    async def _pump(
        self,
        direction: str,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        pair: set[asyncio.StreamWriter],
    ) -> None:
        """Carry one direction until an end closes or fails; then close both."""
        loop = asyncio.get_running_loop()
        waiting: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        delivering = asyncio.ensure_future(self._deliver(direction, waiting, writer))
        try:
            while data := await reader.read(CHUNK_BYTES):
                waiting.put_nowait((loop.time() + self._delay_s[direction], data))
            waiting.put_nowait((0.0, b""))
            await delivering
        except OSError:
            delivering.cancel()
        finally:
            for one in pair:
                one.close()

    async def _deliver(
        self, direction: str, waiting: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter
    ) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due, data = await waiting.get()
            if not data:
                return
            await asyncio.sleep(max(0.0, due - loop.time()))
            await self._open[direction].wait()
            if direction not in self._lost and not writer.is_closing():
                writer.write(data)


class Links:
    """All links. Any thread may use it."""

    def __init__(self, names: Mapping[str, str]) -> None:
        """`names` maps each address to the process behind it."""
        self._names = dict(names)
        # Touched by the event loop alone, as the servers:
        self._links: dict[tuple[str, str], Link] = {}
        self._misled: dict[str, str] = {}
        self._servers: list[asyncio.Server] = []
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name="links", daemon=True).start()

    def environment(self, source: str) -> dict[str, str]:
        """Return what a process has to be started with, so that its connections go through here."""
        return {"grpc_proxy": f"http://127.0.0.1:{self._call(self._listen(source))}", "GRPC_VERBOSITY": "NONE"}

    def between(self, source: str, destination: str) -> Link:
        """Return the link from a process to another, by their names; it need not have been used yet."""

        async def find() -> Link:
            return self._link(source, destination)

        return self._call(find())

    def silence(self, source: str, destinations: Iterable[str]) -> None:
        """Silence several links of one process, at the same moment for all that goes through here."""

        def silence() -> None:
            for destination in destinations:
                self._link(source, destination).fall_silent()

        self._run(silence)

    def mislead(self, address: str, other: str) -> None:
        """Let an address lead to the process at another one, as a host name that was given anew does."""

        def mislead() -> None:
            self._misled[address] = other
            self._reset_to(address)

        self._run(mislead)

    def heal(self) -> None:
        """End the faults of all links."""

        def lead_right() -> None:
            for address in self._misled:
                self._reset_to(address)
            self._misled.clear()

        self._run(lead_right)
        for link in list(self._links.values()):
            link.heal()

    def close(self) -> None:
        """Close everything. The processes that used it have ended."""
        self.heal()

        async def end() -> None:
            for server in self._servers:
                server.close()
            for link in self._links.values():
                link.reset()
            others = asyncio.all_tasks() - {asyncio.current_task()}
            if others:
                await asyncio.wait(others, timeout=CALL_TIMEOUT_S / 2)

        self._call(end())
        self._loop.call_soon_threadsafe(self._loop.stop)

    def _call(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(CALL_TIMEOUT_S)

    def _run(self, function: Callable[[], None]) -> None:
        async def call() -> None:
            function()

        self._call(call())

    def _reset_to(self, address: str) -> None:
        for (_source, destination), link in self._links.items():
            if destination == self._names.get(address, address):
                link.reset()

    def _link(self, source: str, destination: str) -> Link:
        key = (source, destination)
        if key not in self._links:
            self._links[key] = Link(self._run)
        return self._links[key]

    async def _listen(self, source: str) -> int:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                head = await reader.readuntil(b"\r\n\r\n")
                address = head.split()[1].decode()  # CONNECT host:port HTTP/1.1
                link = self._link(source, self._names.get(address, address))
                await link.carry(self._misled.get(address, address), (reader, writer))
            except (OSError, asyncio.IncompleteReadError):
                pass  # the source is gone: so is its connection
            finally:
                writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        self._servers.append(server)
        port: int = server.sockets[0].getsockname()[1]
        return port


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close a connection so that the other end sees a reset."""
    own: socket.socket = writer.get_extra_info("socket")
    if not writer.is_closing():
        own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
