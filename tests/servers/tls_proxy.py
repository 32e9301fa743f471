"""A proxy that programs take for some hosts of the outer world: it ends their TLS and hands on to a local port.

So a program whose hosts are built in runs as it is against a server of our own. Other hosts are refused.
"""

import asyncio
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import trustme


@dataclass(frozen=True)
class TlsProxy:
    """`environ` makes a program use the proxy and trust its certificate."""

    environ: dict[str, str]


@contextmanager
def tls_proxy(folder: Path, hosts: dict[str, int]) -> Iterator[TlsProxy]:
    """Runs the proxy.

    Args:
        folder: for the certificate.
        hosts: host name → local port that answers for it, without TLS.
    """
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*hosts).configure_cert(context)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def serve() -> asyncio.Server:
        return await asyncio.start_server(lambda r, w: _tunnel(r, w, context, hosts), "127.0.0.1", 0)

    server = asyncio.run_coroutine_threadsafe(serve(), loop).result()
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    environ = {"HTTPS_PROXY": url, "NO_PROXY": "127.0.0.1"}
    try:
        yield TlsProxy(
            environ
            | {name.lower(): value for name, value in environ.items()}
            | {"SSL_CERT_FILE": str(folder / "ca.pem")}
        )
    finally:
        asyncio.run_coroutine_threadsafe(_stop(server), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _stop(server: asyncio.Server) -> None:
    server.close()
    tunnels = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for tunnel in tunnels:
        tunnel.cancel()
    await asyncio.gather(*tunnels, return_exceptions=True)


async def _tunnel(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, context: ssl.SSLContext, hosts: dict[str, int]
) -> None:
    with suppress(OSError, asyncio.IncompleteReadError):
        asked = (await reader.readuntil(b"\r\n\r\n")).decode().split()
        host = asked[1].rpartition(":")[0]
        if asked[0] != "CONNECT" or host not in hosts:
            writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
        else:
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            await writer.drain()
            await writer.start_tls(context)
            inner = await asyncio.open_connection("127.0.0.1", hosts[host])
            await asyncio.gather(_pipe(reader, inner[1]), _pipe(inner[0], writer))
    writer.close()


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()
