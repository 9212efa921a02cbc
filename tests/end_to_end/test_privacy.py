"""Nobody's name or number is found where it has no business: in what the demo prints and logs, in
its metrics and traces, in its data folder, in a dump of its database, in what is told to those who
are refused, and in answers to those who may not see it. Nor is a key.

Rule: the demo's people are the only ones there are.
"""

import base64
import contextlib
import signal
import subprocess
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import httpx
import psycopg
import pytest

from gongji.v1 import account_pb2, binding_pb2, registry_pb2, settlement_pb2, types_pb2
from gongji_svc.config import Address
from gongji_svc.demo import data
from gongji_svc.demo.data import DemoPerson
from gongji_svc.domain.access import Caller, Role
from gongji_svc.domain.calendar import start_of
from gongji_svc.services.contract import method_of
from gongji_svc.services.identity import development_key, issue_token
from gongji_svc.storage.database import Database
from gongji_svc.storage.keycheck import check_keys
from tests import conftest
from tests.commands.program import gongji
from tests.end_to_end.looking import dump_of, forms, found_in, tables_of
from tests.end_to_end.service import free_address
from tests.end_to_end.test_traces import Collector
from tests.families import KEYS
from tests.sealed import CURRENT, KNOWN, key_ids

_DAY = date(2025, 10, 15)
_SECONDS = 120
_FAMILY = {one.key: one for one in data.PEOPLE}
_FATHER, _CHILD = _FAMILY["hohhot-father"], _FAMILY["hohhot-grandfather"]
_STAFF = {Role.COUNTER, Role.REVIEWER, Role.AGENCY, Role.TAX, Role.AUDIT}


@dataclass
class Demo:
    """A running demo, and all that it said so far."""

    folder: Path
    target: str
    web: httpx.Client
    database: Database
    refusals: list[bytes] = field(default_factory=list)
    answers: defaultdict[Role, list[bytes]] = field(default_factory=lambda: defaultdict(list))
    metrics: bytes = b""
    spans: bytes = b""
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
        self.answers[role].append(answer.SerializeToString())
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
            self.answers[role].append(answer.content)


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
    request.occurred_at.FromDatetime(start_of(_DAY))
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


def look(demo: Demo) -> None:
    """Everybody looks at what is their own."""
    for one in data.PEOPLE:
        mine = demo.find(one)
        for service, rpc, request in (
            ("RegistryService", "GetPerson", registry_pb2.GetPersonRequest(person_id=mine)),
            ("BindingService", "ListBindings", binding_pb2.ListBindingsRequest(donor_id=mine)),
            (
                "BindingService",
                "ListBindings",
                binding_pb2.ListBindingsRequest(beneficiary_id=mine),
            ),
            ("AccountService", "ListAccounts", account_pb2.ListAccountsRequest(person_id=mine)),
            (
                "SettlementService",
                "ListSettlements",
                settlement_pb2.ListSettlementsRequest(person_id=mine),
            ),
        ):
            demo.call(Role.CITIZEN, mine, service, rpc, request)


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
    arguments = ("up", "--demo", "--purchase", "--date", str(_DAY))
    metrics = Address.parse(free_address())
    said: list[str] = []
    with (
        contextlib.closing(Collector()) as traces,
        gongji(
            database,
            folder,
            *arguments,
            **settings,
            GONGJI_METRICS_LISTEN=str(metrics),
            GONGJI_TRACES=traces.endpoint,
        ) as service,
    ):
        hearing = [_hear(service, name, said) for name in ("stdout", "stderr")]
        while not any(line.startswith("gongji serves the web") for line in list(said)):
            assert service.poll() is None, said
            hearing[0].join(0.1)
        with httpx.Client(
            base_url=f"http://{settings['GONGJI_HTTP_LISTEN']}", timeout=30, trust_env=False
        ) as web:
            demo = Demo(folder, settings["GONGJI_GRPC_LISTEN"], web, database)
            steps: tuple[Callable[[Demo], None], ...] = (buy, bind, snoop, look, browse)
            for step in steps:
                step(demo)
            for address in (metrics, metrics.plus(1)):
                demo.metrics += web.get(f"http://{address}/metrics").content
        with gongji(
            database, folder, "demo", "premium", "--date", str(_DAY), COLUMNS="120", **settings
        ) as premium:
            printed = premium.communicate(timeout=_SECONDS)
            assert premium.returncode == 0, printed
        service.send_signal(signal.SIGTERM)
        assert service.wait(_SECONDS) == 0
        for one in hearing:
            one.join(_SECONDS)
        demo.spans = b"".join(span.SerializeToString() for _, span in traces.received)
    yield demo, "".join((*said, *printed, *rekey(database, folder))).encode()
    test_server.drop(database)


def rekey(database: Database, folder: Path) -> tuple[str, ...]:
    """Seal everything with another key; what is printed."""
    check_keys(database, KNOWN)
    file = folder.with_suffix(".keys")
    file.write_text(CURRENT.dump())
    with gongji(database, folder, "rekey", GONGJI_DATA_KEY=str(file)) as process:
        printed = process.communicate(timeout=_SECONDS)
        assert process.returncode == 0, printed
    return printed


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
    assert len(demo.answers[Role.AGENCY]) > 0
    assert len(demo.answers[Role.POS]) >= len(data.PEOPLE)
    assert len(demo.answers[Role.COUNTER]) > 0
    assert len(demo.answers[Role.CITIZEN]) >= 5 * len(data.PEOPLE)
    assert len(demo.refusals) > len(data.PEOPLE)
    assert b"GetPerson" in said
    assert b"gongji_calls_total" in demo.metrics
    assert b"gongji_job_last_success_timestamp_seconds" in demo.metrics
    assert b"Settle" in demo.spans
    assert key_ids(demo.database)["persons"] == {2}


def test_no_print_and_no_log_line_names_anybody(run: Run) -> None:
    _, said = run
    assert found_in(said) == []


def test_no_metric_and_no_span_names_anybody(run: Run) -> None:
    demo, _ = run
    assert found_in(demo.metrics + demo.spans) == []


@pytest.mark.parametrize("role", [Role.POS, Role.COUNTER])
def test_no_answer_to_a_till_or_a_counter_names_anybody_in_clear(run: Run, role: Role) -> None:
    demo, _ = run
    assert found_in(b"\n".join(demo.answers[role])) == []


def test_no_answer_to_a_citizen_shows_a_whole_number(run: Run) -> None:
    demo, _ = run
    found = found_in(b"\n".join(demo.answers[Role.CITIZEN]))
    assert [one for one in found if not one.startswith("name of ")] == []


def test_no_print_no_log_line_no_span_and_no_table_shows_a_key(run: Run) -> None:
    demo, said = run
    with psycopg.connect(demo.database.owner_url) as tx:
        dump = b"".join(dump_of(tx, table) for table in tables_of(tx))
    everywhere = said + demo.metrics + demo.spans + dump
    for key in (KEYS.index_key, *CURRENT.data_keys.values()):
        assert not any(form in everywhere for form in (key, key.hex().encode()))


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
        tables = tables_of(tx)
        assert "persons" in tables
        found = {table: found_in(dump_of(tx, table)) for table in tables}
        assert {table: some for table, some in found.items() if some} == {}
