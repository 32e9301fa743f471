"""Real servers that tests start: each on free ports of 127.0.0.1, gone when the block or the test run ends."""

import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # servers run without it, too
    import pytest

START_SECONDS = 45.0


@dataclass(frozen=True)
class S3Server:
    """An object store with one bucket.

    Attributes:
        endpoint: its whole URL.
        ca: certificate file to trust, if it speaks TLS.
        start: returns when it answers; after `kill` it has the same endpoint and the same data.
        kill: ends it at once, as a crash would.
    """

    endpoint: str
    bucket: str
    access_key: str
    secret: str
    start: Callable[[], None]
    kill: Callable[[], None]
    ca: Path | None = None

    @property
    def environ(self) -> dict[str, str]:
        """The variables that make lolhl use it, and nothing else of this machine."""
        trusted = {"AWS_CA_BUNDLE": str(self.ca)} if self.ca else {}
        return trusted | {
            "LOLHL_S3_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "NO_PROXY": "127.0.0.1",
        }


def set_environ(patch: "pytest.MonkeyPatch", environ: Mapping[str, str]) -> None:
    """Makes this process use a server, by the variables that say where it is."""
    for name, value in environ.items():
        patch.setenv(name, value)


def free_ports(count: int) -> list[int]:
    """Ports that nothing listens on, below those that the system gives to outgoing connections."""
    ports: set[int] = set()
    while len(ports) < count:
        port = random.randint(10_000, 32_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            ports.add(port)
    return sorted(ports)


class Process:
    """A server's process and its children, which die with this one."""

    def __init__(self, command: list[str], log: Path, ready: Callable[[], bool], **environ: str) -> None:
        self.command, self.log, self.ready, self.environ = command, log, ready, environ
        self.running: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Returns when the server answers; it ends with the thread that calls this.

        Raises:
            RuntimeError: it does not answer; with its log.
        """
        with self.log.open("ab") as log:
            self.running = subprocess.Popen(
                # SIGTERM, so that a server with children of its own can end them.
                ["setpriv", "--pdeathsig", "TERM", *self.command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=os.environ | self.environ,
                start_new_session=True,
            )
        until = time.monotonic() + START_SECONDS
        while self.running.poll() is None and time.monotonic() < until:
            if self.ready():
                return
            time.sleep(0.05)
        self.kill()
        raise RuntimeError(f"{self.command[0]} did not start:\n{self.log.read_text(errors='replace')[-3000:]}")

    def kill(self) -> None:
        if self.running:
            with suppress(ProcessLookupError):
                os.killpg(self.running.pid, signal.SIGKILL)
            self.running.wait()


@contextmanager
def started(make: Callable[[], S3Server], attempts: int = 2) -> Iterator[S3Server]:
    """The server, running; another is made when somebody took its ports before it did."""
    for attempt in range(1, attempts + 1):
        server = make()
        try:
            server.start()
            break
        except RuntimeError:
            if attempt == attempts:
                raise
    try:
        yield server
    finally:
        server.kill()


def answers(server: S3Server) -> bool:
    """Whether the server lists its bucket."""
    import boto3.session
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    client = boto3.session.Session().client(
        "s3",
        endpoint_url=server.endpoint,
        region_name="auto",
        aws_access_key_id=server.access_key,
        aws_secret_access_key=server.secret,
        verify=str(server.ca) if server.ca else None,
        config=Config(
            s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}, connect_timeout=2, read_timeout=5
        ),
    )
    try:
        client.list_objects_v2(Bucket=server.bucket, MaxKeys=1)
    except (BotoCoreError, ClientError):
        return False
    return True


def serve(server: S3Server) -> None:
    """Prints the lines that a shell needs to use the server, and waits to be ended."""
    signal.signal(signal.SIGTERM, lambda *_: exit())
    for name, value in server.environ.items():
        print(f"export {name}={value}")
    print(f"export ROOT=s3://{server.bucket}/demo", flush=True)
    with suppress(KeyboardInterrupt):
        signal.pause()
