"""Kubernetes for tests: a cluster of one node, from Debian's packages alone, over the Docker engine.

etcd, API server, controllers, scheduler, kubelet and kube-proxy are Kubernetes 1.20.2's own, built once from Debian's
source package into a cache. Pods are on Docker's bridge. Stand-ins: dnsmasq for the cluster's DNS, and
`tests.engines.volcano` for Volcano. Nothing enforces network policies.

By hand, as root: `python -m tests.engines.kubernetes FOLDER` prints KUBECONFIG and runs until it is ended.
"""

import os
import re
import shlex
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
import trustme
import yaml
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from kubernetes import client

from tests.engines import docker
from tests.servers import Process, free_ports

PACKAGES = ("etcd-server", "dnsmasq-base")  # of Debian, to run it
BUILD_PACKAGES = (
    "dpkg-dev", "golang-1.19-go", "golang-1.19-src", "golang-github-modern-go-reflect2-dev", "jq", "make", "rsync",
)  # fmt: skip
PAUSE = f"{docker.IMAGES}/pause:{docker.TAG}"

_HERE = Path(__file__).parent
_BUILD_SECONDS = 60 * float(os.environ.get("LOLHL_BUILD_MINUTES", "20"))
_SERVICES = "10.96.0.0/24"
_NODE = "node1"
_ADMIN = "admin-of-the-test-cluster"  # a token


@dataclass(frozen=True)
class Cluster:
    """A running cluster.

    Attributes:
        kubeconfig: for its administrator.
        address: of the node, and so of this machine for the pods.
        binaries: where kubectl is.
    """

    folder: Path
    kubeconfig: Path
    address: str
    binaries: Path

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """What kubectl prints.

        Raises:
            RuntimeError: it failed; with what it said.
        """
        done = subprocess.run(
            [self.binaries / "kubectl", "--kubeconfig", self.kubeconfig, *arguments],
            input=stdin, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"kubectl {' '.join(arguments)}: {done.stderr[-3000:]}")
        return done.stdout

    def api(self) -> client.ApiClient:
        """The administrator's client of the API."""
        from kubernetes import config

        return config.new_client_from_config(str(self.kubeconfig))

    def kubeconfig_of(self, namespace: str, account: str) -> Path:
        """A kubeconfig with an hour's token of a service account."""
        body = client.AuthenticationV1TokenRequest(spec=client.V1TokenRequestSpec(audiences=[]))
        answer = client.CoreV1Api(self.api()).create_namespaced_service_account_token(account, namespace, body)
        written = yaml.safe_load(self.kubeconfig.read_text())
        written["users"][0]["user"] = {"token": answer.status.token}
        written["contexts"][0]["context"]["namespace"] = namespace
        path = self.folder / f"{account}.yaml"
        path.write_text(yaml.safe_dump(written))
        return path


def missing() -> str | None:
    """Why no cluster can be started here; None when one can."""
    if reason := docker.missing():
        return reason
    absent = [name for name in ("etcd", "dnsmasq") if shutil.which(name) is None]
    return f"needs {', '.join(absent)}: apt-get install {' '.join(PACKAGES)}" if absent else None


