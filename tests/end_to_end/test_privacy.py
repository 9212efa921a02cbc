"""Nobody's name or number is found where it has no business: in what the demo prints and logs, in
its data folder, in a dump of its database, in what is told to those who are refused.

Rule: everything is looked for in every form in which text is written: as UTF-8, escaped, in a web
address, in hexadecimal, in base64. The demo's people are the only ones there are.
"""

import base64
import json
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import grpc
import httpx
import psycopg
import pytest

from gongji.v1 import binding_pb2, registry_pb2, settlement_pb2, types_pb2
from gongji_svc.demo import data
from gongji_svc.demo.data import DemoPerson
from gongji_svc.domain.access import Caller, Role
from gongji_svc.services.contract import method_of
from gongji_svc.services.identity import development_key, issue_token
from gongji_svc.storage.database import Database
from tests import conftest
from tests.commands.program import gongji
from tests.end_to_end.service import free_address

_DAY = "2025-10-15"
_SECONDS = 120
_FAMILY = {one.key: one for one in data.PEOPLE}
_FATHER, _CHILD = _FAMILY["hohhot-father"], _FAMILY["hohhot-grandfather"]
_STAFF = {Role.COUNTER, Role.REVIEWER, Role.AGENCY, Role.TAX, Role.AUDIT}


def secrets() -> dict[str, str]:
    """What must not be found, by whose and what it is."""
    return {
        f"{what} of {one.key}": getattr(one, what)
        for one in data.PEOPLE
        for what in ("name", "certificate_number", "card_no", "phone")
    }


