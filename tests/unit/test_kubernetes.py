"""The manifests in deploy/kubernetes, and the image: Kubernetes accepts them, and they fit the code and the pages."""

import re
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from ocrqueue.settings import shutdown_seconds
from ocrqueue.stack.stack import STOP_MARGIN, read_procfile
from tests.support.documentation import table_rows
from tests.unit.test_monitoring_files import exported

PROJECT = Path(__file__).parents[2]
FOLDER = PROJECT / "deploy" / "kubernetes"
PROCESSES = {p.name: p.command for p in read_procfile((PROJECT / "Procfile").read_text())}
VERSIONS = ("1.29", "1.37")  # of Kubernetes; their schemas are in the package kubernetes-validate
OTHERS = ("Kustomization", "ScaledObject")  # kinds that Kubernetes itself does not know
WORKERS = {"worker": "pages", "documents": "documents"}


def manifests() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in sorted(FOLDER.glob("*.yaml")):
        for document in yaml.safe_load_all(path.read_text()):
            yield path.name, document


MANIFESTS = list(manifests())
WORKLOADS = {
    d["metadata"]["labels"]["app.kubernetes.io/component"]: d for _, d in MANIFESTS if "template" in d.get("spec", {})
}
SECRET = {"redis-url", "redis.conf", "flower-password", "api-keys.json", "aws-credentials"}


def pod(name: str) -> dict[str, Any]:
    return WORKLOADS[name]["spec"]["template"]["spec"]  # type: ignore[no-any-return]


def container(name: str) -> dict[str, Any]:
    (found,) = pod(name)["containers"]
    return found  # type: ignore[no-any-return]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("file", "manifest"), [m for m in MANIFESTS if m[1]["kind"] not in OTHERS])
def test_kubernetes_accepts_the_manifests(file: str, manifest: dict[str, Any], version: str) -> None:
    kubernetes_validate.validate(manifest, version, strict=True)


def test_a_mistake_in_a_manifest_would_be_found() -> None:
    wrong = yaml.safe_load((FOLDER / "worker.yaml").read_text().replace("readOnlyRootFilesystem", "readOnlyRoot"))
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, VERSIONS[-1], strict=True)


def test_there_is_one_workload_for_each_line_of_the_procfile() -> None:
    assert WORKLOADS.keys() == PROCESSES.keys()
    for name in PROCESSES.keys() - {"redis"}:
        assert container(name)["args"] == [name]
        assert container(name)["image"] == "ocr-queue"
    listed = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())["resources"]
    assert {*listed, "scaling.yaml", "kustomization.yaml"} == {path.name for path in FOLDER.iterdir()}


def test_labels_and_services_lead_to_the_pods() -> None:
    for name, workload in WORKLOADS.items():
        labels = workload["spec"]["template"]["metadata"]["labels"]
        assert workload["spec"]["selector"]["matchLabels"] == labels
        assert labels["app.kubernetes.io/component"] == name
    services = {d["spec"]["selector"]["app.kubernetes.io/component"]: d for _, d in MANIFESTS if d["kind"] == "Service"}
    assert services.keys() == {"redis", "flower", "web"}
    for name, service in services.items():
        (port,) = service["spec"]["ports"]
        assert port["targetPort"] in {p["name"] for p in container(name)["ports"]}


def test_only_the_api_is_open_to_all_and_a_drain_takes_one_pod_at_a_time() -> None:
    policies = {d["metadata"]["name"]: d["spec"] for _, d in MANIFESTS if d["kind"] == "NetworkPolicy"}
    every = {"app.kubernetes.io/name": "ocr-queue"}
    assert policies.keys() == {"ocr-queue", "ocr-redis", "ocr-web"}
    assert policies["ocr-queue"] == {"podSelector": {"matchLabels": every}, "policyTypes": ["Ingress"]}  # nobody
    for name in ("redis", "web"):
        policy = policies[f"ocr-{name}"]
        assert policy["podSelector"] == {"matchLabels": every | {"app.kubernetes.io/component": name}}
        (rule,) = policy["ingress"]
        assert {p["port"] for p in rule["ports"]} == {p["name"] for p in container(name)["ports"]}
        assert rule.get("from") == ([{"podSelector": {"matchLabels": every}}] if name == "redis" else None)
    budgets = {d["metadata"]["name"]: d["spec"] for _, d in MANIFESTS if d["kind"] == "PodDisruptionBudget"}
    several = {f"ocr-{name}" for name, d in WORKLOADS.items() if d["spec"].get("replicas", 1) > 1}
    assert budgets.keys() == several
    for name, budget in budgets.items():
        labels = every | {"app.kubernetes.io/component": name.removeprefix("ocr-")}
        assert budget == {"maxUnavailable": 1, "selector": {"matchLabels": labels}}


