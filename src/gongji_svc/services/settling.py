"""Settle and its preview: from a till's request to a decided bill.

Rule: a preview is the same command without a claim, so it answers what Settle would. Checks come in
the order of what they reveal: who calls, the place, the time, the person, then the rules.
"""

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from gongji.v1 import settlement_pb2 as pb
from gongji.v1 import types_pb2
from gongji_svc.domain import errors
from gongji_svc.domain.binding import LIVING, Binding
from gongji_svc.domain.calendar import day_of
from gongji_svc.domain.eligibility import check_credential
from gongji_svc.domain.hold import Hold, check_applicable, settled
from gongji_svc.domain.money import yuan
from gongji_svc.domain.notice import NoticeKind
from gongji_svc.domain.person import Person
from gongji_svc.domain.settlement import Bill, Plan, plan
from gongji_svc.domain.settlement_journal import journal_of
from gongji_svc.domain.step import steps_of_frozen_holds
from gongji_svc.domain.terms import AccountState, AccountUse, CredentialType, VisitType
from gongji_svc.domain.waterfall import Leg
from gongji_svc.services import receipt, till
from gongji_svc.services.asked import Asked, AskedCommand
from gongji_svc.services.bills import (
    account_use_of,
    bill_of,
    donor_names,
    price_regions,
    trace_codes_of,
    with_holds,
)
from gongji_svc.services.days import CLOCKS_DIFFER, day_in, instant
from gongji_svc.services.misuse import Misuse, is_misused
from gongji_svc.services.names import enum_name
from gongji_svc.services.office import Office
from gongji_svc.services.receipt import Reader
from gongji_svc.services.risk_checks import RiskCheck, risks_at
from gongji_svc.storage import tables
from gongji_svc.storage.bindings import bindings_of, kept_from
from gongji_svc.storage.credentials import use_row
from gongji_svc.storage.holds import Counts, count, counter_rows, hold_in, hold_row
from gongji_svc.storage.ids import new_id, parse_id
from gongji_svc.storage.institutions import Institution
from gongji_svc.storage.notices import notice_row
from gongji_svc.storage.sealing import Sealer
from gongji_svc.storage.settlements import Counted, Settled, household_bindings
from gongji_svc.storage.state import Claim, Decision, Keys, Lookups, State, TableRow, Wanted
from gongji_svc.storage.statements import Row

_EARLIEST = timedelta(days=30)


