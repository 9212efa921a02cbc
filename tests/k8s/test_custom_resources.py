"""What CloudNativePG and cert-manager are asked for. Their schemas are not at hand: the fields are
those of CloudNativePG 1.28, its Barman Cloud plugin and cert-manager 1.18, held here by name.
"""

from collections.abc import Iterator

import pytest

from gongji_svc.services import certificates
from tests.k8s.overlays import Object, built, named, of_kind

_API = {
    "Cluster": "postgresql.cnpg.io/v1",
    "ScheduledBackup": "postgresql.cnpg.io/v1",
    "ObjectStore": "barmancloud.cnpg.io/v1",
    "Issuer": "cert-manager.io/v1",
    "Certificate": "cert-manager.io/v1",
}
_FIELDS = {
    "Cluster": """instances imageName primaryUpdateStrategy bootstrap bootstrap.initdb
        bootstrap.initdb.database bootstrap.initdb.owner bootstrap.initdb.encoding
        bootstrap.initdb.dataChecksums managed managed.roles postgresql postgresql.synchronous
        postgresql.synchronous.method postgresql.synchronous.number
        postgresql.synchronous.dataDurability postgresql.synchronous.failoverQuorum
        postgresql.parameters postgresql.parameters.max_connections
        postgresql.parameters.shared_buffers affinity affinity.enablePodAntiAffinity
        affinity.topologyKey affinity.podAntiAffinityType storage storage.size walStorage
        walStorage.size resources resources.requests resources.requests.cpu
        resources.requests.memory resources.limits resources.limits.cpu resources.limits.memory
        plugins""",
    "ScheduledBackup": """schedule cluster cluster.name method pluginConfiguration
        pluginConfiguration.name""",
    "ObjectStore": """retentionPolicy configuration configuration.destinationPath
        configuration.endpointURL configuration.s3Credentials
        configuration.s3Credentials.accessKeyId configuration.s3Credentials.accessKeyId.name
        configuration.s3Credentials.accessKeyId.key configuration.s3Credentials.secretAccessKey
        configuration.s3Credentials.secretAccessKey.name
        configuration.s3Credentials.secretAccessKey.key configuration.wal
        configuration.wal.compression""",
    "Issuer": "selfSigned ca ca.secretName",
    "Certificate": """isCA commonName secretName duration renewBefore dnsNames ipAddresses uris
        usages privateKey privateKey.algorithm privateKey.size privateKey.rotationPolicy issuerRef
        issuerRef.name issuerRef.kind issuerRef.group""",
}


def fields(part: Object, above: str = "") -> Iterator[str]:
    """The dotted names of all fields; lists are not gone into."""
    for name, value in part.items():
        yield above + name
        if isinstance(value, dict):
            yield from fields(value, f"{above}{name}.")


@pytest.mark.parametrize("kind", sorted(_FIELDS))
def test_no_field_is_one_that_its_operator_would_not_know(kind: str) -> None:
    found = of_kind("production", kind)
    assert found
    for one in found:
        assert one["apiVersion"] == _API[kind]
        assert set(fields(one["spec"])) <= set(_FIELDS[kind].split())


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


def test_the_cores_certificate_is_nobodys_and_good_for_its_own_probe() -> None:
    spec = named("production", "Certificate", "gongji-core")["spec"]
    assert "uris" not in spec
    assert "127.0.0.1" in spec["ipAddresses"]
    assert {"server auth", "client auth"} <= set(spec["usages"])


def test_all_certificates_come_from_the_authority_that_the_core_believes() -> None:
    issuers = {
        one["spec"]["issuerRef"]["name"]
        for one in built("production")
        if one["kind"] == "Certificate" and not one["spec"].get("isCA")
    }
    assert issuers == {"gongji-authority"}
