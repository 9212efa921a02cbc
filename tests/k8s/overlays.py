"""The overlays of k8s/ as they would be applied, and the questions that tests ask about them.

Rule: what is looked at is what `kubectl kustomize` makes, never the files it is made from.
"""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "k8s"
OVERLAYS = tuple(sorted(path.name for path in (FOLDER / "overlays").iterdir()))

Object = dict[str, Any]


def built(overlay: str) -> tuple[Object, ...]:
    """All objects of an overlay."""
    return kustomized(FOLDER / "overlays" / overlay)


@cache
def kustomized(folder: Path) -> tuple[Object, ...]:
    """All objects that a folder makes."""
    kubectl = Path(sys.executable).with_name("kubectl")
    made = subprocess.run(
        [str(kubectl), "kustomize", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    return tuple(yaml.safe_load_all(made.stdout))


def of_kind(overlay: str, kind: str) -> list[Object]:
    """The objects of one kind."""
    return [one for one in built(overlay) if one["kind"] == kind]


def named(overlay: str, kind: str, name: str) -> Object:
    """One object."""
    (found,) = (one for one in of_kind(overlay, kind) if one["metadata"]["name"] == name)
    return found


@dataclass(frozen=True)
class Workload:
    """What runs pods, each with one container."""

    overlay: str
    object: Object

    @property
    def name(self) -> str:
        """Its name, as told where a test fails."""
        return str(self.object["metadata"]["name"])

    @property
    def labels(self) -> Mapping[str, str]:
        """The labels of its pods."""
        labels: Mapping[str, str] = self.object["spec"]["template"]["metadata"]["labels"]
        return labels

    @property
    def pod(self) -> Object:
        """What its pods are."""
        spec: Object = self.object["spec"]["template"]["spec"]
        return spec

    @property
    def container(self) -> Object:
        """The one container."""
        (only,) = self.pod["containers"]
        container: Object = only
        return container

    @property
    def ports(self) -> Mapping[str, int]:
        """The numbers of its ports by their names."""
        return {one["name"]: one["containerPort"] for one in self.container.get("ports", ())}

    @property
    def environment(self) -> dict[str, str]:
        """What the container sees; of a secret `secret NAME/KEY`."""
        seen: dict[str, str] = {}
        for source in self.container.get("envFrom", ()):
            name = source["configMapRef"]["name"]
            seen |= named(self.overlay, "ConfigMap", name)["data"]
        for one in self.container["env"]:
            if "value" in one:
                seen[one["name"]] = one["value"]
            else:
                reference = one["valueFrom"]["secretKeyRef"]
                seen[one["name"]] = f"secret {reference['name']}/{reference['key']}"
        return seen

    @property
    def secrets(self) -> set[tuple[str, str]]:
        """Name and key of each secret that it needs; of one mounted whole the key is "*"."""
        needed = set()
        for seen in self.environment.values():
            if seen.startswith("secret "):
                name, _, key = seen.removeprefix("secret ").partition("/")
                needed.add((name, key))
        for volume in self.pod.get("volumes", ()):
            secret = volume.get("secret")
            if secret:
                keys = [item["key"] for item in secret.get("items", ())] or ["*"]
                needed |= {(secret["secretName"], key) for key in keys}
        return needed

    def volume_at(self, path: str) -> tuple[Object, str]:
        """The volume in which a path lies, and the rest of the path."""
        for mount in self.container.get("volumeMounts", ()):
            if path.startswith(mount["mountPath"] + "/"):
                volumes = [*self.pod.get("volumes", ()), *self._claims()]
                (volume,) = (one for one in volumes if one["name"] == mount["name"])
                return volume, path.removeprefix(mount["mountPath"] + "/")
        raise AssertionError(f"{self.name}: {path} lies in no volume")

    def _claims(self) -> Iterator[Object]:
        for claim in self.object["spec"].get("volumeClaimTemplates", ()):
            yield {"name": claim["metadata"]["name"], "persistentVolumeClaim": claim["spec"]}


def workloads(overlay: str) -> list[Workload]:
    """All that runs pods of ours."""
    return [Workload(overlay, one) for one in built(overlay) if "template" in one.get("spec", {})]


ALL = [workload for overlay in OVERLAYS for workload in workloads(overlay)]


def told(workload: Workload) -> str:
    """How pytest names it."""
    return f"{workload.overlay}-{workload.name}"
