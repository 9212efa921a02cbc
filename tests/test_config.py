"""Configuration: every default works, every wrong value names its variable and the remedy."""

import os
from pathlib import Path

import pytest

from gongji_svc.config import Address, Config, ConfigurationError
from gongji_svc.domain.limits import Limits


def test_with_nothing_set_every_setting_has_a_default() -> None:
    config = Config.from_environment({})
    assert config.database_url is None
    assert str(config.grpc_listen) == "127.0.0.1:50051"
    assert str(config.http_listen) == "127.0.0.1:8080"
    assert config.workers >= 1
    assert config.data_dir.is_absolute()


def test_an_empty_variable_counts_as_not_set() -> None:
    assert Config.from_environment({"GONGJI_DATABASE_URL": " "}).database_url is None


def test_every_variable_is_read() -> None:
    config = Config.from_environment(
        {
            "GONGJI_DATABASE_URL": "postgres://gongji@db/gongji",
            "GONGJI_DATABASE_DIRECT_URL": "postgresql://gongji@direct/gongji",
            "GONGJI_MIGRATE_URL": "postgresql://owner@db/gongji",
            "GONGJI_PREPARE_THRESHOLD": "none",
            "GONGJI_DATA_DIR": "/srv/gongji",
            "GONGJI_GRPC_LISTEN": "0.0.0.0:6000",
            "GONGJI_HTTP_LISTEN": "[::1]:6001",
            "GONGJI_WORKERS": "4",
            "GONGJI_DATA_KEY": "/etc/gongji/key",
            "GONGJI_SEAL_FILE": "/mnt/seals/gongji.jsonl",
            "GONGJI_TAX_URL": "https://tax.example/premiums",
            "GONGJI_TAX_KEY": "/etc/gongji/tax.key",
            "GONGJI_OIDC_ISSUER": "https://login.example/gongji",
            "GONGJI_OIDC_CLIENT_ID": "web-1",
            "GONGJI_TLS_CERT": "/etc/gongji/server.pem",
            "GONGJI_TLS_KEY": "/etc/gongji/server.key",
            "GONGJI_TLS_CLIENT_CA": "/etc/gongji/clients.pem",
            "GONGJI_TLS_CRL": "/etc/gongji/revoked.pem",
            "GONGJI_GATEWAY_CA": "/etc/gongji/servers.pem",
            "GONGJI_GATEWAY_CERT": "/etc/gongji/gateway.pem",
            "GONGJI_GATEWAY_KEY": "/etc/gongji/gateway.key",
            "GONGJI_PLAINTEXT": "allow",
            "GONGJI_JWKS": "https://login.example/keys",
            "GONGJI_JWT_ISSUER": "https://login.example/",
            "GONGJI_JWT_AUDIENCE": "gongji",
            "GONGJI_LIMITS": "previews=60",
        }
    )
    assert config == Config(
        data_dir=Path("/srv/gongji"),
        database_url="postgresql://gongji@db/gongji",
        database_direct_url="postgresql://gongji@direct/gongji",
        migrate_url="postgresql://owner@db/gongji",
        prepare_threshold=None,
        grpc_listen=Address("0.0.0.0", 6000),  # noqa: S104  # a value to read, not a socket
        http_listen=Address("::1", 6001),
        workers=4,
        data_key="/etc/gongji/key",
        seal_file=Path("/mnt/seals/gongji.jsonl"),
        tax_url="https://tax.example/premiums",
        tax_key=Path("/etc/gongji/tax.key"),
        oidc_issuer="https://login.example/gongji",
        oidc_client_id="web-1",
        tls_cert=Path("/etc/gongji/server.pem"),
        tls_key=Path("/etc/gongji/server.key"),
        tls_client_ca=Path("/etc/gongji/clients.pem"),
        tls_crl=Path("/etc/gongji/revoked.pem"),
        gateway_ca=Path("/etc/gongji/servers.pem"),
        gateway_cert=Path("/etc/gongji/gateway.pem"),
        gateway_key=Path("/etc/gongji/gateway.key"),
        plaintext=True,
        jwks="https://login.example/keys",
        jwt_issuer="https://login.example/",
        jwt_audience="gongji",
        limits=Limits(previews=60),
    )
    assert str(config.http_listen) == "[::1]:6001"


