# ruff: noqa: RUF009 - at() makes a dataclass field; it is not a shared mutable default
"""The shape of a region's policy; rulebook.py says which one holds on a day.

Rule: a value is data with its source, never Python. A value that no level states has the neutral
default below (no limit, nothing required, nothing paid) and no source.

Each `at(...)` is a place in the file and a reader (`policy_document.py`, `policy_values.py`). The
group `risk` is in `policy_risk.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any

from gongji_svc.domain import policy_values as form
from gongji_svc.domain.calendar import Span
from gongji_svc.domain.policy_risk import RiskRules
from gongji_svc.domain.policy_values import NO_CAPS, Caps, Reader, at, one_of, optional, set_of
from gongji_svc.domain.terms import (
    AccountBase,
    AccountKind,
    Area,
    BeneficiaryField,
    Confirmation,
    CredentialType,
    DeductibleScope,
    DonorLapse,
    InstitutionKind,
    InstitutionLevel,
    Insurance,
    Order,
    OwnZeroRule,
    PersonType,
    PharmacyLevel,
    PremiumHandOver,
    PremiumRefundCause,
    PremiumRefundTo,
    Relation,
    SeveralGrants,
    UnbindingEffect,
    Use,
    VisitType,
)

NATION = "000000"
_NOTHING: Mapping[Any, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Policy(RiskRules):
    """The rules of one region on one day; amounts in fen, ratios in basis points."""

    region: str
    region_name: str
    blocks: tuple[str, ...]  # which blocks decided it: "150100@2024-09-01"
    sources: Mapping[str, str]  # field name -> where the value comes from
    digest: str  # over all values: a stored settlement proves its rules with it

    # the donor
    donor_insurances: frozenset[Insurance] = at(
        "donor.insurances", set_of(one_of(Insurance)), frozenset()
    )
    donor_account_required: bool = at("donor.account_required", form.flag, True)
    donor_publicly_funded: bool = at("donor.publicly_funded", form.flag, True)
    donor_lapse: DonorLapse = at("donor.lapse", one_of(DonorLapse), DonorLapse.SUSPEND)
    # the beneficiary
    beneficiary_insurances: frozenset[Insurance] = at(
        "beneficiary.insurances", set_of(one_of(Insurance)), frozenset()
    )
    beneficiary_area: Area = at("beneficiary.area", one_of(Area), Area.SAME_REGION)
    beneficiary_publicly_funded: bool = at("beneficiary.publicly_funded", form.flag, True)
    beneficiary_fields: frozenset[BeneficiaryField] = at(
        "beneficiary.required_fields", set_of(one_of(BeneficiaryField)), frozenset()
    )
    # relations and members
    relations: frozenset[Relation] = at("relations.allowed", set_of(one_of(Relation)), frozenset())
    members_at_once: int | None = at("members.at_once", optional(form.whole), None)
    members_lifetime: int | None = at("members.lifetime", optional(form.whole), None)
    members_by_relation: Mapping[Relation, int] = at(
        "members.by_relation", form.mapping_of(one_of(Relation), form.whole), _NOTHING
    )
    donors_at_once: int | None = at("members.donors_at_once", optional(form.whole), None)
    one_role_only: bool = at("members.one_role_only", form.flag, False)
    # binding
    channels: tuple[form.ChannelRule, ...] = at(
        "binding.channels", form.list_of(form.channel_rule), ()
    )
    documents: tuple[form.DocumentRule, ...] = at(
        "binding.documents", form.list_of(form.document_rule), ()
    )
    confirmations: frozenset[Confirmation] = at(
        "binding.confirmations", set_of(one_of(Confirmation)), frozenset()
    )
    start_date_required: bool = at("binding.start_date_required", form.flag, False)
    end_date_required: bool = at("binding.end_date_required", form.flag, False)
    unbinding_lock: Span = at("binding.unbinding_lock", form.span, Span())
    rebinding_lock: Span = at("binding.rebinding_lock", form.span, Span())
    unbinding_effect: UnbindingEffect = at(
        "binding.unbinding_effect", one_of(UnbindingEffect), UnbindingEffect.IMMEDIATE
    )
    relatives_visible: bool = at("binding.relatives_visible", form.flag, False)
    # texts that people accept: no version, nothing to accept
    commitment_version: str = at("commitment.version", form.text, "")
    commitment_title: str = at("commitment.title", form.text, "")
    commitment_text: str = at("commitment.text", form.text, "")
    notice_version: str = at("notice.version", form.text, "")
    notice_title: str = at("notice.title", form.text, "")
    notice_text: str = at("notice.text", form.text, "")
    # what the money may be used for, and where
    uses: frozenset[Use] = at("use.uses", set_of(one_of(Use)), frozenset())
    use_places: frozenset[InstitutionKind] = at(
        "use.places", set_of(one_of(InstitutionKind)), frozenset()
    )
    use_visit_types: frozenset[VisitType] = at(
        "use.visit_types", set_of(one_of(VisitType)), frozenset()
    )
    use_area: Area = at("use.area", one_of(Area), Area.SAME_REGION)
    credentials: frozenset[CredentialType] = at(
        "use.credentials", set_of(one_of(CredentialType)), frozenset()
    )
    agent_proofs_required: bool = at("use.agent_proofs_required", form.flag, True)
    out_of_region_warnings: bool = at("use.out_of_region_warnings", form.flag, False)
    # the order of the accounts
    own_zero_rule: OwnZeroRule = at(
        "order.own_zero_rule", one_of(OwnZeroRule), OwnZeroRule.SEQUENTIAL
    )
    order: Order = at("order.kind", one_of(Order), Order.USER_PRIORITY)
    order_editable: bool = at("order.editable", form.flag, False)
    same_pool_first: bool = at("order.same_pool_first", form.flag, False)
    single_donor: bool = at("order.single_donor", form.flag, False)
    # the accounts
    account_base: AccountBase = at("accounts.base", one_of(AccountBase), AccountBase.PERSONAL_SHARE)
    own_account_kinds: tuple[AccountKind, ...] = at(
        "accounts.own_kinds", form.list_of(one_of(AccountKind)), ()
    )
    donor_account_kinds: tuple[AccountKind, ...] = at(
        "accounts.donor_kinds", form.list_of(one_of(AccountKind)), ()
    )
    reserve_fen: int = at("accounts.reserve_fen", form.whole, 0)
    threshold_fen: int = at("accounts.threshold_fen", form.whole, 0)
    year_end_move: bool = at("accounts.year_end_move", form.flag, False)  # 当年 becomes 历年
    # caps on a donor's money: for one beneficiary, and for all of the donor's together
    member_caps: Caps = at("caps.member", form.caps, NO_CAPS)
    household_caps: Caps = at("caps.household", form.caps, NO_CAPS)
    # pooled outpatient benefit (门诊统筹)
    benefit_year: int | None = at("benefit.year", optional(form.year), None)
    benefit_visit_types: frozenset[VisitType] = at(
        "benefit.visit_types", set_of(one_of(VisitType)), frozenset()
    )
    deductibles_fen: Mapping[InstitutionLevel, Mapping[PersonType, int]] = at(
        "benefit.deductibles_fen", form.by_level(form.by_person_type(form.whole)), _NOTHING
    )
    deductible_scope: DeductibleScope = at(
        "benefit.deductible_scope", one_of(DeductibleScope), DeductibleScope.YEAR
    )
    ratios_bp: Mapping[InstitutionLevel, Mapping[PersonType, int]] = at(
        "benefit.ratios_bp", form.by_level(form.by_person_type(form.ratio)), _NOTHING
    )
    annual_caps_fen: Mapping[PersonType, int] = at(
        "benefit.annual_caps_fen", form.by_person_type(form.whole), _NOTHING
    )
    chronic_diseases: frozenset[str] = at(
        "benefit.chronic_diseases", set_of(form.text), frozenset()
    )
    chronic_ratios_bp: Mapping[PersonType, int] = at(
        "benefit.chronic_ratios_bp", form.by_person_type(form.ratio), _NOTHING
    )
    chronic_deductible: bool = at("benefit.chronic_deductible", form.flag, True)
    chronic_in_cap: bool = at("benefit.chronic_in_cap", form.flag, True)
    pharmacy_level: PharmacyLevel = at(
        "benefit.pharmacy_level", one_of(PharmacyLevel), PharmacyLevel.PRIMARY
    )
    # lapse of employee insurance (断缴): months and basis points; None: no such rule
    lapse_own_usable: bool = at("lapse.own_usable", form.always, True)
    lapse_wait_after_months: int | None = at("lapse.wait_after_months", optional(form.whole), None)
    lapse_individual_waits: bool = at("lapse.individual_waits", form.flag, False)
    lapse_wait_months: int = at("lapse.wait_months", form.whole, 0)
    lapse_limited_months: int = at("lapse.limited_months", form.whole, 0)
    lapse_limited_ratio_bp: int = at("lapse.limited_ratio_bp", form.ratio, 10000)
    lapse_arrears_after_months: int | None = at(
        "lapse.arrears_after_months", optional(form.whole), None
    )
    lapse_arrears_effect_months: int = at("lapse.arrears_effect_months", form.whole, 0)
    # premium paid for a relative (代缴)
    premium_insurances: frozenset[Insurance] = at(
        "premium.insurances", set_of(one_of(Insurance)), frozenset()
    )
    premium_standards_fen: Mapping[Insurance, Mapping[int, int]] = at(
        "premium.standards_fen",
        form.mapping_of(one_of(Insurance), form.mapping_of(form.year, form.whole)),
        _NOTHING,
    )
    premium_finance_fen: Mapping[int, int] = at(
        "premium.finance_fen", form.mapping_of(form.year, form.whole), _NOTHING
    )
    premium_windows: Mapping[int, form.Window] = at(
        "premium.windows", form.mapping_of(form.year, form.window), _NOTHING
    )
    premium_groups: Mapping[str, form.PremiumGroup] = at(
        "premium.groups", form.mapping_of(form.text, form.premium_group), _NOTHING
    )
    premium_several_groups: SeveralGrants = at(
        "premium.several_groups", one_of(SeveralGrants), SeveralGrants.MOST_FAVOURABLE
    )
    premium_relations: frozenset[Relation] = at(
        "premium.relations", set_of(one_of(Relation)), frozenset()
    )
    premium_binding_required: bool = at("premium.binding_required", form.flag, True)
    premium_own_zero_rule: OwnZeroRule = at(
        "premium.own_zero_rule", one_of(OwnZeroRule), OwnZeroRule.SEQUENTIAL
    )  # SEQUENTIAL: no precondition on own money
    premium_late_payable_fen: Mapping[int, int] = at(
        "premium.late_payable_fen", form.mapping_of(form.year, form.whole), _NOTHING
    )  # a year not named: no late payment
    premium_wait_from_year: int | None = at("premium.wait_from_year", optional(form.year), None)
    premium_wait_months: int = at("premium.wait_months", form.whole, 0)
    premium_wait_per_missed_year_months: int = at(
        "premium.wait_per_missed_year_months", form.whole, 0
    )
    premium_wait_per_repaired_year_months: int = at(
        "premium.wait_per_repaired_year_months", form.whole, 0
    )
    premium_long_break_years: int | None = at(
        "premium.long_break_years", optional(form.whole), None
    )
    premium_long_break_wait_months: int = at("premium.long_break_wait_months", form.whole, 0)
    premium_wait_exempt: frozenset[str] = at("premium.wait_exempt", set_of(form.text), frozenset())
    premium_refund_causes: frozenset[PremiumRefundCause] = at(
        "premium.refund_causes", set_of(one_of(PremiumRefundCause)), frozenset()
    )
    premium_refund_until: form.MonthDay | None = at(
        "premium.refund_until", optional(form.month_day), None
    )
    premium_refund_approval: bool = at("premium.refund_approval", form.flag, False)
    premium_refund_to: PremiumRefundTo = at(
        "premium.refund_to", one_of(PremiumRefundTo), PremiumRefundTo.PAYER_ACCOUNT
    )
    premium_maintenance: form.Window | None = at("premium.maintenance", optional(form.window), None)
    premium_other_channels: tuple[str, ...] = at(
        "premium.other_channels", form.list_of(form.text), ()
    )
    premium_hand_over: PremiumHandOver = at(
        "premium.hand_over", one_of(PremiumHandOver), PremiumHandOver.AT_ONCE
    )
    premium_answer_days: int | None = at("premium.answer_days", optional(form.whole), None)
    # 医保钱包 between provinces: what is told before a transfer
    wallet_transfers_per_day: int | None = at(
        "wallet.transfers_per_day", optional(form.whole), None
    )
    wallet_transfer_max_fen: int | None = at("wallet.transfer_max_fen", optional(form.whole), None)
    wallet_closed_from_hour: int | None = at("wallet.closed_from_hour", optional(form.whole), None)
    wallet_closed_until_hour: int | None = at(
        "wallet.closed_until_hour", optional(form.whole), None
    )
    # days after a clearing window's last day on which it is closed by itself; None: by hand
    close_after_days: int | None = at("clearing.close_after_days", optional(form.whole), None)
    # told to people, without effect on a settlement
    information: tuple[form.Notice, ...] = at("information.notices", form.list_of(form.notice), ())

    def source_of(self, *names: str) -> str:
        """The sources of some fields, each once, as one text."""
        return "; ".join(dict.fromkeys(s for n in names if (s := self.sources.get(n))))


PLACES: Mapping[str, tuple[str, Reader[Any]]] = MappingProxyType(
    {
        f.metadata["place"]: (f.name, f.metadata["reader"])
        for f in fields(Policy)
        if "place" in f.metadata
    }
)
"""Place in the file -> field of `Policy` and its reader: the whole schema."""
