"""A server moved far away: a TCP proxy that adds a round trip to all that is said and limits no bandwidth.

What comes in is handed on half a round trip later, however much is on its way. A new connection costs
a whole round trip before its first byte leaves, as TCP's handshake does. There is no slow start, no
loss and no TLS.
"""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

_BLOCK = 1 << 18  # bytes
_BLOCKS = 1024  # on their way in one direction: more than any local connection fills within a round trip


@contextmanager
def distant(endpoint: str, round_trip: float) -> Iterator[str]:
    """The http:// endpoint's URL as seen from `round_trip` seconds away."""
    target = urlsplit(endpoint)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted = loop.time()
        with suppress(OSError):
            server = await asyncio.open_connection(target.hostname, target.port, limit=_BLOCK)
            for end in (writer, server[1]):
                end.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await asyncio.gather(
                _carry(reader, server[1], round_trip / 2, accepted + round_trip),
                _carry(server[0], writer, round_trip / 2, accepted),
            )
        writer.close()

    async def listen() -> asyncio.Server:
        return await asyncio.start_server(meet, "127.0.0.1", 0, limit=_BLOCK)

    server = asyncio.run_coroutine_threadsafe(listen(), loop).result()
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}{target.path}"
    finally:
        asyncio.run_coroutine_threadsafe(_stop(server), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay: float, begin: float) -> None:
    """Hands on what comes, `delay` seconds after it came; what came before `begin` counts as come then."""
    loop = asyncio.get_running_loop()
    on_the_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_BLOCKS)

    async def deliver() -> None:
        with suppress(OSError):
            while True:
                due, data = await on_the_way.get()
                await asyncio.sleep(due - loop.time())
                if not data:
                    break
                writer.write(data)
                await writer.drain()
        with suppress(OSError):
            writer.write_eof()

    delivery = asyncio.create_task(deliver())
    data = b"x"
    while data and not delivery.done():
        try:
            data = await reader.read(_BLOCK)
        except OSError:
            data = b""
        await on_the_way.put((max(loop.time(), begin) + delay, data))
    await delivery


async def _stop(server: asyncio.Server) -> None:
    server.close()
    carried = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in carried:
        task.cancel()
    await asyncio.gather(*carried, return_exceptions=True)