def build(folder: Path = docker.CACHE / "kubernetes-1.20.2") -> Path:
    """Builds Kubernetes where that has not been done: 5 minutes and 3 GB on 2 cores, 400 MB stay.

    Skips the test where it cannot be built, or not in $LOLHL_BUILD_MINUTES (20).

    Returns:
        The folder with the programs.
    """
    binaries = folder / "bin"
    if (folder / ".ready").exists():
        return binaries
    if not Path("/usr/lib/go-1.19/bin/go").exists():
        pytest.skip(f"building Kubernetes needs: apt-get install {' '.join(BUILD_PACKAGES)}")
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "build.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            ["nice", _HERE / "kubernetes-build.sh", folder],
            stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
        )  # fmt: skip
        try:
            status = process.wait(_BUILD_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            pytest.skip(f"Kubernetes was not built in {_BUILD_SECONDS / 60:g} minutes; the next run goes on with it")
    if status:
        pytest.skip(f"Kubernetes could not be built: {log}: {log.read_text(errors='replace')[-300:]}")
    (folder / ".ready").touch()
    return binaries


@contextmanager
def cluster(folder: Path, binaries: Path) -> Iterator[Cluster]:
    """A new cluster with one node, over the running Docker engine (see `tests.engines.docker.engine`).

    Args:
        folder: where its data and its logs go.
        binaries: what `build` gave.

    Raises:
        RuntimeError: a part does not start; with its log.
    """
    if reason := missing():
        pytest.skip(reason)
    address = docker.gateway()
    ports = free_ports(9)
    etcd, peers, server, manager, scheduler, kubelet, kubelet_health, proxy, proxy_health = ports
    made = Cluster(folder, folder / "admin.yaml", address, binaries)
    _write_secrets(folder, address)
    _write_configuration(made, server, kubelet, kubelet_health)
    _pause(binaries)

    def healthy(port: int, path: str = "healthz", scheme: str = "https") -> Callable[[], bool]:
        host = address if port == proxy_health else "127.0.0.1"
        asked = Request(f"{scheme}://{host}:{port}/{path}", headers={"Authorization": f"Bearer {_ADMIN}"})
        trusting = ssl._create_unverified_context() if scheme == "https" else None  # noqa: S323 (they sign their own)

        def answers() -> bool:
            try:
                with urlopen(asked, timeout=2, context=trusting) as answer:
                    return int(answer.status) == 200
            except OSError:
                return False

        return answers

    def listens() -> bool:
        """Whether dnsmasq answers: before that, the signal to read its names again would end it."""
        with suppress(OSError), socket.create_connection((address, 53), timeout=2):
            return True
        return False

    def run(name: str, ready: Callable[[], bool], *arguments: str) -> Process:
        own = binaries / name
        process = Process([str(own) if own.exists() else name, *arguments], folder / f"{name}.log", ready)
        process.start()
        parts.callback(_end, process)
        return process

    with ExitStack() as parts:
        run(
            "etcd", healthy(etcd, "health", "http"),
            f"--data-dir={folder}/etcd", "--unsafe-no-fsync",
            f"--listen-client-urls=http://127.0.0.1:{etcd}", f"--advertise-client-urls=http://127.0.0.1:{etcd}",
            f"--listen-peer-urls=http://127.0.0.1:{peers}", f"--initial-advertise-peer-urls=http://127.0.0.1:{peers}",
            f"--initial-cluster=default=http://127.0.0.1:{peers}",
        )  # fmt: skip
        run(
            "kube-apiserver", healthy(server, "readyz"),
            f"--etcd-servers=http://127.0.0.1:{etcd}",
            "--bind-address=127.0.0.1", f"--secure-port={server}", f"--advertise-address={address}",
            f"--tls-cert-file={folder}/server.crt", f"--tls-private-key-file={folder}/server.key",
            f"--token-auth-file={folder}/tokens.csv", "--authorization-mode=Node,RBAC",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-signing-key-file={folder}/accounts.key",
            f"--service-account-key-file={folder}/accounts.key",
            f"--service-cluster-ip-range={_SERVICES}", "--allow-privileged=true", "--endpoint-reconciler-type=none",
            "--kubelet-preferred-address-types=InternalIP",
        )  # fmt: skip
        common = [f"--kubeconfig={made.kubeconfig}", "--leader-elect=false", "--port=0", "--bind-address=127.0.0.1"]
        run(
            "kube-controller-manager", healthy(manager), *common,
            f"--secure-port={manager}", f"--cert-dir={folder}/manager", f"--root-ca-file={folder}/ca.crt",
            f"--service-account-private-key-file={folder}/accounts.key", "--use-service-account-credentials=true",
            "--controllers=*,-nodeipam,-route,-service,-cloud-node-lifecycle", "--resource-quota-sync-period=5s",
        )  # fmt: skip
        run(
            "kube-scheduler", healthy(scheduler), *common,
            f"--secure-port={scheduler}", f"--cert-dir={folder}/scheduler",
        )  # fmt: skip
        parts.callback(_remove_rules)
        parts.callback(_remove_pods, folder)
        run(
            "kubelet", healthy(kubelet_health, scheme="http"),
            f"--kubeconfig={made.kubeconfig}", f"--config={folder}/kubelet.yaml", f"--root-dir={folder}/kubelet",
            f"--cert-dir={folder}/kubelet-certificates", f"--node-ip={address}", f"--hostname-override={_NODE}",
            "--container-runtime=docker", f"--pod-infra-container-image={PAUSE}",
        )  # fmt: skip
        run(
            "kube-proxy", healthy(proxy_health, scheme="http"),
            f"--kubeconfig={made.kubeconfig}", f"--hostname-override={_NODE}", "--proxy-mode=iptables",
            "--masquerade-all", f"--cluster-cidr={ip_network(f'{address}/16', strict=False)}",
            f"--metrics-bind-address=127.0.0.1:{proxy}", f"--healthz-bind-address={address}:{proxy_health}",
            "--conntrack-max-per-core=0", "--conntrack-tcp-timeout-established=0s",
            "--conntrack-tcp-timeout-close-wait=0s",
        )  # fmt: skip
        names = folder / "names"
        names.touch()
        dns = run(
            "dnsmasq", listens,
            "--keep-in-foreground", f"--listen-address={address}", "--bind-interfaces", "--no-resolv", "--no-hosts",
            f"--addn-hosts={names}", "--local=/cluster.local/", "--user=root", "--pid-file=",
        )  # fmt: skip
        parts.enter_context(repeated(lambda: _publish(made, names, dns)))
        _wait_for_node(made)
        yield made


@contextmanager
def repeated(step: Callable[[], object], seconds: float = 0.3) -> Iterator[None]:
    """Calls `step` again and again in a thread, as controllers do; what the API refuses is tried again.

    Raises:
        RuntimeError: at the end, when the last call failed.
    """
    stop = threading.Event()
    refused: list[str] = []

    def loop() -> None:
        while not stop.wait(seconds):
            try:
                step()
                refused.clear()
            except Exception as error:  # a controller goes on
                refused[:] = [str(error)]

    thread = threading.Thread(target=loop, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
    if refused:
        raise RuntimeError(refused[0])


def _write_secrets(folder: Path, address: str) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.crt"))
    certificate = authority.issue_cert("127.0.0.1", address, "localhost", "kubernetes.default.svc")
    certificate.private_key_pem.write_to_path(str(folder / "server.key"))
    certificate.cert_chain_pems[0].write_to_path(str(folder / "server.crt"))
    key = generate_private_key(65537, 2048)
    (folder / "accounts.key").write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    )
    (folder / "tokens.csv").write_text(f'{_ADMIN},admin,1,"system:masters"\n')


def _write_configuration(made: Cluster, server: int, kubelet: int, kubelet_health: int) -> None:
    kubeconfig = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": "test",
                "cluster": {
                    "server": f"https://127.0.0.1:{server}",
                    "certificate-authority": str(made.folder / "ca.crt"),
                },
            }
        ],
        "users": [{"name": "test", "user": {"token": _ADMIN}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test", "namespace": "default"}}],
        "current-context": "test",
    }
    made.kubeconfig.write_text(yaml.safe_dump(kubeconfig))
    full = {"memory.available": "50Mi", "nodefs.available": "1%", "imagefs.available": "1%"}
    configuration = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": made.address,
        "port": kubelet,
        "healthzPort": kubelet_health,
        "cgroupDriver": docker.docker("info", "-f", "{{.CgroupDriver}}"),
        "failSwapOn": False,
        "oomScoreAdj": 0,  # a root without CAP_SYS_RESOURCE may not ask for less
        "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
        "authorization": {"mode": "AlwaysAllow"},
        "clusterDNS": [made.address],
        "clusterDomain": "cluster.local",
        "evictionHard": full,
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
    }
    (made.folder / "kubelet.yaml").write_text(yaml.safe_dump(configuration))


