"""What is applied beside the overlays: production while it is restored, and with traces; and the
page's own commands for it.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

import kubernetes_validate  # type: ignore[import-untyped]  # it tells no types
import pytest

from gongji_svc.storage.sealing import KeyRing
from tests.k8s.overlays import FOLDER, ROOT, Object, kustomized, of_kind

_PAGE = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
_RESTORE = kustomized(FOLDER / "restore")


def the(objects: tuple[Object, ...], kind: str, name: str) -> Object:
    """One of them."""
    (found,) = (one for one in objects if (one["kind"], one["metadata"]["name"]) == (kind, name))
    return found


def container(workload: Object) -> Object:
    """Its only one."""
    (only,) = workload["spec"]["template"]["spec"]["containers"]
    found: Object = only
    return found


def test_nobody_writes_while_the_database_is_restored() -> None:
    assert the(_RESTORE, "Deployment", "gongji-core")["spec"]["replicas"] == 0
    assert not [one for one in _RESTORE if one["kind"] == "HorizontalPodAutoscaler"]
    waiting = the(_RESTORE, "StatefulSet", "gongji-worker")
    assert waiting["spec"]["replicas"] == 1
    assert container(waiting)["command"] == ["sleep", "infinity"]
    assert not {"args", "startupProbe", "livenessProbe"} & set(container(waiting))


def test_who_audits_the_restored_database_has_all_that_a_worker_has() -> None:
    (worker,) = of_kind("production", "StatefulSet")
    waiting = the(_RESTORE, "StatefulSet", "gongji-worker")
    for part in ("env", "envFrom", "volumeMounts", "image", "securityContext"):
        assert container(waiting)[part] == container(worker)[part]
    assert waiting["spec"]["volumeClaimTemplates"] == worker["spec"]["volumeClaimTemplates"]


def test_core_and_gateway_tell_a_collector_of_their_calls(tmp_path: Path) -> None:
    def way(name: str) -> str:
        return os.path.relpath((FOLDER / name).resolve(), tmp_path.resolve())

    made = f"resources: [{way('overlays/production')}]\ncomponents: [{way('tracing')}]\n"
    (tmp_path / "kustomization.yaml").write_text(made, encoding="utf-8")
    objects = kustomized(tmp_path)
    for name in ("gongji-core", "gongji-gateway"):
        env = {
            one["name"]: one.get("value")
            for one in container(the(objects, "Deployment", name))["env"]
        }
        assert env["GONGJI_TRACES"] == "http://collector.tracing:4318/v1/traces"
    policy = the(objects, "NetworkPolicy", "gongji-tracing")
    assert [one["port"] for one in policy["spec"]["egress"][0]["ports"]] == [4318]
    for one in (policy, the(objects, "Deployment", "gongji-core")):
        kubernetes_validate.validate(one, "1.34", strict=True)


def done(line: str, folder: Path) -> None:
    """Do what the one line of the page that begins so says."""
    (command,) = re.findall(rf"^ *({re.escape(line)}.*)$", _PAGE, re.MULTILINE)
    subprocess.run(["/bin/bash", "-c", command], cwd=folder, check=True)


def test_the_command_of_the_page_leads_everything_to_a_restored_database(tmp_path: Path) -> None:
    shutil.copytree(FOLDER, tmp_path / "k8s")
    done("sed -i", tmp_path)
    objects = kustomized(tmp_path / "k8s" / "restore")
    said = "".join(str(one) for one in objects)
    assert set(re.findall(r"gongji-(?:database|restored)-(?:rw|ca|app)\b", said)) == {
        "gongji-restored-rw",
        "gongji-restored-ca",
        "gongji-restored-app",
    }


@pytest.mark.skipif(shutil.which("openssl") is None, reason="the command needs openssl")
def test_the_command_of_the_page_makes_a_key_file(tmp_path: Path) -> None:
    done("printf 'index", tmp_path)
    assert KeyRing.parse((tmp_path / "data.key").read_text(encoding="utf-8"), "data.key")


def test_the_job_that_migrates_is_deleted_by_the_label_of_the_page() -> None:
    (job,) = of_kind("production", "Job")
    (selector,) = set(re.findall(r"delete job -l ([a-z./-]+=[a-z-]+)", _PAGE))
    key, _, value = selector.partition("=")
    assert job["metadata"]["labels"][key] == value
