"""A client in another language, from the .proto files alone: Node with @grpc/grpc-js.

Rule: its packages are those of node/package-lock.json, kept in the user's cache between runs; where
Node, npm or the packages are not to be had, the test says so and is skipped.
"""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.json_format import MessageToDict

from gongji.v1 import settlement_pb2 as pb
from tests.end_to_end.books import Books
from tests.end_to_end.purchases import ULANQAB, purchase
from tests.end_to_end.service import Service, metadata_of
from tests.families import Families

_HERE = Path(__file__).parent / "node"
_PROTO = Path(__file__).parents[2] / "proto"
_PARTS = ("package.json", "package-lock.json", "settle.mjs")
_INSTALL_SECONDS = 120
_RUN_SECONDS = 60


@pytest.fixture(scope="module")
def client() -> Path:
    """A folder with the client and its packages."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is missing: a foreign client cannot be tried")
    parts = b"".join((_HERE / name).read_bytes() for name in _PARTS)
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    folder = cache / "gongji-tests" / f"node-{hashlib.sha256(parts).hexdigest()[:16]}"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "install.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "installed").exists():
            _install(folder)
    return folder


def _install(folder: Path) -> None:
    for name in _PARTS:
        shutil.copy(_HERE / name, folder)
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    try:
        subprocess.run(
            command, cwd=folder, check=True, capture_output=True, timeout=_INSTALL_SECONDS
        )
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as failed:
        pytest.skip(f"npm could not fetch the client's packages: {failed}")
    (folder / "installed").touch()


def settled_by_node(client: Path, service: Service, request: pb.SettleRequest) -> Any:
    """What the foreign client got."""
    token = metadata_of("pos", request.institution_code)[0][1].removeprefix("Bearer ")
    told = MessageToDict(request, preserving_proto_field_name=True)
    # proto3 JSON writes a moment as text; proto-loader takes the message as it is.
    told["occurred_at"] = {
        "seconds": request.occurred_at.seconds,
        "nanos": request.occurred_at.nanos,
    }
    asked = {
        "address": f"127.0.0.1:{service.workers.ports[0]}",
        "token": token,
        "protos": [str(_PROTO), str(_PROTO / "third_party")],
        "request": told,
    }
    ran = subprocess.run(
        ["node", "settle.mjs"],
        cwd=client,
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        timeout=_RUN_SECONDS,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def test_a_client_in_another_language_settles_a_purchase(
    client: Path, service: Service, families: Families
) -> None:
    code = families.institution(ULANQAB)
    patient = families.person(ULANQAB, balance_fen=3_000)
    donor = families.person(ULANQAB, balance_fen=5_000, name="王小明")
    families.bind(donor, patient)
    before = Books.read(service.database)
    request = purchase(code, patient)
    settlement = settled_by_node(client, service, request)["settlement"]
    assert settlement["state"] == "SETTLEMENT_STATE_SETTLED"
    assert [leg["amount_fen"] for leg in settlement["legs"]] == ["3000", "5000"]
    assert settlement["legs"][1]["donor_name"] == "王**"
    assert settlement["breakdown"]["cash_pay_fen"] == "2000"
    # The same request from here is a repeat: both clients speak of one settlement.
    answer = service.till(code).settle(request)
    assert answer.replayed
    assert answer.settlement.settlement_id == settlement["settlement_id"]
    Books.read(service.database).check_since(before, [answer])


def test_a_client_in_another_language_reads_a_refusal(
    client: Path, service: Service, families: Families
) -> None:
    request = purchase("NOBODY", families.person(ULANQAB))
    refused = settled_by_node(client, service, request)
    assert refused["code"] == grpc.StatusCode.NOT_FOUND.value[0]
