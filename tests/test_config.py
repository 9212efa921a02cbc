"""Configuration: every default works, every wrong value names its variable and the remedy."""

import os
from pathlib import Path

import pytest

from gongji_svc.config import Address, Config, ConfigurationError


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
        ("GONGJI_JWKS", "https://id.example/jwks", "unset it"),
        ("GONGJI_TLS_CERT", "cert.pem", "unset it"),
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