@pytest.mark.parametrize("name", WORKLOADS)
def test_pods_have_no_more_rights_than_they_need(name: str) -> None:
    assert pod(name)["automountServiceAccountToken"] is False
    assert pod(name)["enableServiceLinks"] is False  # FLOWER_PORT=tcp://... would end Flower
    assert pod(name)["securityContext"]["runAsNonRoot"] is True
    assert pod(name)["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    context = container(name)["securityContext"]
    assert context == {
        "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}
    }  # fmt: skip
    assert container(name)["resources"]["limits"].keys() == {"memory"}
    mounted = {mount["mountPath"] for mount in container(name)["volumeMounts"]}
    assert mounted >= ({"/data"} if name == "redis" else {"/data", "/tmp"})


def settings_of(name: str) -> dict[str, str]:
    """The settings of a pod by name; those that Kubernetes fills in are empty."""
    shared = next(d["data"] for _, d in MANIFESTS if d["kind"] == "ConfigMap")
    own = {e["name"]: e.get("value", "") for e in container(name).get("env", ())}
    return {**(shared if name != "redis" else {}), **own}


@pytest.mark.parametrize("name", WORKLOADS)
def test_settings_are_known_and_secrets_are_files_that_are_mounted(name: str) -> None:
    known = {row[0].strip("`") for row in table_rows(PROJECT / "docs" / "settings.md")}
    (volume,) = [v["secret"] for v in pod(name)["volumes"] if "secret" in v]
    there = {f"/run/secrets/ocr/{item['path']}" for item in volume["items"]}
    assert {item["key"] for item in volume["items"]} <= SECRET
    for setting, value in settings_of(name).items():
        assert setting.startswith("AWS_") or setting.removesuffix("_FILE") in known
        if value.startswith("/run/secrets") and not (setting.startswith("AWS_") and name in ("beat", "flower")):
            assert value in there, setting
        assert setting.removesuffix("_FILE") == setting or value.startswith("/run/secrets")
        assert setting not in ("REDIS_URL", "OCR_FLOWER_PASSWORD", "OCR_WEBHOOK_SECRET")


def test_workers_have_time_to_end_and_are_probed_under_their_name() -> None:
    for name, worker in WORKERS.items():
        assert f"-n {worker}@%h" in PROCESSES[name]
        assert pod(name)["terminationGracePeriodSeconds"] >= shutdown_seconds() + STOP_MARGIN
        for probe, what in (("startupProbe", "live"), ("livenessProbe", "live"), ("readinessProbe", "ready")):
            assert container(name)[probe]["exec"]["command"] == ["sh", "deploy/probe.sh", what, worker]
        start = container(name)["startupProbe"]
        assert start["periodSeconds"] * start["failureThreshold"] > 600  # OCR_LOAD_SECONDS


def test_keda_scales_what_is_there_by_metrics_that_exist() -> None:
    scaled = [d for _, d in MANIFESTS if d["kind"] == "ScaledObject"]
    assert {s["spec"]["scaleTargetRef"]["name"] for s in scaled} == {"ocr-worker", "ocr-documents"}
    for one in scaled:
        assert one["spec"]["minReplicaCount"] < one["spec"]["maxReplicaCount"]
        (trigger,) = one["spec"]["triggers"]
        used = set(re.findall(r"\bocrqueue_[a-z_]+", trigger["metadata"]["query"]))
        assert used
        assert used <= exported().keys()


# -- the image ------------------------------------------------------------------------------------------------------
def health(process: str, folder: Path) -> int:
    """The exit code of the image's health check in a container that runs this process."""
    line = folder / "cmdline"
    line.write_bytes(b"\0".join([b"tini", b"--", b"python", b"-m", b"ocrqueue.stack", process.encode(), b""]))
    command = ["sh", "deploy/probe.sh", "container", str(line)]
    env = {"OCR_DATA_DIR": str(folder), "PATH": "/usr/bin:/bin", "OCR_HTTP_PORT": "1", "OCR_FLOWER_PORT": "1"}
    return subprocess.run(command, cwd=PROJECT, env=env, capture_output=True, timeout=60).returncode


def test_the_health_check_knows_each_process(tmp_path: Path) -> None:
    assert {name: health(name, tmp_path) == 0 for name in ("worker", "documents", "web", "flower", "beat")} == {
        "worker": False, "documents": False, "web": False, "flower": False, "beat": True,
    }  # fmt: skip
    (tmp_path / "alive").mkdir()
    (tmp_path / "alive" / f"pages@{socket.gethostname()}").write_text("starting\n")
    assert (health("worker", tmp_path), health("documents", tmp_path)) == (0, 1)


def test_the_image_has_an_init_and_a_health_check() -> None:
    text = (PROJECT / "deploy" / "Dockerfile").read_text()
    assert 'ENTRYPOINT ["tini", "--", "python", "-m", "ocrqueue.stack"]' in text
    assert re.search(r"apt-get install .*\btini\b", text)
    assert 'CMD ["sh", "deploy/probe.sh", "container"]' in text


def test_the_build_gets_every_file_that_the_image_copies() -> None:
    kept = [line[1:] for line in (PROJECT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    lines = [line for line in (PROJECT / "deploy" / "Dockerfile").read_text().splitlines() if line.startswith("COPY ")]
    copied = {path for line in lines for source in line.split()[1:-1] for path in PROJECT.glob(source)}
    sent = {path for pattern in kept for path in PROJECT.glob(pattern)}
    assert len(copied) > 8
    assert copied <= sent
