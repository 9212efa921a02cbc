"""Settle and its preview: from a till's request to a decided bill.

Rule: a preview is the same command without a claim, so it answers what Settle would. Checks come in
the order of what they reveal: who calls, the place, the time, the person, then the rules.
"""

import json
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from gongji.v1 import settlement_pb2 as pb
from gongji_svc.domain import errors
from gongji_svc.domain.binding import LIVING, Binding
from gongji_svc.domain.calendar import day_of
from gongji_svc.domain.eligibility import check_credential
from gongji_svc.domain.money import yuan
from gongji_svc.domain.person import Person
from gongji_svc.domain.policy_values import NO_CAPS
from gongji_svc.domain.settlement import Bill, Plan, plan
from gongji_svc.domain.settlement_journal import journal_of
from gongji_svc.domain.terms import AccountUse, CredentialType, VisitType
from gongji_svc.services import receipt, till
from gongji_svc.services.asked import Asked
from gongji_svc.services.bills import account_use_of, bill_of, donor_names, price_regions
from gongji_svc.services.days import CLOCKS_DIFFER, day_in, instant
from gongji_svc.services.names import enum_name
from gongji_svc.services.office import Office
from gongji_svc.services.receipt import Reader
from gongji_svc.storage import tables
from gongji_svc.storage.bindings import bindings_of
from gongji_svc.storage.ids import new_id
from gongji_svc.storage.institutions import Institution
from gongji_svc.storage.settlements import Counted, Settled, counter_row
from gongji_svc.storage.state import Claim, Decision, Keys, Lookups, State, Wanted
from gongji_svc.storage.statements import Row

_EARLIEST = timedelta(days=30)


@dataclass(slots=True)
class Preview:
    """A purchase or visit as it would be settled now."""

    office: Office
    asked: Asked
    occurred_at: datetime
    identity: bytes | None
    institution: Institution | None = None
    patient_id: UUID | None = None
    bindings: tuple[Binding, ...] = ()

    @property
    def deadline(self) -> float:
        """Unix seconds."""
        return self.asked.deadline

    def field_name(self, number: int) -> str:
        """The contract's name of a field."""
        return self.asked.field_name(number)

    def lookups(self) -> Lookups:
        """The institution, the prescriber, and whose credential it is."""
        message = self.asked.message
        codes = (message.institution_code, message.prescription.institution_code)
        return Lookups(
            institution_codes=tuple(code for code in codes if code),
            identities=() if self.identity is None else (self.identity,),
        )

    def keys(self, state: State) -> Keys:
        """The patient and the prices; nothing is claimed."""
        message = self.asked.message
        self.institution = till.institution_of(state, self.asked.caller, message.institution_code)
        if self.identity is not None:
            self.patient_id = state.directory.get(self.identity)
        codes = {item.catalog_code for item in message.items}
        return Keys(
            persons=() if self.patient_id is None else (self.patient_id,),
            catalogue=tuple(
                (region, code)
                for region in price_regions(self.institution.region)
                for code in codes
            ),
        )

    def discover(self, state: State) -> Wanted:
        """The patient's account, and the donors with theirs that may be asked."""
        if self.patient_id is None:
            return Wanted()
        if account_use_of(self.asked.message) is AccountUse.MUTUAL_AID:
            bindings = bindings_of(state, self.patient_id)
            self.bindings = tuple(binding for binding in bindings if binding.state in LIVING)
        donor_ids = tuple(binding.donor_id for binding in self.bindings)
        binding_ids = tuple(binding.binding_id for binding in self.bindings)
        year = date(day_of(self.occurred_at).year, 1, 1)
        subjects = (self.patient_id, *donor_ids, *binding_ids)
        return Wanted(
            accounts_of=(self.patient_id, *donor_ids),
            persons=donor_ids,
            counters=tuple((subject, year) for subject in subjects),
        )

    def decide(self, state: State) -> Decision:
        """What a till is shown before it settles; donors as one sum."""
        bill, decided = self.judge(state)
        names = donor_names(bill.donors)
        enrolment = bill.patient.enrolment
        answer = pb.PreviewSettlementResponse(
            breakdown=receipt.breakdown(decided.breakdown),
            explanation=receipt.explanation(decided, names, Reader.PREVIEW),
            lines=receipt.lines(decided, self.asked.message.items, bill.catalogue),
            warnings=receipt.warnings(decided),
            own_balance_after_fen=receipt.own_balance_after_fen(bill, decided),
            policy=receipt.policy_ref(decided.policies[0]),
            insurance=receipt.insurance(enrolment),
            insured_region=enrolment.region,
            person_id=str(bill.patient.person.person_id),
        )
        return Decision(answer=answer.SerializeToString())

    def judge(self, state: State) -> tuple[Bill, Plan]:
        """The bill and the plan for it; raises the first refusal that applies."""
        message = self.asked.message
        assert self.institution is not None  # noqa: S101 - keys() came first
        till.check_serving(self.institution)
        self._check_time(state.now)
        sealer = self.office.sealer
        person = till.patient_of(state, message.credential, self.patient_id, sealer)
        self._check_certificates(person)
        occurred_at = self.occurred_at
        bill = bill_of(
            self.office, state, message, self.institution, person, self.bindings, occurred_at
        )
        credential = CredentialType(enum_name(pb.CredentialType, message.credential.type))
        check_credential(bill.patient.policy, credential)
        if message.hold_ids:
            raise errors.HoldNotFound
        return bill, plan(bill)

    def _check_time(self, now: datetime) -> None:
        if self.occurred_at > now + CLOCKS_DIFFER:
            raise errors.OccurredInFuture
        if self.occurred_at < now - _EARLIEST:
            raise errors.OutOfTime

    def _check_certificates(self, person: Person) -> None:
        """Whose certificate: the patient's own, always; an agent shows both people's."""
        message = self.asked.message
        if message.person_id and message.person_id != str(person.person_id):
            raise errors.CredentialMisused
        if message.HasField("agent") and not message.agent.principal_certificate_seen:
            raise errors.PrincipalCertificateNotSeen
        chronic = enum_name(pb.VisitType, message.visit_type) == VisitType.CHRONIC
        registered = person.chronic_diseases
        if chronic and (message.disease_code or next(iter(registered), "")) not in registered:
            raise errors.ChronicDiseaseNotRegistered


