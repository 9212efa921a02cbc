"""What operators are asked for: CloudNativePG, its Barman Cloud plugin, cert-manager, Prometheus'.

Rule: no package for Python has the schemas of all of them, so the fields that are used are held
here, each with its kind. They are those of the operators' own definitions: CloudNativePG 1.28 and
1.30, the plugin 0.8, cert-manager's v1, Prometheus' operator 0.80 and 0.93.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from gongji_svc.services import certificates
from tests.k8s.overlays import FOLDER, built, kustomized, named, of_kind

_API = {
    "Cluster": "postgresql.cnpg.io/v1",
    "ScheduledBackup": "postgresql.cnpg.io/v1",
    "ObjectStore": "barmancloud.cnpg.io/v1",
    "Issuer": "cert-manager.io/v1",
    "Certificate": "cert-manager.io/v1",
    "PodMonitor": "monitoring.coreos.com/v1",
    "PrometheusRule": "monitoring.coreos.com/v1",
}
# Text unless another kind is named; below "*" are names of one's own. Lists are of what they hold.
_FIELDS = {
    "Cluster": """instances:int imageName primaryUpdateStrategy bootstrap.initdb.database
        bootstrap.initdb.owner bootstrap.initdb.encoding bootstrap.initdb.dataChecksums:bool
        managed.roles.name managed.roles.ensure managed.roles.login:bool
        managed.roles.passwordSecret.name postgresql.synchronous.method
        postgresql.synchronous.number:int postgresql.synchronous.dataDurability
        postgresql.synchronous.failoverQuorum:bool postgresql.parameters.*
        affinity.enablePodAntiAffinity:bool affinity.topologyKey affinity.podAntiAffinityType
        storage.size walStorage.size resources.requests.* resources.limits.* plugins.name
        plugins.isWALArchiver:bool plugins.parameters.*""",
    "ScheduledBackup": "schedule cluster.name method pluginConfiguration.name",
    "ObjectStore": """retentionPolicy configuration.destinationPath configuration.endpointURL
        configuration.s3Credentials.accessKeyId.name configuration.s3Credentials.accessKeyId.key
        configuration.s3Credentials.secretAccessKey.name
        configuration.s3Credentials.secretAccessKey.key configuration.wal.compression""",
    "Issuer": "selfSigned ca.secretName",
    "Certificate": """isCA:bool commonName secretName duration renewBefore dnsNames uris usages
        privateKey.algorithm privateKey.size:int privateKey.rotationPolicy issuerRef.name
        issuerRef.kind issuerRef.group""",
    "PodMonitor": """jobLabel selector.matchLabels.* selector.matchExpressions.key
        selector.matchExpressions.operator podMetricsEndpoints.port podMetricsEndpoints.interval
        podMetricsEndpoints.honorLabels:bool""",
    "PrometheusRule": """groups.name groups.rules.alert groups.rules.expr groups.rules.for
        groups.rules.labels.* groups.rules.annotations.*""",
}


def fields(part: Any, known: set[str], above: str = "") -> Iterator[str]:
    """The dotted names of all that is said, with the kind of each value where it is no text."""
    if isinstance(part, dict) and part:
        for name, value in part.items():
            own = f"{above}." if above else ""
            yield from fields(value, known, own + ("*" if f"{own}*" in known else name))
    elif isinstance(part, list):
        for one in part:
            yield from fields(one, known, above)
    else:
        kind = type(part).__name__
        yield above if kind in {"str", "dict"} else f"{above}:{kind}"


@pytest.mark.parametrize("kind", sorted(_FIELDS))
def test_no_field_is_one_that_its_operator_would_not_know(kind: str) -> None:
    known = set(_FIELDS[kind].split())
    everything = (*built("production"), *kustomized(FOLDER / "monitoring"))
    found = [one for one in everything if one["kind"] == kind]
    assert {one["apiVersion"] for one in found} == {_API[kind]}
    assert {field for one in found for field in fields(one["spec"], known)} == known


def test_no_answered_commit_is_lost_with_the_primary() -> None:
    spec = named("production", "Cluster", "gongji-database")["spec"]
    assert spec["instances"] == 3
    assert spec["postgresql"]["synchronous"] == {
        "method": "any",
        "number": 1,
        "dataDurability": "required",
        "failoverQuorum": True,
    }
    assert "synchronous_commit" not in spec["postgresql"]["parameters"]  # it is on


def test_the_database_is_copied_to_a_store_that_is_there() -> None:
    (plugin,) = named("production", "Cluster", "gongji-database")["spec"]["plugins"]
    assert plugin["isWALArchiver"] is True
    assert named("production", "ObjectStore", plugin["parameters"]["barmanObjectName"])
    (nightly,) = of_kind("production", "ScheduledBackup")
    assert nightly["spec"]["pluginConfiguration"]["name"] == plugin["name"]
    assert named("production", "Cluster", nightly["spec"]["cluster"]["name"])
    assert len(nightly["spec"]["schedule"].split()) == 6  # seconds first


def test_every_certificate_is_issued_by_an_issuer_whose_key_is_there() -> None:
    kept = {one["spec"]["secretName"] for one in of_kind("production", "Certificate")}
    for certificate in of_kind("production", "Certificate"):
        issuer = named("production", "Issuer", certificate["spec"]["issuerRef"]["name"])
        assert issuer["spec"].get("ca", {}).get("secretName", "gongji-authority") in kept


def test_the_gateways_certificate_is_a_gateways_to_the_core() -> None:
    spec = named("production", "Certificate", "gongji-gateway")["spec"]
    assert spec["uris"] == [certificates._GATEWAY]
    assert "client auth" in spec["usages"]


def test_the_cores_certificate_is_a_servers_and_no_clients() -> None:
    spec = named("production", "Certificate", "gongji-core")["spec"]
    assert "uris" not in spec
    assert set(spec["usages"]) == {"digital signature", "server auth"}


def test_all_certificates_come_from_the_authority_that_the_core_believes() -> None:
    issuers = {
        one["spec"]["issuerRef"]["name"]
        for one in built("production")
        if one["kind"] == "Certificate" and not one["spec"].get("isCA")
    }
    assert issuers == {"gongji-authority"}
