"""The receipt: a settlement as its readers may see it.

Rule: one record, several readers. A till sees the legs of the bill it settled and no reason why a
donor paid no more; the patient sees every reason; a donor sees the leg that was theirs and not the
patient's items; a preview shows the donors as one sum. Donors whose masked names are alike are
numbered, to a till only those who paid, to a donor none.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from enum import Enum, auto
from typing import Any
from uuid import UUID

from gongji.v1 import settlement_pb2 as pb
from gongji.v1 import types_pb2
from gongji_svc.domain.bill import CatalogItem, LineSplit
from gongji_svc.domain.breakdown import Breakdown
from gongji_svc.domain.explanation import CHINESE, ENGLISH, caution_worded, worded
from gongji_svc.domain.masking import masked_name, masked_number
from gongji_svc.domain.money import format_price
from gongji_svc.domain.person import Enrolment
from gongji_svc.domain.policy import Policy
from gongji_svc.domain.settlement import Bill, Plan, PolicyMark
from gongji_svc.domain.step import Caution, Rule, Step, source_of
from gongji_svc.domain.terms import AccountOwner
from gongji_svc.domain.waterfall import Leg
from gongji_svc.services.names import enum_number
from gongji_svc.storage.institutions import Institution
from gongji_svc.storage.settlements import Settled

_DONOR_RULES = frozenset({Rule.DONOR_PAID, Rule.DONOR_LIMITED, Rule.DONOR_SKIPPED})
_FULL_QUANTITY = "0"


class Reader(Enum):
    """Who reads a receipt."""

    TILL = auto()
    PATIENT = auto()
    PREVIEW = auto()


Names = Mapping[str, str]
"""Donors' names, masked, by binding id."""


def told_apart(names: Names, binding_ids: Iterable[Any]) -> Names:
    """The names, of those that look alike each with its number in the order of `binding_ids`."""
    told = [one for one in dict.fromkeys(map(str, binding_ids)) if one in names]
    alike, seen = Counter(names[one] for one in told), Counter[str]()
    apart = dict(names)
    for one in told:
        name = names[one]
        seen[name] += 1
        if alike[name] > 1:
            apart[one] = f"{name}（{seen[name]}）"
    return apart


def breakdown(sums: Breakdown) -> pb.Breakdown:
    """The sums of a settlement."""
    return pb.Breakdown(
        total_fen=sums.total_fen,
        full_self_pay_fen=sums.full_self_pay_fen,
        over_limit_fen=sums.over_limit_fen,
        pre_self_pay_fen=sums.pre_self_pay_fen,
        in_scope_fen=sums.in_scope_fen,
        deductible_fen=sums.deductible_fen,
        fund_ratio_bp=sums.fund_ratio_bp,
        fund_pay_fen=sums.fund_pay_fen,
        personal_fen=sums.personal_fen,
        account_pay_fen=sums.account_pay_fen,
        mutual_aid_pay_fen=sums.mutual_aid_pay_fen,
        cash_pay_fen=sums.cash_pay_fen,
    )


def legs(plan: Plan, names: Names) -> list[pb.Leg]:
    """Whose money paid what; the patient's own legs first."""
    names = told_apart(names, _paying(plan))
    return [_leg(leg, names) for leg in plan.legs]


def _paying(plan: Plan) -> list[UUID]:
    return [leg.binding_id for leg in plan.legs if leg.binding_id is not None]


def _leg(leg: Leg, names: Names) -> pb.Leg:
    binding_id = "" if leg.binding_id is None else str(leg.binding_id)
    return pb.Leg(
        account_owner=enum_number(pb.AccountOwner, leg.owner),
        account_kind=enum_number(types_pb2.AccountKind, leg.account_kind),
        region=leg.region,
        donor_name=names.get(binding_id, ""),
        binding_id=binding_id,
        amount_fen=leg.amount_fen,
    )


def lines(
    plan: Plan, items: Sequence[pb.SettlementItem], catalogue: Mapping[str, CatalogItem]
) -> list[pb.SettlementLine]:
    """Each line as the catalogue parted it."""
    by_number = {item.line_no: item for item in items}
    return [
        _line(split, by_number[split.line_no], catalogue.get(split.catalog_code))
        for split in plan.lines
    ]


def _line(split: LineSplit, item: pb.SettlementItem, row: CatalogItem | None) -> pb.SettlementLine:
    ceiling = None if row is None else row.price_ceiling_micro
    return pb.SettlementLine(
        line_no=split.line_no,
        catalog_code=split.catalog_code,
        name=item.name,
        catalog_class=enum_number(types_pb2.CatalogClass, split.catalog_class),
        quantity=item.quantity,
        unit_price_yuan=item.unit_price_yuan,
        price_ceiling_yuan="" if ceiling is None else format_price(ceiling),
        self_pay_bp=split.self_pay_bp,
        amount_fen=split.amount_fen,
        splits=pb.LineSplits(
            full_self_pay_fen=split.full_self_pay_fen,
            over_limit_fen=split.over_limit_fen,
            pre_self_pay_fen=split.pre_self_pay_fen,
            in_scope_fen=split.in_scope_fen,
        ),
        account_payable=split.account_payable,
        returned_quantity=_FULL_QUANTITY,
    )


