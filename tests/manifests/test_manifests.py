"""The manifests as kubectl renders them: valid for current Kubernetes, unprivileged, and fitting the jobs."""

import re
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

import lolhl
from tests.manifests.rendered import OVERLAYS, Object, copied, kustomize, pods, write_values

TESTS = Path(__file__).parents[1]
JOBS = {path.stem: yaml.safe_load(path.read_text()) for path in (TESTS / "components/golden").glob("*.yaml")}
CRDS = list(yaml.safe_load_all((TESTS / "engines/volcano/crd.yaml").read_text()))
SECRETS = {
    "storage": {"AWS_ACCESS_KEY_ID": "hidden-key-id", "AWS_SECRET_ACCESS_KEY": "hidden-key"},
    "database": {"POSTGRES_PASSWORD": "hidden-password"},
}
RENDERED = pytest.mark.parametrize("rendered", OVERLAYS, indirect=True)


@pytest.fixture(scope="module")
def rendered(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[Object]:
    overlay = copied(tmp_path_factory.mktemp("manifests")) / "overlays" / request.param
    write_values(overlay, SECRETS)
    return kustomize(overlay)


def named(objects: list[Object], kind: str, namespace: str = "lolhl") -> dict[str, Object]:
    """Those of a kind in a namespace, or in none."""
    return {
        thing["metadata"]["name"]: thing
        for thing in objects
        if thing["kind"] == kind and thing["metadata"].get("namespace", namespace) == namespace
    }


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_nothing_can_be_applied_before_values_are_given(overlay: str, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"values/settings\.env"):
        kustomize(copied(tmp_path) / "overlays" / overlay)


@RENDERED
@pytest.mark.parametrize("version", ["1.28", "1.37"])
def test_current_kubernetes_accepts_every_object(rendered: list[Object], version: str) -> None:
    """Strictly: an unknown field is an error."""
    objects = [thing for thing in rendered if "volcano" not in thing["apiVersion"]]
    for thing in objects:
        kubernetes_validate.validate(thing, version, strict=True)
    assert {"Namespace", "Role", "Secret", "StatefulSet", "Deployment", "CronJob", "NetworkPolicy"} <= {
        thing["kind"] for thing in objects
    }


def strict(schema: Any) -> Any:
    """The schema with unknown fields refused, but where it leaves them open."""
    if isinstance(schema, list):
        return [strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {name: strict(part) for name, part in schema.items()}
    if isinstance(schema.get("properties"), dict):
        closed.setdefault("additionalProperties", False)
    return closed


@RENDERED
def test_volcano_s_kinds_fit_their_definition(rendered: list[Object]) -> None:
    schemas = {
        (f"{crd['spec']['group']}/{version['name']}", crd["spec"]["names"]["kind"]): strict(
            version["schema"]["openAPIV3Schema"]
        )
        for crd in CRDS
        for version in crd["spec"]["versions"]
    }
    queues = [thing for thing in rendered if thing["kind"] == "Queue"]
    for thing in (*queues, *JOBS.values()):
        jsonschema.validate(thing, schemas[thing["apiVersion"], thing["kind"]])
    assert len(queues) == 1
    assert all("namespace" not in queue["metadata"] for queue in queues)


def privileges(pod: Object) -> list[str]:
    """What the Pod Security Standard "restricted" has against a pod, and what we ask for besides."""
    spec, complaints = pod["spec"], []
    own = spec["securityContext"]
    if not (own["runAsNonRoot"] and own["runAsUser"] and own["seccompProfile"] == {"type": "RuntimeDefault"}):
        complaints.append("user or system calls")
    if spec.keys() & {"hostNetwork", "hostPID", "hostIPC"} or any("hostPath" in v for v in spec["volumes"]):
        complaints.append("the host's own")
    if spec["automountServiceAccountToken"] is not False or spec["enableServiceLinks"] is not False:
        complaints.append("a token or links")
    for container in spec["containers"]:
        if container["securityContext"] != {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }:
            complaints.append(f"{container['name']}: privileges")
        if not {"cpu", "memory"} <= (container["resources"]["requests"].keys() & container["resources"]["limits"]):
            complaints.append(f"{container['name']}: resources")
    return complaints


@RENDERED
def test_pods_have_no_privileges(rendered: list[Object]) -> None:
    made = pods(rendered) | {
        f"{name}-{task['name']}": task["template"] for name, job in JOBS.items() for task in job["spec"]["tasks"]
    }
    assert len(made) > len(JOBS) + 3
    assert {name: complaints for name, pod in made.items() if (complaints := privileges(pod))} == {}
    namespaces = named(rendered, "Namespace")
    assert namespaces.keys() == {"lolhl", "lolhl-mlflow"}
    for namespace in namespaces.values():
        assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
        assert named(rendered, "ResourceQuota", namespace["metadata"]["name"])


@RENDERED
def test_servers_say_when_they_are_ready(rendered: list[Object]) -> None:
    for server in ("lolhl-mlflow", "lolhl-database"):
        (container,) = pods(rendered)[server]["spec"]["containers"]
        assert {"startupProbe", "readinessProbe", "livenessProbe"} <= container.keys()


@RENDERED
def test_credentials_are_in_secrets_only(rendered: list[Object]) -> None:
    values = {value for secret in SECRETS.values() for value in secret.values()}
    for thing in rendered:
        text = yaml.safe_dump(thing)
        assert thing["kind"] == "Secret" or not any(value in text for value in values)
        assert not any(value in yaml.safe_dump(thing.get("data")) for value in values)  # base64 there
    # Who may start jobs can mount what is here:
    assert named(rendered, "Secret").keys() == {"lolhl-storage"}
    assert named(rendered, "Secret", "lolhl-mlflow").keys() == {"lolhl-storage", "lolhl-database"}


@RENDERED
def test_stages_may_do_nothing_and_the_launcher_little(rendered: list[Object]) -> None:
    bound = {
        subject["name"]: (binding["roleRef"]["name"], binding["metadata"].get("namespace"))
        for binding in rendered
        if binding["kind"] in ("RoleBinding", "ClusterRoleBinding")
        for subject in binding["subjects"]
    }
    assert bound == {"lolhl-launcher": ("lolhl-launcher", "lolhl")}
    rules = named(rendered, "Role")["lolhl-launcher"]["rules"]
    may = {(resource, verb) for rule in rules for resource in rule["resources"] for verb in rule["verbs"]}
    assert {("jobs", verb) for verb in ("create", "get", "list", "delete")} <= may
    assert not {resource for resource, _ in may} & {"secrets", "configmaps", "pods/exec", "*"}
    assert {(resource, verb) for resource, verb in may if resource.startswith("pods")} == {
        ("pods", "get"),
        ("pods", "list"),
        ("pods/log", "get"),
    }
    accounts = {name: pod["spec"]["serviceAccountName"] for name, pod in pods(rendered).items()}
    assert accounts == {
        "lolhl-retrain": "lolhl-stage",
        "lolhl-mlflow": "lolhl-mlflow",
        "lolhl-database": "lolhl-mlflow",
    }


@RENDERED
def test_jobs_find_what_they_name(rendered: list[Object]) -> None:
    """A job of TorchX names a queue, a service account, a ConfigMap and Secrets."""
    assert JOBS
    for job in JOBS.values():
        assert job["spec"]["queue"] in named(rendered, "Queue")
        for task in job["spec"]["tasks"]:
            spec = task["template"]["spec"]
            assert spec["serviceAccountName"] in named(rendered, "ServiceAccount")
            for source in spec["containers"][0]["envFrom"]:
                ((kind, reference),) = source.items()
                known = named(rendered, "ConfigMap" if kind == "configMapRef" else "Secret")
                assert reference["name"] in known or reference.get("optional")
    retrain = pods(rendered)["lolhl-retrain"]["spec"]["containers"][0]
    assert retrain["envFrom"] == [
        {"configMapRef": {"name": "lolhl-settings"}},
        {"secretRef": {"name": "lolhl-storage"}},
        {"secretRef": {"name": "lolhl-mlflow", "optional": True}},
    ]


@RENDERED
def test_images_are_of_this_version(rendered: list[Object]) -> None:
    images = {container["image"] for pod in pods(rendered).values() for container in pod["spec"]["containers"]}
    assert len(images) == 3
    for image in images:
        assert image.endswith(f":{lolhl.__version__}") or re.fullmatch(r"postgres:\d+\.\d+-bookworm", image)


def selects(policy: Object, labels: dict[str, str]) -> bool:
    selector = policy["spec"]["podSelector"]
    return all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items()) and all(
        (labels.get(rule["key"]) in rule["values"]) == (rule["operator"] == "In")
        for rule in selector.get("matchExpressions", [])
    )


@RENDERED
def test_who_may_talk_to_whom(rendered: list[Object]) -> None:
    """The policies that bear on each kind of pod, TorchX's included."""
    policies = named(rendered, "NetworkPolicy")
    labels = {"retrain": pods(rendered)["lolhl-retrain"]["metadata"]["labels"]}
    labels |= {name: job["spec"]["tasks"][0]["template"]["metadata"]["labels"] for name, job in JOBS.items()}
    for name, own in labels.items():
        stage = name.split("-")[0]
        expected = {"lolhl-nothing", "lolhl-dns", "lolhl-internet"}
        expected |= {"lolhl-registry"} if stage in ("train", "analyse", "retrain", "rollback") else set()
        expected |= {"lolhl-ranks"} if stage == "train" else set()
        assert {policy for policy, what in policies.items() if selects(what, own)} == expected, name

    servers = named(rendered, "NetworkPolicy", "lolhl-mlflow")
    for name, expected in {
        "lolhl-mlflow": {"lolhl-nothing", "lolhl-dns", "lolhl-internet", "lolhl-mlflow"},
        "lolhl-database": {"lolhl-nothing", "lolhl-dns", "lolhl-database"},
    }.items():
        own = pods(rendered)[name]["metadata"]["labels"]
        assert {policy for policy, what in servers.items() if selects(what, own)} == expected, name
    (peer,) = servers["lolhl-mlflow"]["spec"]["ingress"][0]["from"]
    (way,) = policies["lolhl-registry"]["spec"]["egress"][0]["to"]
    assert peer["podSelector"] == policies["lolhl-registry"]["spec"]["podSelector"]
    assert peer["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "lolhl"}
    assert way["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "lolhl-mlflow"}

    for both in (policies, servers):
        nothing = both["lolhl-nothing"]["spec"]
        assert nothing.keys() == {"podSelector", "policyTypes"}
        assert nothing["policyTypes"] == ["Ingress", "Egress"]
        for policy in both.values():
            assert all(rule.get("to") for rule in policy["spec"].get("egress", [])), policy["metadata"]["name"]
        (names,) = both["lolhl-dns"]["spec"]["egress"]
        assert names["to"] == [
            {
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
                "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
            }
        ]
        metadata = ip_address("169.254.169.254")
        for rule in both["lolhl-internet"]["spec"]["egress"]:
            blocks = [peer["ipBlock"] for peer in rule["to"] if ":" not in peer["ipBlock"]["cidr"]]
            assert blocks
            for block in blocks:
                assert any(metadata in ip_network(network) for network in block["except"])


@RENDERED
def test_the_settings_name_mlflow_by_a_name_that_it_takes(rendered: list[Object]) -> None:
    uri = named(rendered, "ConfigMap")["lolhl-settings"]["data"]["MLFLOW_TRACKING_URI"]
    (container,) = pods(rendered)["lolhl-mlflow"]["spec"]["containers"]
    (hosts,) = [pair["value"] for pair in container["env"] if pair["name"] == "MLFLOW_SERVER_ALLOWED_HOSTS"]
    assert uri.removeprefix("http://") in hosts.split(",")
    service, _, namespace = uri.removeprefix("http://").partition(":")[0].partition(".")
    assert service in named(rendered, "Service", namespace)