@dataclass(slots=True)
class Preview(AskedCommand):
    """A purchase or visit as it would be settled now."""

    occurred_at: datetime
    shown: till.Shown
    hold_ids: tuple[UUID, ...]
    agents: tuple[bytes, ...] = ()  # under what the one who buys for the patient is found
    institution: Institution | None = None
    patient_id: UUID | None = None
    misuse: Misuse | None = None
    risks: RiskCheck | None = None
    bindings: tuple[Binding, ...] = ()
    seen: dict[UUID, Row] = field(default_factory=dict)  # the bindings' rows
    holds: tuple[Hold, ...] = ()

    def lookups(self) -> Lookups:
        """The institution, the prescriber, whose credential and holds they are, and the agent."""
        message = self.asked.message
        codes = (message.institution_code, message.prescription.institution_code)
        return Lookups(
            institution_codes=tuple(code for code in codes if code),
            identities=(*self.shown.identities, *self.agents),
            owned=tuple((tables.holds, hold_id) for hold_id in self.hold_ids),
        )

    def keys(self, state: State) -> Keys:
        """The patient and the prices; nothing is claimed."""
        message = self.asked.message
        self.institution = till.institution_of(state, self.asked.caller, message.institution_code)
        self.patient_id = self.shown.owner_id(state)
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
        """The patient's account, the donors with theirs that may be asked, the holds named, and
        what is known of a one-time code; of a misuse its record alone.
        """
        if self.patient_id is None:
            return Wanted()
        self.misuse = self._misuse(state, self.patient_id)
        if self.misuse is not None:
            signal = (tables.risk_signals, self.misuse.signal_id)
            return Wanted(things=(signal,), codes=self.shown.codes)
        if account_use_of(self.asked.message) is AccountUse.MUTUAL_AID:
            bindings = bindings_of(state, self.patient_id)
            self.bindings = tuple(binding for binding in bindings if binding.state in LIVING)
            self.seen = dict(state.bindings_of[self.patient_id])
        donor_ids = tuple(binding.donor_id for binding in self.bindings)
        binding_ids = tuple(binding.binding_id for binding in self.bindings)
        place, occurred_at = self.institution, self.occurred_at
        assert place is not None  # noqa: S101 - keys() came first
        self.risks = risks_at(self.office, place, occurred_at, self.patient_id, donor_ids)
        year = date(day_of(occurred_at).year, 1, 1)
        subjects = (self.patient_id, *donor_ids, *binding_ids)
        held = [hold_id for hold_id in self.hold_ids if hold_id in state.owners]
        owner_ids = (state.owners[hold_id] for hold_id in held)
        return Wanted(
            accounts_of=(self.patient_id, *donor_ids, *owner_ids),
            persons=donor_ids,
            counters=tuple((subject, year) for subject in subjects),
            things=tuple((tables.holds, hold_id) for hold_id in held),
            codes=self.shown.codes,
            look_back=None if self.risks is None else self.risks.look_back,
        )

    def _misuse(self, state: State, owner_id: UUID) -> Misuse | None:
        agent_ids = [state.directory.get(agent) for agent in self.agents]
        if not is_misused(self.asked.message, owner_id, agent_ids):
            return None
        assert self.institution is not None  # noqa: S101 - keys() came first
        return Misuse.found(self.office, self.asked, self.institution, owner_id)

    def decide(self, state: State) -> Decision:
        """What a till is shown before it settles; donors as one sum."""
        bill, decided = self.judge(state)
        names = donor_names(bill.donors)
        enrolment = bill.patient.enrolment
        answer = pb.PreviewSettlementResponse(
            breakdown=receipt.breakdown(decided.breakdown),
            explanation=receipt.explanation(decided, names, Reader.PREVIEW),
            lines=receipt.lines(decided, self.asked.message.items, bill.catalogue),
            warnings=receipt.warnings(decided, bill.patient.policy),
            own_balance_after_fen=receipt.own_balance_after_fen(bill, decided),
            policy=receipt.policy_ref(decided.policies[0]),
            insurance=receipt.insurance(enrolment),
            insured_region=enrolment.region,
            person_id=str(bill.patient.person.person_id),
        )
        return Decision(answer=answer.SerializeToString())

    def judge(self, state: State) -> tuple[Bill, Plan]:
        """The bill and the plan for it; raises the first refusal that applies."""
        message, sealer = self.asked.message, self.office.sealer
        assert self.institution is not None  # noqa: S101 - keys() came first
        till.check_serving(self.institution)
        self._check_time(state.now)
        occurred_at, day = self.occurred_at, day_of(self.occurred_at)
        person = till.patient_of(state, self.shown, self.patient_id, self.institution, sealer, day)
        if self.misuse is not None:
            raise self.misuse.refusal(state)
        self._check_certificates(person)
        bill = bill_of(
            self.office, state, message, self.institution, person, self._current(state), occurred_at
        )
        credential = CredentialType(enum_name(pb.CredentialType, message.credential.type))
        check_credential(bill.patient.policy, credential)
        named = [self._named_hold(state, bill, hold_id) for hold_id in self.hold_ids]
        frozen = [hold for hold in named if _is_frozen(state, hold)]  # they stay as they are
        self.holds = tuple(hold for hold in named if hold not in frozen)
        if self.holds:
            bill = with_holds(bill, self.holds)
        decided = plan(bill)
        if frozen:
            untouched = steps_of_frozen_holds(hold.amount_fen for hold in frozen)
            decided = replace(decided, steps=(*decided.steps, *untouched))
        if self.risks is not None:
            paid = (leg for leg in decided.legs if leg.binding_id is not None)
            self.risks.check(state, [leg.person_id for leg in paid])
        return bill, decided

    def _current(self, state: State) -> tuple[Binding, ...]:
        """The bindings that were discovered, as earlier commands of the batch have left them."""
        if self.patient_id is None or not self.bindings:
            return ()
        now, seen = state.bindings_of[self.patient_id], self.seen
        present = (
            b if now[b.binding_id] is seen[b.binding_id] else kept_from(now[b.binding_id]).binding
            for b in self.bindings
        )
        return tuple(binding for binding in present if binding.state in LIVING)

    def _named_hold(self, state: State, bill: Bill, hold_id: UUID) -> Hold:
        hold = hold_in(state, hold_id)
        if hold is None:
            raise errors.HoldNotFound
        code, patient_id = self.asked.message.institution_code, bill.patient.person.person_id
        check_applicable(hold, patient_id, code, bill.account_use)
        return hold

    def _check_time(self, now: datetime) -> None:
        if self.occurred_at > now + CLOCKS_DIFFER:
            raise errors.OccurredInFuture
        if self.occurred_at < now - _EARLIEST:
            raise errors.OutOfTime

    def _check_certificates(self, person: Person) -> None:
        """An agent shows both people's certificates; a chronic disease is one registered."""
        message = self.asked.message
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
        settlement = self._settled(state, bill, decided)
        holds = tuple(settled(self.holds, decided.legs, state.now))
        journal = journal_of(
            bill,
            decided,
            new_id(bill.care.region),
            settlement.settlement_id,
            message.institution_code,
            self.occurred_at,
        )
        return Decision(
            answer=self._answer(bill, settlement, holds).SerializeToString(),
            result_id=settlement.settlement_id,
            held=tuple((hold.account_id, -hold.amount_fen) for hold in holds),
            journals=() if journal is None else (journal,),
            new=(
                (tables.settlements, settlement.row()),
                *_notices(decided, settlement.settlement_id, state.now),
            ),
            replaced=(
                *counter_rows(state, _counted(bill, decided, holds)),
                *((tables.holds, hold_row(hold)) for hold in holds),
                *self._used_code(state, settlement.settlement_id),
            ),
        )

    def _used_code(self, state: State, settlement_id: UUID) -> Iterator[TableRow]:
        code = self.shown.code
        if code is not None:
            use = code.use_at(state, self.asked.message.institution_code)
            yield use_row(code.key, use.used_up(settlement_id))

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
            recorded_at=state.recorded_at,
            trace_codes=trace_codes_of(message),
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

    def _answer(self, bill: Bill, settled: Settled, holds: Sequence[Hold]) -> pb.SettleResponse:
        assert self.institution is not None  # noqa: S101 - keys() came first
        settlement = receipt.settlement(self.asked.message, self.institution, bill, settled)
        for hold in reversed(holds):
            _tell(hold, settled.plan.legs, settlement.legs)
        return pb.SettleResponse(settlement=settlement)


