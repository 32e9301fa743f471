"""Docker for tests: an engine, a base image made of Debian's packages alone, and lolhl's images on it.

No registry of images is asked. By hand, as root: `python -m tests.engines.docker` builds the images and leaves
the engine running until it is ended.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
CACHE = Path(os.environ.get("LOLHL_ENGINES") or Path.home() / ".cache/lolhl-engines")
IMAGES = "lolhl-test"  # the part before the slash of the images' names
TAG = "local"
TARGETS = ("dataset", "extract", "infer", "train")
BASE = f"{IMAGES}/base:{TAG}"
WHEELS = f"{IMAGES}/wheels:{TAG}"
PACKAGES = ("docker.io", "iptables", "debootstrap", "iproute2")  # of Debian

_START_SECONDS = 60


def missing() -> str | None:
    """Why no engine can be started here; None when one can."""
    if os.geteuid() != 0:
        return "needs root"
    absent = [name for name in ("dockerd", "iptables", "debootstrap", "ip") if shutil.which(name) is None]
    return f"needs {', '.join(absent)}: apt-get install {' '.join(PACKAGES)}" if absent else None


@contextmanager
def engine(folder: Path = CACHE / "docker") -> Iterator[None]:
    """A Docker engine that this process's children talk to: the one that runs, else a new one.

    Args:
        folder: where a new engine keeps its images and its log.

    Raises:
        RuntimeError: it does not start; with the end of its log.
    """
    if reason := missing():
        pytest.skip(reason)
    if _answers():
        yield
        return
    folder.mkdir(parents=True, exist_ok=True)
    pid = folder / "dockerd.pid"
    pid.unlink(missing_ok=True)
    runc = Path(__file__).with_name("runc.sh")
    command = ["dockerd", "--data-root", str(folder / "data"), "--exec-root", str(folder / "exec")]
    command += [
        "--pidfile",
        str(pid),
        "--default-runtime",
        "ci",
        "--add-runtime",
        f"ci={runc}",
    ]
    with (folder / "dockerd.log").open("ab") as log:
        daemon = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
    try:
        until = time.monotonic() + _START_SECONDS
        while not _answers():
            if daemon.poll() is not None or time.monotonic() > until:
                end = (folder / "dockerd.log").read_text(errors="replace")[-2000:]
                raise RuntimeError(f"dockerd did not start:\n{end}")
            time.sleep(0.1)
        yield
    finally:
        daemon.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            daemon.wait(60)
        daemon.kill()


def build(targets: tuple[str, ...] = TARGETS) -> dict[str, str]:
    """Builds lolhl's images from the checkout, without CUDA. Needs `engine`.

    Returns:
        The image of each target.
    """
    _base()
    _wheels()
    names = {target: f"{IMAGES}/{target}:{TAG}" for target in targets}
    for target, name in names.items():
        arguments = ["--build-arg", f"BASE_IMAGE={BASE}", "--build-arg", f"WHEELS_IMAGE={WHEELS}"]
        docker("build", "-q", "-f", "images/Dockerfile", "--target", target, "-t", name, *arguments, ".")
    return names


def docker(*arguments: str) -> str:
    """What `docker …` prints.

    Raises:
        RuntimeError: it failed; with what it said.
    """
    done = subprocess.run(
        [_client(), *arguments],
        cwd=REPOSITORY, env=os.environ | {"DOCKER_BUILDKIT": "1"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"docker {' '.join(arguments)}: {done.stderr[-3000:]}")
    return done.stdout.strip()


def gateway() -> str:
    """The address of this machine that containers of every network reach."""
    output = subprocess.run(["ip", "-json", "-4", "address", "show", "docker0"], capture_output=True, check=True).stdout
    return str(json.loads(output)[0]["addr_info"][0]["local"])


def remove_containers(label: str) -> None:
    """Removes containers that ran, as schedulers leave them."""
    if left := docker("ps", "-aq", "--filter", f"label={label}").split():
        docker("rm", "-f", *left)


def _answers() -> bool:
    command = [_client(), "version"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _client() -> str:
    """The one that comes with Debian's engine: it builds with BuildKit and no plug-in."""
    return "/usr/bin/docker"


def _has(image: str) -> bool:
    return bool(docker("images", "-q", image))


def _base() -> None:
    """Debian with Python, and with this machine's ways to reach PyPI and Debian's packages."""
    if _has(BASE):
        return
    root = CACHE / "base"
    if not (root / ".ready").exists():
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir(parents=True)
        mirror = subprocess.run(
            ["apt-get", "indextargets", "--format", "$(REPO_URI)"], capture_output=True, text=True, check=True
        ).stdout.splitlines()[0]
        packages = "--include=ca-certificates,python3,python3-venv"
        subprocess.run(
            ["debootstrap", "--variant=minbase", packages, "bookworm", root, mirror],
            check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        (root / ".ready").touch()
    authorities = root / "usr/local/share/ca-certificates"
    for certificate in Path("/usr/local/share/ca-certificates").glob("*.crt"):
        shutil.copy(certificate, authorities)
    subprocess.run(["chroot", root, "update-ca-certificates"], check=True, capture_output=True)
    # pip brings a list of authorities of its own, which lacks those of this machine.
    (root / "etc/pip.conf").write_text("[global]\ncert = /etc/ssl/certs/ca-certificates.crt\n")
    _import(root, BASE)


def _wheels() -> None:
    """The folders that this machine's pip looks into for wheels: there may be a torch without CUDA."""
    if _has(WHEELS):
        return
    output = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True
    ).stdout
    folders = {
        Path(folder)
        for line in output.splitlines()
        if "find-links=" in line
        for folder in line.partition("=")[2].strip("'").split()
    }
    wanted = CACHE / "wheels"
    shutil.rmtree(wanted, ignore_errors=True)
    wanted.mkdir(parents=True)
    for folder in folders:
        for wheel in folder.glob("torch*.whl"):
            shutil.copy(wheel, wanted)
    _import(wanted, WHEELS)


def _import(folder: Path, image: str) -> None:
    packed = subprocess.Popen(["tar", "-C", folder, "-c", "."], stdout=subprocess.PIPE)
    subprocess.run([_client(), "import", "-", image], stdin=packed.stdout, check=True, stdout=subprocess.DEVNULL)


def main() -> None:
    with engine():
        for target, name in build().items():
            print(f"{target}: {name}, {docker('image', 'inspect', '-f', '{{.Size}}', name)} bytes", flush=True)
        with suppress(KeyboardInterrupt):
            signal.pause()


if __name__ == "__main__":
    main()
