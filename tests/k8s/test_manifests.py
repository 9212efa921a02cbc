"""The manifests are what Kubernetes takes, and what a cluster that is kept locked lets run."""

import subprocess
import sys
from pathlib import Path

import kubernetes_validate  # type: ignore[import-untyped]  # it tells no types
import pytest
import yaml

from gongji_svc import workers
from tests.k8s.overlays import ALL, FOLDER, OVERLAYS, Object, Workload, built, named, of_kind, told

_OLDEST = "1.34"  # the oldest Kubernetes that has all that is used (preStop's sleep for good)
_DATABASES = {"matchExpressions": [{"key": "cnpg.io/cluster", "operator": "Exists"}]}
_CUSTOM = {"Cluster", "ScheduledBackup", "ObjectStore", "Issuer", "Certificate"}

every_workload = pytest.mark.parametrize("workload", ALL, ids=told)
every_overlay = pytest.mark.parametrize("overlay", OVERLAYS)


@every_overlay
@pytest.mark.parametrize("version", [_OLDEST, kubernetes_validate.latest_version()])
def test_every_object_is_what_its_schema_says(overlay: str, version: str) -> None:
    for one in built(overlay):
        if one["kind"] not in _CUSTOM:
            kubernetes_validate.validate(one, version, strict=True)


def test_the_files_are_well_written() -> None:
    lint = [sys.executable, "-m", "yamllint", "--strict", "-c", str(FOLDER / ".yamllint")]
    done = subprocess.run([*lint, str(FOLDER)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@every_overlay
def test_everything_is_in_one_namespace_that_lets_no_privileged_pod_in(overlay: str) -> None:
    (namespace,) = of_kind(overlay, "Namespace")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    others = {one["metadata"].get("namespace") for one in built(overlay) if one != namespace}
    assert others == {namespace["metadata"]["name"]}


@every_overlay
def test_no_secret_is_in_the_manifests(overlay: str) -> None:
    assert of_kind(overlay, "Secret") == []


@every_workload
def test_a_pod_runs_as_nobody_and_can_write_nowhere_but_into_volumes(workload: Workload) -> None:
    pod, container = workload.pod, workload.container["securityContext"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["allowPrivilegeEscalation"] is False
    assert container["readOnlyRootFilesystem"] is True
    assert container["capabilities"] == {"drop": ["ALL"]}
    assert pod["automountServiceAccountToken"] is False


@pytest.mark.parametrize("name", ["gongji-core", "gongji-worker"])
def test_who_keeps_files_for_a_while_has_a_place_for_them(name: str) -> None:
    (workload,) = (one for one in ALL if (one.overlay, one.name) == ("production", name))
    assert "emptyDir" in workload.volume_at("/tmp/file")[0]  # noqa: S108 - the pod's own


@every_workload
def test_a_container_says_what_it_needs_and_what_it_may_take(workload: Workload) -> None:
    resources = workload.container["resources"]
    assert set(resources["requests"]) == set(resources["limits"]) == {"cpu", "memory"}


@every_workload
def test_a_pod_has_the_time_to_finish_what_it_took(workload: Workload) -> None:
    if workload.name == "gongji-core":
        before = workload.container["lifecycle"]["preStop"]["sleep"]["seconds"]
        needed = before + workers._STOP_SECONDS
        assert workload.pod["terminationGracePeriodSeconds"] > needed


def selected(overlay: str, selector: Object) -> list[Workload]:
    """The workloads whose pods a selector means."""
    labels = selector.get("matchLabels", {}).items()
    return [one for one in ALL if one.overlay == overlay and labels <= one.labels.items()]


@every_overlay
def test_services_budgets_and_policies_select_pods_that_are_there(overlay: str) -> None:
    for service in of_kind(overlay, "Service"):
        (behind,) = selected(overlay, {"matchLabels": service["spec"]["selector"]})
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= set(behind.ports)
    for kind, key in (("PodDisruptionBudget", "selector"), ("NetworkPolicy", "podSelector")):
        for one in of_kind(overlay, kind):
            if one["spec"][key] != _DATABASES:
                assert selected(overlay, one["spec"][key]), one["metadata"]["name"]


@every_overlay
def test_every_pod_is_closed_to_whom_no_policy_names(overlay: str) -> None:
    closed = named(overlay, "NetworkPolicy", "gongji-closed")
    assert "ingress" not in closed["spec"]
    assert {one.name for one in selected(overlay, closed["spec"]["podSelector"])} == {
        one.name for one in ALL if one.overlay == overlay
    }


def test_a_database_of_another_name_is_reached_as_well() -> None:
    policies = of_kind("production", "NetworkPolicy")
    assert all("cnpg.io/cluster:" not in yaml.safe_dump(one) for one in policies)
    reaching = {
        one["metadata"]["name"]
        for one in policies
        for way in one["spec"].get("egress", ())
        for to in way.get("to", ())
        if to.get("podSelector") == _DATABASES
    }
    assert reaching == {"gongji-core", "gongji-worker", "gongji-migrate"}


@every_workload
def test_pods_of_a_kind_spread_over_nodes_by_their_own_label(workload: Workload) -> None:
    for one in workload.pod.get("topologySpreadConstraints", ()):
        assert one["labelSelector"]["matchLabels"].items() <= workload.labels.items()


def test_the_image_takes_no_more_along_than_it_is_built_from() -> None:
    root = Path(FOLDER).parent
    kept = [
        line.removeprefix("!")
        for line in (root / ".containerignore").read_text(encoding="utf-8").splitlines()
        if line.startswith("!")
    ]
    copied = [
        word
        for line in (root / "Containerfile").read_text(encoding="utf-8").splitlines()
        if line.startswith("COPY ") and "--from" not in line
        for word in line.split()[1:-1]
    ]
    assert sorted(kept) == sorted(copied)
    assert all((root / name).exists() for name in kept)