def _is_frozen(state: State, hold: Hold) -> bool:
    return state.accounts[hold.account_id].state == AccountState.FROZEN


def _tell(hold: Hold, legs: Sequence[Leg], shown: Sequence[pb.Leg]) -> None:
    """Name a hold in the leg that was taken from it; of several the first is named."""
    for leg, message in zip(legs, shown, strict=True):
        if hold.captured_fen and leg.account_id == hold.account_id:
            message.hold_id = str(hold.hold_id)


def _notices(decided: Plan, settlement_id: UUID, at: datetime) -> Iterator[TableRow]:
    for leg in decided.legs:
        if leg.binding_id is not None:
            yield notice_row(NoticeKind.DEBIT, leg, settlement_id, at)


def _counted(bill: Bill, decided: Plan, holds: Sequence[Hold]) -> Counts:
    """What is counted after the plan: limits by day, benefit by year. Holds count no more."""
    day = bill.occurred_on
    patient_id = bill.patient.person.person_id
    insurance = bill.patient.enrolment.insurance.value
    counts: Counts = defaultdict(int)
    for hold in holds:
        count(counts, hold, -hold.amount_fen)
    for kind, more_fen in (
        (Counted.DEDUCTIBLE, decided.breakdown.deductible_fen),
        (Counted.FUND, decided.fund_in_cap_fen),
    ):
        if more_fen and not decided.given:
            counts[patient_id, kind.of(insurance), date(day.year, 1, 1)] += more_fen
    household = household_bindings(bill)
    for leg in decided.legs:
        if leg.binding_id is None:
            continue
        counts[leg.binding_id, Counted.MUTUAL_AID.value, day] += leg.amount_fen
        if leg.binding_id in household:
            counts[leg.person_id, Counted.HOUSEHOLD.value, day] += leg.amount_fen
    return counts


def read_settle(office: Office, asked: Asked) -> Settle:
    """The command in a SettleRequest."""
    return Settle(office, asked, *_facts(office, asked))


def read_preview(office: Office, asked: Asked) -> Preview:
    """The command in a PreviewSettlementRequest."""
    return Preview(office, asked, *_facts(office, asked))


def _facts(
    office: Office, asked: Asked
) -> tuple[datetime, till.Shown, tuple[UUID, ...], tuple[bytes, ...]]:
    message, sealer = asked.message, office.sealer
    occurred_at = instant("occurred_at", message.occurred_at)
    day_in(message.prescription, "prescribed_on", "prescription")
    shown = till.shown(message.credential, sealer)
    return occurred_at, shown, _hold_ids(message), _agents(message, sealer)


def _agents(message: Any, sealer: Sealer) -> tuple[bytes, ...]:
    if not message.HasField("agent"):
        return ()
    certificate: types_pb2.Certificate = message.agent.certificate
    kind = enum_name(types_pb2.CertificateType, certificate.type)
    return (sealer.index(kind, certificate.number),)


def _hold_ids(message: Any) -> tuple[UUID, ...]:
    """The holds named, each once; HoldNotFound for an id that none can have."""
    found = {parse_id(text): None for text in message.hold_ids}
    if None in found:
        raise errors.HoldNotFound
    return tuple(hold_id for hold_id in found if hold_id is not None)