@pytest.mark.parametrize(
    ("name", "value", "remedy"),
    [
        ("GONGJI_DATABASE_URL", "mysql://db/gongji", "write it like postgresql://"),
        ("GONGJI_MIGRATE_URL", "gongji", "write it like postgresql://"),
        ("GONGJI_GRPC_LISTEN", "50051", "write HOST:PORT"),
        ("GONGJI_GRPC_LISTEN", "localhost:70000", "write HOST:PORT"),
        ("GONGJI_HTTP_LISTEN", ":8080", "write HOST:PORT"),
        ("GONGJI_OIDC_ISSUER", "http://login.example", "write https://"),
        ("GONGJI_OIDC_ISSUER", "https://login.example/?a=b", "write https://"),
        ("GONGJI_WORKERS", "0", "write a number from 1"),
        ("GONGJI_WORKERS", "two", "write a number from 1"),
        ("GONGJI_PREPARE_THRESHOLD", "-1", "write a whole number, or none"),
        ("GONGJI_DATA_DIR", __file__, "is not a folder"),
        ("GONGJI_SEAL_FILE", str(Path(__file__).parent), "name a file"),
        ("GONGJI_TAX_URL", "http://tax.example/premiums", "write https://"),
        ("GONGJI_TAX_URL", "https://user@tax.example/premiums", "write https://"),
        ("GONGJI_TAX_URL", "https://tax.example/premiums?region=1", "write https://"),
        ("GONGJI_TAX_URL", "https:///premiums", "write https://"),
        ("GONGJI_TAX_KEY", str(Path(__file__).parent), "name a file"),
        ("GONGJI_JWKS", "http://login.example/keys", "write https://"),
        ("GONGJI_JWKS", str(Path(__file__).parent), "name a file"),
        ("GONGJI_TLS_CERT", str(Path(__file__).parent), "name a file"),
        ("GONGJI_TLS_CLIENT_CA", "clients.pem", "set GONGJI_TLS_CERT as well"),
        ("GONGJI_TLS_CRL", "revoked.pem", "set GONGJI_TLS_CLIENT_CA as well"),
        ("GONGJI_PLAINTEXT", "yes", "write allow"),
        ("GONGJI_DATABSE_URL", "postgresql://db/gongji", "correct its name"),
    ],
)
def test_a_wrong_value_names_its_variable_and_the_remedy(
    name: str, value: str, remedy: str
) -> None:
    with pytest.raises(ConfigurationError) as raised:
        Config.from_environment({name: value})
    assert str(raised.value).startswith(f"{name}: ")
    assert remedy in str(raised.value)


def test_an_owners_address_without_the_run_time_one_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"^GONGJI_MIGRATE_URL: set GONGJI_DATABASE_URL"):
        Config.from_environment({"GONGJI_MIGRATE_URL": "postgresql://owner@db/gongji"})


@pytest.mark.parametrize("address", ["http://127.0.0.1:8090/premiums", "http://[::1]:8090/"])
def test_the_tax_authority_may_be_on_this_machine_without_tls(address: str) -> None:
    config = Config.from_environment({"GONGJI_TAX_URL": address, "GONGJI_TAX_KEY": "tax.key"})
    assert config.tax_url == address


@pytest.mark.parametrize("name", ["GONGJI_TAX_URL", "GONGJI_TAX_KEY"])
def test_the_tax_authoritys_address_and_key_go_together(name: str) -> None:
    with pytest.raises(ConfigurationError, match="set both, or neither"):
        Config.from_environment({name: "https://tax.example/premiums"})


@pytest.mark.parametrize("name", ["TLS_CERT", "TLS_KEY", "GATEWAY_CERT", "GATEWAY_KEY"])
def test_a_certificate_and_its_key_go_together(name: str) -> None:
    with pytest.raises(ConfigurationError, match="set both, or neither"):
        Config.from_environment({f"GONGJI_{name}": "own.pem"})


@pytest.mark.parametrize("name", ["JWKS", "JWT_ISSUER", "JWT_AUDIENCE"])
def test_a_providers_keys_issuer_and_audience_go_together(name: str) -> None:
    with pytest.raises(ConfigurationError, match="set all three, or none"):
        Config.from_environment({f"GONGJI_{name}": "https://login.example/keys"})


@pytest.mark.parametrize(
    ("host", "is_loopback"),
    [
        ("127.0.0.1", True),
        ("127.1.2.3", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),  # noqa: S104  # a value to read, not a socket
        ("::", False),
        ("10.0.0.7", False),
        ("localhost.example", False),
    ],
)
def test_an_address_knows_whether_it_is_of_this_machine_alone(host: str, is_loopback: bool) -> None:
    assert Address(host, 1).is_loopback == is_loopback


def test_addresses_of_databases_and_keys_stay_out_of_the_representation() -> None:
    config = Config.from_environment(
        {"GONGJI_DATABASE_URL": "postgresql://u:hidden@db/g", "GONGJI_DATA_KEY": "hidden"}
    )
    assert "hidden" not in repr(config)


@pytest.mark.skipif(os.geteuid() == 0, reason="root's data lies in /var/lib instead")
def test_an_ordinary_users_data_lies_in_their_data_home() -> None:
    config = Config.from_environment({"XDG_DATA_HOME": "/data/home"})
    assert config.data_dir == Path("/data/home/gongji")


@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user's data lies in the data home")
def test_roots_data_lies_where_the_databases_account_can_reach_it() -> None:
    assert Config.from_environment({}).data_dir == Path("/var/lib/gongji")