def forms(secret: str) -> set[bytes]:
    """The ways of writing it: base64 depends on where it begins among three bytes."""
    raw = secret.encode()
    found = {raw, raw.hex().encode(), raw.hex().upper().encode(), quote(secret).encode()}
    found |= {
        json.dumps(secret)[1:-1].encode(),
        secret.encode("gb18030"),
        secret.encode("utf-16-le"),
    }
    found.add("".join(f"\\{byte:03o}" for byte in raw).encode())
    for before in range(3):
        coded = base64.b64encode(bytes(before) + raw)
        sure = coded[-(-before * 8 // 6) : (before + len(raw)) * 8 // 6]
        found |= {sure, sure.translate(bytes.maketrans(b"+/", b"-_"))}
    return found


def found_in(content: bytes) -> list[str]:
    """Which of the secrets stand in it, in whatever form."""
    return [
        whose for whose, one in secrets().items() if any(form in content for form in forms(one))
    ]


@dataclass
class Demo:
    """A running demo, and all that it said so far."""

    folder: Path
    target: str
    web: httpx.Client
    database: Database
    refusals: list[bytes] = field(default_factory=list)
    answered: int = 0
    ids: dict[str, str] = field(default_factory=dict)

    def call(self, role: Role, subject: str, service: str, rpc: str, request: Any) -> Any:
        """The answer, or None where it is refused, of which is kept what was told."""
        method = method_of(service, rpc)
        with grpc.insecure_channel(self.target) as channel:
            call = channel.unary_unary(
                method.path,
                request_serializer=type(request).SerializeToString,
                response_deserializer=method.response.FromString,
            )
            header = ("authorization", f"Bearer {self.token(role, subject)}")
            try:
                answer = call(request, timeout=30, metadata=(header,), wait_for_ready=True)
            except grpc.RpcError as refused:
                self.refusals.append(str(refused.details()).encode())
                metadata: Any = refused.trailing_metadata()
                self.refusals += [
                    value if isinstance(value, bytes) else value.encode() for _, value in metadata
                ]
                return None
        self.answered += 1
        return answer

    def token(self, role: Role, subject: str) -> str:
        """A token of the demo."""
        actor = "clerk-1" if role in _STAFF else ""
        return issue_token(development_key(self.folder), Caller(role, subject, actor), 300)

    def find(self, one: DemoPerson) -> str:
        """Somebody's id, as the agency finds it."""
        if one.key not in self.ids:
            request = registry_pb2.GetPersonRequest(certificate=certificate(one), name=one.name)
            found = self.call(Role.AGENCY, one.region, "RegistryService", "GetPerson", request)
            self.ids[one.key] = found.person.person_id
        return self.ids[one.key]

    def browse(self, verb: str, path: str, role: Role, subject: str, **sent: Any) -> None:
        """A call of the gateway; what it refuses is kept."""
        headers = {"authorization": f"Bearer {self.token(role, subject)}"}
        answer = self.web.request(verb, path, headers=headers, **sent)
        if answer.is_error:
            self.refusals += [answer.content, repr(answer.headers).encode()]
        else:
            self.answered += 1


def certificate(one: DemoPerson) -> types_pb2.Certificate:
    """Somebody's identity card."""
    kind = types_pb2.CERTIFICATE_TYPE_ID_CARD
    return types_pb2.Certificate(type=kind, number=one.certificate_number)


def pharmacy(region: str) -> str:
    """A pharmacy of the demo's."""
    places = (one for one in data.INSTITUTIONS if (one.region, one.kind) == (region, "PHARMACY"))
    return next(places).code


def purchase(one: DemoPerson, **fields: Any) -> settlement_pb2.SettleRequest:
    """A purchase of somebody's at a pharmacy of the region."""
    request = settlement_pb2.SettleRequest(
        request_id=str(uuid4()),
        institution_code=pharmacy(one.region),
        credential=settlement_pb2.Credential(
            type=settlement_pb2.CREDENTIAL_TYPE_SOCIAL_CARD, value=one.card_no, name=one.name
        ),
        visit_type=settlement_pb2.VISIT_TYPE_PHARMACY,
        account_use=settlement_pb2.ACCOUNT_USE_MUTUAL_AID,
        items=[
            settlement_pb2.SettlementItem(
                line_no=1,
                catalog_code=data.ITEMS[0].code,
                name=data.ITEMS[0].name,
                quantity="1",
                unit_price_yuan="5",
                amount_fen=500,
            )
        ],
        total_fen=500,
    )
    request.occurred_at.FromJsonString(f"{_DAY}T01:00:00Z")
    for name, value in fields.items():
        setattr(request, name, value)
    return request


def buy(demo: Demo) -> None:
    """Everybody buys; then with another's name, with a wrong sum, with a name for a number."""
    for one in data.PEOPLE:
        till = pharmacy(one.region)
        for request in (
            purchase(one),
            purchase(one, total_fen=501),
            purchase(one, request_id=one.name),
            purchase(one, institution_code=one.name),
            purchase(one, chosen_binding_id=one.certificate_number),
            purchase(one, insured_region=one.phone),
        ):
            demo.call(Role.POS, till, "SettlementService", "Settle", request)
        wrong = purchase(one)
        wrong.credential.name = _FATHER.name if one is not _FATHER else _CHILD.name
        demo.call(Role.POS, till, "SettlementService", "Settle", wrong)
        wrong.credential.value = one.certificate_number
        demo.call(Role.POS, till, "SettlementService", "Settle", wrong)


def bind(demo: Demo) -> None:
    """Applications, sound and not, for people who are known and who are not."""
    for donor in data.PEOPLE:
        for other in (_CHILD, _FAMILY["tieling-brother"]):
            request = binding_pb2.CreateBindingRequest(
                request_id=str(uuid4()),
                donor_id=demo.find(donor),
                beneficiary=binding_pb2.Beneficiary(
                    certificate=certificate(other),
                    name=other.name,
                    phone=other.phone,
                    card_no=other.card_no,
                ),
                relation=types_pb2.RELATION_PARENT,
                uses=[types_pb2.USE_MEDICAL],
                channel=binding_pb2.CHANNEL_APP,
            )
            request.commitment.text_version = donor.name
            for name in (other.name, donor.name, other.certificate_number):
                request.beneficiary.name = name
                subject = demo.find(donor)
                demo.call(Role.CITIZEN, subject, "BindingService", "CreateBinding", request)


def snoop(demo: Demo) -> None:
    """Strangers ask for people whom they can name, and those who know a number for the name."""
    for one in data.PEOPLE:
        other = data.TIELING if one.region != data.TIELING else data.HOHHOT
        for role in (Role.AGENCY, Role.COUNTER):
            for region, name in ((other, one.name), (one.region, one.phone), (other, one.phone)):
                request = registry_pb2.GetPersonRequest(certificate=certificate(one), name=name)
                demo.call(role, region, "RegistryService", "GetPerson", request)
        person = registry_pb2.Person(
            name=one.name + "\n", certificate=certificate(one), card_no=one.name + " " + one.phone
        )
        put = registry_pb2.PutPersonRequest(person=person)
        demo.call(Role.AGENCY, other, "RegistryService", "PutPerson", put)


def browse(demo: Demo) -> None:
    """The same by the web: names and numbers in addresses, questions, bodies and headers."""
    for one in (_FATHER, _CHILD):
        who = {"certificate": {"type": "ID_CARD", "number": one.certificate_number}}
        mine = (Role.COUNTER, one.region)
        demo.browse("POST", "/v1/persons:find", *mine, json={**who, "name": one.name})
        demo.browse("POST", "/v1/persons:find", *mine, json={**who, "name": one.phone})
        demo.browse("POST", "/v1/persons:find", *mine, content=f'{{"name": "{one.name}'.encode())
        for named in (one.name, one.certificate_number, one.card_no, demo.find(one)):
            demo.browse("GET", f"/v1/persons/{named}", *mine)
            demo.browse("GET", "/v1/bindings", *mine, params={"donor_id": named})
        demo.web.get(f"/{one.name}", headers={"authorization": f"Bearer {one.certificate_number}"})


@pytest.fixture(scope="module")
def run(
    test_server: conftest.TestServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Demo, bytes]]:
    """A demo that has been through all of it and has ended, and all that it printed and logged."""
    database, folder = test_server.new_database(conftest.TEMPLATE), tmp_path_factory.mktemp("run")
    settings = {"GONGJI_GRPC_LISTEN": free_address(), "GONGJI_HTTP_LISTEN": free_address()}
    arguments = ("up", "--demo", "--purchase", "--date", _DAY)
    said: list[str] = []
    with gongji(database, folder, *arguments, **settings) as service:
        hearing = [_hear(service, name, said) for name in ("stdout", "stderr")]
        while not any(line.startswith("gongji serves the web") for line in list(said)):
            assert service.poll() is None, said
            hearing[0].join(0.1)
        with httpx.Client(
            base_url=f"http://{settings['GONGJI_HTTP_LISTEN']}", timeout=30, trust_env=False
        ) as web:
            demo = Demo(folder, settings["GONGJI_GRPC_LISTEN"], web, database)
            steps: tuple[Callable[[Demo], None], ...] = (buy, bind, snoop, browse)
            for step in steps:
                step(demo)
        with gongji(
            database, folder, "demo", "premium", "--date", _DAY, COLUMNS="120", **settings
        ) as premium:
            printed = premium.communicate(timeout=_SECONDS)
            assert premium.returncode == 0, printed
        service.send_signal(signal.SIGTERM)
        assert service.wait(_SECONDS) == 0
        for one in hearing:
            one.join(_SECONDS)
    yield demo, "".join((*said, *printed)).encode()
    test_server.drop(database)


def _hear(service: "subprocess.Popen[str]", name: str, said: list[str]) -> threading.Thread:
    hearing = threading.Thread(target=lambda: said.extend(getattr(service, name)))
    hearing.start()
    return hearing


Run = tuple[Demo, bytes]


def test_what_is_looked_for_would_be_found() -> None:
    for form in forms(_FATHER.name):
        assert f"name of {_FATHER.key}" in found_in(b"before " + form + b" after")
    for before in range(3):
        coded = base64.b64encode(b"x" * before + _FATHER.phone.encode() + b"yz")
        assert f"phone of {_FATHER.key}" in found_in(coded)


def test_the_run_was_a_whole_one(run: Run) -> None:
    demo, said = run
    assert demo.answered > len(data.PEOPLE)
    assert len(demo.refusals) > len(data.PEOPLE)
    assert b"GetPerson" in said


def test_no_print_and_no_log_line_names_anybody(run: Run) -> None:
    _, said = run
    assert found_in(said) == []


def test_no_refusal_names_anybody(run: Run) -> None:
    demo, _ = run
    assert found_in(b"\n".join(demo.refusals)) == []


def test_the_data_folder_names_nobody(run: Run) -> None:
    demo, _ = run
    for file in demo.folder.rglob("*"):
        if file.is_file():
            assert found_in(file.read_bytes()) == [], file


def test_a_dump_of_the_database_names_nobody(run: Run) -> None:
    demo, _ = run
    with psycopg.connect(demo.database.owner_url) as tx:
        query = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        tables = [name for (name,) in tx.execute(query)]
        assert "persons" in tables
        found = {table: found_in(dump_of(tx, table)) for table in tables}
        assert {table: some for table, some in found.items() if some} == {}


def dump_of(tx: psycopg.Connection[Any], table: str) -> bytes:
    """All that a table holds, as text, and its bytes once more as they are."""
    with tx.cursor().copy(f"COPY {table} TO STDOUT") as copy:
        text = b"".join(copy)
    for escaped in text.split(b"\\\\x")[1:]:
        digits = escaped[: len(escaped) - len(escaped.lstrip(b"0123456789abcdef"))]
        text += b"\n" + bytes.fromhex(digits.decode())
    return text