def explanation(plan: Plan, names: Names, reader: Reader) -> list[types_pb2.ExplanationStep]:
    """The steps by which the sums come about, each with its source. Who paid has the number of the
    leg; others come after, and only the patient is told of them.
    """
    steps, told = plan.steps, _paying(plan)
    if reader is Reader.TILL:
        order = _order_source(plan)
        steps = tuple(
            _without_reason(step, order) for step in steps if step.rule is not Rule.DONOR_SKIPPED
        )
    elif reader is Reader.PREVIEW:
        steps = tuple(_donors_as_one(plan))
    else:
        told += [outcome.binding_id for outcome in plan.outcomes]
    names = told_apart(names, told)
    return [_step(step, names) for step in steps]


def _without_reason(step: Step, source: str) -> Step:
    limited = step.rule is Rule.DONOR_LIMITED
    return replace(step, rule=Rule.DONOR_PAID, source=source) if limited else step


def _order_source(plan: Plan) -> str:
    """Where the order of the payers stands; beside a donor who was limited, another pays, or cash
    does.
    """
    in_order = (Rule.DONOR_PAID, Rule.CASH)
    return next((step.source for step in plan.steps if step.rule in in_order), "")


def _donors_as_one(plan: Plan) -> list[Step]:
    """The steps with all donors told as one sum, where the first of them stood."""
    steps: list[Step] = []
    told = plan.breakdown.mutual_aid_pay_fen == 0
    for step in plan.steps:
        if step.rule not in _DONOR_RULES:
            steps.append(step)
        elif not told:
            told = True
            total_fen = plan.breakdown.mutual_aid_pay_fen
            source = _order_source(plan)
            steps.append(Step(Rule.DONOR_PAID, total_fen, source, {"relatives": 1}))
    return steps


def _step(step: Step, names: Names) -> types_pb2.ExplanationStep:
    return types_pb2.ExplanationStep(
        rule=step.rule.value,
        text=worded(step, names, CHINESE),
        text_en=worded(step, names, ENGLISH),
        amount_fen=step.amount_fen,
        source=step.source,
    )


def warnings(plan: Plan, policy: Policy) -> list[pb.Warning]:
    """What the person should know beside the sums; `policy` is the patient's."""
    return [warning(caution, policy.sources) for caution in plan.cautions]


def warning(caution: Caution, sources: Mapping[str, str], amount_fen: int = 0) -> pb.Warning:
    """A caution in both languages, with where its rule stands."""
    return pb.Warning(
        rule=caution.value,
        text=caution_worded(caution, CHINESE, amount_fen),
        text_en=caution_worded(caution, ENGLISH, amount_fen),
        source=source_of(caution, sources),
    )


def policy_ref(mark: PolicyMark) -> types_pb2.PolicyRef:
    """The rules that decided."""
    return types_pb2.PolicyRef(region=mark.region, blocks=mark.blocks, digest=mark.digest)


def insurance(enrolment: Enrolment) -> Any:
    """The insurance of an enrolment, as the contract's value."""
    return enum_number(types_pb2.Insurance, enrolment.insurance)


def settlement(
    message: pb.SettleRequest, institution: Institution, bill: Bill, settled: Settled
) -> pb.Settlement:
    """The receipt for the till: who paid what and why."""
    patient, decided, names = bill.patient, settled.plan, settled.donor_names
    answer = pb.Settlement(
        settlement_id=str(settled.settlement_id),
        state=pb.SETTLEMENT_STATE_SETTLED,
        institution_code=institution.institution_code,
        institution_name=institution.name,
        care_region=bill.care.region,
        person_id=str(patient.person.person_id),
        patient_name=masked_name(patient.person.name),
        insurance=insurance(patient.enrolment),
        insured_region=patient.enrolment.region,
        person_type=enum_number(types_pb2.PersonType, patient.enrolment.person_type),
        visit_type=message.visit_type,
        account_use=message.account_use,
        breakdown=breakdown(decided.breakdown),
        legs=legs(decided, names),
        lines=lines(decided, message.items, bill.catalogue),
        own_balance_after_fen=own_balance_after_fen(bill, decided),
        warnings=warnings(decided, patient.policy),
        explanation=explanation(decided, names, Reader.TILL),
        policy=policy_ref(decided.policies[0]),
        request_id=message.request_id,
        disease_code=message.disease_code,
        invoice_no=message.invoice_no,
    )
    answer.occurred_at.CopyFrom(message.occurred_at)
    answer.recorded_at.FromDatetime(settled.recorded_at)
    for name in ("prescription", "terminal"):
        if message.HasField(name):
            getattr(answer, name).CopyFrom(getattr(message, name))
    if message.HasField("agent"):
        answer.agent.CopyFrom(_masked_agent(message.agent))
    return answer


def _masked_agent(agent: pb.ProxyBuyer) -> pb.ProxyBuyer:
    """代买药: the agent as the receipt shows one."""
    return pb.ProxyBuyer(
        name=masked_name(agent.name),
        certificate=types_pb2.Certificate(
            type=agent.certificate.type, number=masked_number(agent.certificate.number)
        ),
        principal_certificate_seen=agent.principal_certificate_seen,
        phone=masked_number(agent.phone),
    )


def own_balance_after_fen(bill: Bill, decided: Plan) -> int | None:
    """The own balance after the plan took effect, in fen; None without an account."""
    if not bill.patient.accounts:
        return None
    paid_fen = sum(leg.amount_fen for leg in decided.legs if leg.owner is AccountOwner.SELF)
    return sum(account.balance_fen for account in bill.patient.accounts) - paid_fen