def _pause(binaries: Path) -> None:
    """The image of the container that holds each pod's network."""
    packed = subprocess.Popen(["tar", "-C", binaries, "-c", "pause"], stdout=subprocess.PIPE)
    command = ["docker", "import", "-c", 'ENTRYPOINT ["/pause"]', "-", PAUSE]
    subprocess.run(command, stdin=packed.stdout, check=True, stdout=subprocess.DEVNULL)
    packed.wait()


def _wait_for_node(made: Cluster) -> None:
    until = time.monotonic() + 90
    while time.monotonic() < until:
        with suppress(RuntimeError):
            accounts = made.kubectl("get", "serviceaccount", "default", "-o", "name")
            if accounts and re.search(r"\bReady\b", made.kubectl("get", "node", _NODE)):
                return
        time.sleep(0.2)
    raise RuntimeError(f"the node is not ready: {(made.folder / 'kubelet.log').read_text(errors='replace')[-2000:]}")


def _publish(made: Cluster, names: Path, dns: Process) -> None:
    """Writes the names of Services and of their pods for dnsmasq, as Kubernetes' own DNS answers them."""
    core = client.CoreV1Api(made.api())
    endpoints = {(e.metadata.namespace, e.metadata.name): e for e in core.list_endpoints_for_all_namespaces().items}
    lines: list[str] = []
    for service in core.list_service_for_all_namespaces().items:
        name, namespace = service.metadata.name, service.metadata.namespace
        full = f"{name}.{namespace}.svc.cluster.local"
        if service.spec.cluster_ip != "None":
            lines.append(f"{service.spec.cluster_ip} {full}")
            continue
        endpoint: Any = endpoints.get((namespace, name))
        for subset in (endpoint.subsets if endpoint else None) or []:
            for at in subset.addresses or []:
                lines += [f"{at.ip} {full}", *([f"{at.ip} {at.hostname}.{full}"] if at.hostname else [])]
    text = "\n".join(lines) + "\n"
    if text != names.read_text():
        names.write_text(text)
        if dns.running:
            dns.running.send_signal(signal.SIGHUP)