@dataclass(slots=True)
class Settle(Preview):
    """A purchase or visit to be settled."""

    def keys(self, state: State) -> Keys:
        """The request key at the institution; the patient; the prices."""
        keys = Preview.keys(self, state)
        return Keys(self._claim(), keys.persons, keys.donors, keys.catalogue)

    def _claim(self) -> Claim:
        assert self.institution is not None  # noqa: S101 - Preview.keys set it
        meant = [] if self.patient_id is None else [("credential", self.patient_id.bytes)]
        code = self.institution.institution_code
        return self.asked.claim(self.institution.region, code, self.office.sealer, meant)

    def decide(self, state: State) -> Decision:
        """The settlement: what moves, what is counted, and the receipt."""
        bill, decided = self.judge(state)
        message = self.asked.message
        cash_pay_fen = decided.breakdown.cash_pay_fen
        if message.HasField("expected_cash_pay_fen") and (
            message.expected_cash_pay_fen != cash_pay_fen
        ):
            raise errors.PreviewOutdated(
                cash_pay_fen=str(cash_pay_fen), cash_pay_yuan=yuan(cash_pay_fen)
            )
        settled = self._settled(state, bill, decided)
        journal = journal_of(
            bill,
            decided,
            new_id(bill.care.region),
            settled.settlement_id,
            message.institution_code,
            self.occurred_at,
        )
        return Decision(
            answer=self._answer(bill, settled).SerializeToString(),
            result_id=settled.settlement_id,
            journals=() if journal is None else (journal,),
            new=((tables.settlements, settled.row()),),
            replaced=tuple((tables.counters, row) for row in _counted(state, bill, decided)),
        )

    def _settled(self, state: State, bill: Bill, decided: Plan) -> Settled:
        message = self.asked.message
        settlement_id = new_id(bill.care.region)
        return Settled(
            settlement_id=settlement_id,
            institution_code=message.institution_code,
            request_id=message.request_id,
            bill=bill,
            plan=decided,
            donor_names=donor_names(bill.donors),
            sealed_agent=self._sealed_agent(settlement_id),
            occurred_at=self.occurred_at,
            recorded_at=state.now,
        )

    def _sealed_agent(self, settlement_id: UUID) -> str | None:
        """代买药: who bought for the patient, sealed: "key id:hexadecimal"."""
        message = self.asked.message
        if not message.HasField("agent"):
            return None
        agent: pb.ProxyBuyer = message.agent
        clear = json.dumps(
            {
                "name": agent.name,
                "certificate_type": agent.certificate.type,
                "certificate_number": agent.certificate.number,
                "phone": agent.phone,
            },
            ensure_ascii=False,
        )
        sealer = self.office.sealer
        return f"{sealer.key_id}:{sealer.seal(clear, settlement_id.bytes).hex()}"

    def _answer(self, bill: Bill, settled: Settled) -> pb.SettleResponse:
        assert self.institution is not None  # noqa: S101 - keys() came first
        message = self.asked.message
        return pb.SettleResponse(
            settlement=receipt.settlement(message, self.institution, bill, settled)
        )


def _counted(state: State, bill: Bill, decided: Plan) -> list[Row]:
    """The counters after the plan: limits by day, benefit by year."""
    day = bill.occurred_on
    year = date(day.year, 1, 1)
    patient_id = bill.patient.person.person_id
    insurance = bill.patient.enrolment.insurance.value
    rows: list[Row] = []
    for kind, more_fen in (
        (Counted.DEDUCTIBLE, decided.breakdown.deductible_fen),
        (Counted.FUND, decided.fund_in_cap_fen),
    ):
        if more_fen and not decided.given:
            rows.append(counter_row(state, patient_id, kind.of(insurance), year, more_fen))
    capped = {d.binding.binding_id for d in bill.donors if d.policy.household_caps != NO_CAPS}
    taken: dict[tuple[UUID, str], int] = {}
    for leg in decided.legs:
        if leg.binding_id is None:
            continue
        key = (leg.binding_id, Counted.MUTUAL_AID.value)
        taken[key] = taken.get(key, 0) + leg.amount_fen
        if leg.binding_id in capped:
            key = (leg.person_id, Counted.HOUSEHOLD.value)
            taken[key] = taken.get(key, 0) + leg.amount_fen
    rows += [counter_row(state, subject, kind, day, fen) for (subject, kind), fen in taken.items()]
    return rows


def read_settle(office: Office, asked: Asked) -> Settle:
    """The command in a SettleRequest."""
    return Settle(office, asked, *_facts(office, asked))


def read_preview(office: Office, asked: Asked) -> Preview:
    """The command in a PreviewSettlementRequest."""
    return Preview(office, asked, *_facts(office, asked))


def _facts(office: Office, asked: Asked) -> tuple[datetime, bytes | None]:
    message = asked.message
    occurred_at = instant("occurred_at", message.occurred_at)
    day_in(message.prescription, "prescribed_on", "prescription")
    return occurred_at, till.identity_hash(message.credential, office.sealer)
