"""Slurm for tests: a real controller with accounting (MariaDB) and munge, and several nodes on this one machine."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.servers import free_ports

PACKAGES = ("slurm-wlm", "slurm-client", "munge", "slurmdbd", "slurm-wlm-mysql-plugin", "mariadb-server")  # of Debian

_PROGRAMS = ("munged", "mariadbd", "mariadb-install-db", "slurmdbd", "slurmctld", "slurmd", "sbatch", "sacct")
_START_SECONDS = 90
_NODE_MB = 4000  # what a node says that it has; Slurm does not enforce it here
_HOSTS = Path("/etc/hosts")


@dataclass(frozen=True)
class Cluster:
    """A running cluster whose nodes are n1, n2, …

    Attributes:
        folder: logs, state and settings.
        env: what its commands and jobs need in their environment; jobs find the programs of this Python first.
    """

    folder: Path
    env: Mapping[str, str]

    def call(self, *command: str) -> str:
        """What a command prints that talks to the cluster.

        Raises:
            RuntimeError: it failed; with what it said.
        """
        done = subprocess.run(command, env=self.env, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)}: {done.stderr[-2000:]}")
        return done.stdout.strip()

    def break_node(self, name: str) -> None:
        """The node and all that runs on it die at once, as when its power fails."""
        for pid in _processes(b"SLURMD_NODENAME=" + name.encode(), self.folder):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def missing() -> str | None:
    """Why no cluster can be started here; None when one can."""
    if os.geteuid() != 0:
        return "needs root"
    absent = [name for name in _PROGRAMS if shutil.which(name) is None]
    return f"needs {', '.join(absent)}: apt-get install {' '.join(PACKAGES)}" if absent else None


@contextmanager
def cluster(folder: Path, nodes: int) -> Iterator[Cluster]:
    """Starts a cluster from an empty state, and stops it with all its jobs.

    Args:
        folder: an empty one, for everything that the cluster writes.
        nodes: how many, with two CPUs each.

    Raises:
        RuntimeError: a daemon does not start; with the end of its log.
    """
    if reason := missing():
        pytest.skip(reason)
    names = [f"n{number}" for number in range(1, nodes + 1)]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    env = os.environ | {"SLURM_CONF": str(folder / "slurm.conf"), "PATH": path}
    running = Cluster(folder, env)
    with ExitStack() as stack:
        stack.enter_context(_resolvable(names))
        stack.callback(_kill_left, folder)
        _start_munge(stack, folder, env)
        accounting_port = _start_accounting(stack, folder, env)
        _write_settings(folder, names, accounting_port)
        _daemon(stack, folder, env, "slurmctld", "-D")
        for name in names:
            (folder / f"spool.{name}").mkdir()
            _daemon(stack, folder, env | {"SLURMD_NODENAME": name}, "slurmd", "-D", "-N", name, log=name)
        _until(lambda: _states(env) == {"idle"}, folder / "slurmctld.log")
        _until(lambda: "ci" in _output(env, "sacctmgr", "-nP", "show", "cluster"), folder / "slurmdbd.log")
        yield running


@contextmanager
def _resolvable(names: list[str]) -> Iterator[None]:
    """Nodes' names lead to this machine.

    TorchX gives the first node's name to torchrun as the host to meet at, and torchrun compares its address with
    that of the machine's own name.
    """
    before = _HOSTS.read_text()
    with suppress(OSError):
        address = socket.gethostbyname(socket.gethostname())
        _HOSTS.write_text(f"{before.rstrip()}\n{address} {' '.join(names)}\n")
    try:
        yield
    finally:
        _HOSTS.write_text(before)


def _start_munge(stack: ExitStack, folder: Path, env: Mapping[str, str]) -> None:
    """With a key and a socket of its own, beside one that may run on this machine."""
    place = folder / "munge"
    place.mkdir(mode=0o755)
    (place / "key").write_bytes(os.urandom(128))
    (place / "key").chmod(0o400)
    files = [f"--{name}={place / name}" for name in ("key-file", "pid-file", "log-file", "seed-file")]
    files[0] = f"--key-file={place / 'key'}"
    _daemon(stack, folder, env, "munged", "--foreground", "--force", f"--socket={place / 'socket'}", *files)
    _until((place / "socket").exists, folder / "munged.log")


def _start_accounting(stack: ExitStack, folder: Path, env: Mapping[str, str]) -> int:
    """MariaDB and slurmdbd: sacct, which TorchX asks for the state of jobs, works with these only. Returns the port."""
    data = folder / "mysql"
    data.mkdir()
    install = ["mariadb-install-db", "--no-defaults", "--user=root", f"--datadir={data}", "--skip-test-db"]
    subprocess.run(
        [*install, "--auth-root-authentication-method=normal"], check=True, stdout=subprocess.DEVNULL, env=env
    )
    [tcp, port], own = free_ports(2), data / "socket"
    _daemon(
        stack, folder, env, "mariadbd", "--no-defaults", "--user=root", f"--datadir={data}", f"--socket={own}",
        "--bind-address=127.0.0.1", f"--port={tcp}", "--innodb-lock-wait-timeout=900",
    )  # fmt: skip
    client = ["mariadb", "--no-defaults", f"--socket={own}"]
    _until(lambda: _runs(env, *client, "-e", "SELECT 1"), folder / "mariadbd.log")
    user = "slurm@127.0.0.1"
    made = f"CREATE DATABASE slurm; CREATE USER {user} IDENTIFIED BY 'slurm'; GRANT ALL ON slurm.* TO {user}"
    subprocess.run([*client, "-e", made], check=True, env=env)
    _write(
        folder / "slurmdbd.conf",
        AuthType="auth/munge",
        AuthInfo=f"socket={folder}/munge/socket",
        DbdHost="localhost",
        DbdAddr="127.0.0.1",
        DbdPort=str(port),
        SlurmUser="root",
        PidFile=f"{folder}/slurmdbd.pid",
        StorageType="accounting_storage/mysql",
        StorageHost="127.0.0.1",
        StoragePort=str(tcp),
        StorageUser="slurm",
        StoragePass="slurm",
        StorageLoc="slurm",
    )
    (folder / "slurmdbd.conf").chmod(0o600)
    _daemon(stack, folder, env, "slurmdbd", "-D")
    # slurmctld ends at once when it cannot reach slurmdbd the first time.
    _until(lambda: _listens(port), folder / "slurmdbd.log")
    return port


def _write_settings(folder: Path, names: list[str], accounting_port: int) -> None:
    controller, *ports = free_ports(1 + len(names))
    host = socket.gethostname().partition(".")[0]
    _write(
        folder / "slurm.conf",
        ClusterName="ci",
        SlurmctldHost=f"{host}(127.0.0.1)",
        SlurmctldPort=str(controller),
        SlurmUser="root",
        SlurmdUser="root",
        AuthType="auth/munge",
        AuthInfo=f"socket={folder}/munge/socket",
        CredType="cred/munge",
        StateSaveLocation=f"{folder}/state",
        SlurmdSpoolDir=f"{folder}/spool.%n",
        SlurmctldPidFile=f"{folder}/slurmctld.pid",
        SlurmdPidFile=f"{folder}/slurmd.%n.pid",
        ProctrackType="proctrack/linuxproc",
        TaskPlugin="task/none",
        JobAcctGatherType="jobacct_gather/linux",
        SelectType="select/cons_tres",
        SelectTypeParameters="CR_CPU_Memory",
        SchedulerParameters="bf_interval=1,sched_min_interval=0",
        MpiDefault="none",
        SwitchType="switch/none",
        ReturnToService="2",
        SlurmdTimeout="10",  # so long until a node that does not answer is down, and its jobs are queued again
        KillWait="30",  # from SIGTERM to SIGKILL; Slurm's default
        SlurmdParameters="config_overrides",  # nodes have the CPUs that are said here
        AccountingStorageType="accounting_storage/slurmdbd",
        AccountingStorageHost="127.0.0.1",
        AccountingStoragePort=str(accounting_port),
        AccountingStoragePass=f"{folder}/munge/socket",
    )
    with (folder / "slurm.conf").open("a") as file:
        for name, port in zip(names, ports, strict=True):
            where = f"NodeHostname={host} NodeAddr=127.0.0.1 Port={port}"
            file.write(f"NodeName={name} {where} CPUs=2 RealMemory={_NODE_MB} State=UNKNOWN\n")
        file.write("PartitionName=ci Nodes=ALL Default=YES MaxTime=INFINITE State=UP\n")


def _write(file: Path, **settings: str) -> None:
    file.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))


def _daemon(stack: ExitStack, folder: Path, env: Mapping[str, str], *command: str, log: str = "") -> None:
    """Starts a program in the foreground of a process that ends with the stack."""
    with (folder / f"{log or command[0]}.log").open("ab") as out:
        process = subprocess.Popen(
            command, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
        )

    def stop() -> None:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(20)
        process.kill()
        process.wait()

    stack.callback(stop)


def _processes(variable: bytes, folder: Path) -> list[int]:
    """Of the cluster in this folder, those with the variable in their environment."""
    setting = f"SLURM_CONF={folder}/slurm.conf".encode()
    pids = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended
            if {setting, variable} <= set((process / "environ").read_bytes().split(b"\0")):
                pids.append(int(process.name))
    return pids


def _kill_left(folder: Path) -> None:
    """Jobs and their keepers, which outlive the daemons."""
    for pid in _processes(f"SLURM_CONF={folder}/slurm.conf".encode(), folder):
        if pid != os.getpid():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _until(done: Callable[[], bool], log: Path) -> None:
    until = time.monotonic() + _START_SECONDS
    while not done():
        if time.monotonic() > until:
            raise RuntimeError(f"{log.stem} did not start:\n{log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.1)


def _runs(env: Mapping[str, str], *command: str) -> bool:
    return subprocess.run(command, env=env, capture_output=True, check=False).returncode == 0


def _output(env: Mapping[str, str], *command: str) -> str:
    """What a command prints, or nothing while it cannot reach whom it asks."""
    try:
        return subprocess.run(command, env=env, capture_output=True, text=True, timeout=5, check=False).stdout
    except subprocess.TimeoutExpired:
        return ""


def _states(env: Mapping[str, str]) -> set[str]:
    return set(_output(env, "sinfo", "-h", "-N", "-o", "%T").split())


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