def _end(process: Process) -> None:
    """SIGTERM first: etcd and the kubelet then leave things in order."""
    if process.running:
        process.running.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.running.wait(10)
    process.kill()


def _remove_pods(folder: Path) -> None:
    """What the kubelet leaves: the pods' containers, and their volumes' mounts."""
    if left := docker.docker("ps", "-aq", "--filter", "label=io.kubernetes.pod.name").split():
        docker.docker("rm", "-f", *left)
    mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    for mount in sorted((m for m in mounts if m.startswith(f"{folder}/")), reverse=True):
        subprocess.run(["umount", mount], check=False)


def _remove_rules() -> None:
    """What the kubelet and kube-proxy leave in the packet filter."""
    for table in ("filter", "nat", "mangle"):
        filtered = ["iptables", "-w", "-t", table]
        rules = subprocess.run([*filtered, "-S"], capture_output=True, text=True, check=True).stdout.splitlines()
        for rule in rules:
            if " -j KUBE-" in rule and not rule.startswith("-A KUBE-"):
                subprocess.run([*filtered, "-D", *shlex.split(rule)[1:]], check=False)
        chains = [rule.split()[1] for rule in rules if rule.startswith("-N KUBE-")]
        for action in ("-F", "-X"):
            for chain in chains:
                subprocess.run([*filtered, action, chain], check=False)


def main() -> None:
    from tests.engines import volcano

    folder = Path(sys.argv[1]).absolute()
    folder.mkdir(parents=True)
    with docker.engine(), cluster(folder, build()) as made, volcano.volcano(made):
        print(f"export KUBECONFIG={made.kubeconfig} PATH={made.binaries}:$PATH", flush=True)
        with suppress(KeyboardInterrupt):
            signal.pause()


if __name__ == "__main__":
    main()
