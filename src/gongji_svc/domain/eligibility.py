"""Who may bind whom.

Rule: the checks run in one order and the first that fails is the answer; insurance reasons come
only after the caller has matched both people's certificates and names. The donor's region decides.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from gongji_svc.domain import errors
from gongji_svc.domain.binding import LIVING, Binding, BindingState, members_ever
from gongji_svc.domain.person import Account, Enrolment, Person
from gongji_svc.domain.policy import NATION, Policy
from gongji_svc.domain.standing import status_on
from gongji_svc.domain.terms import (
    AccountState,
    Area,
    BeneficiaryField,
    Channel,
    Confirmation,
    CredentialType,
    DocumentKind,
    DocumentOf,
    Insurance,
    InsuredStatus,
    Relation,
    Use,
)
from gongji_svc.domain.wording import CONFIRMATION_ZH, DETAIL_ZH, DOCUMENT_ZH, OF_ZH, listed


@dataclass(frozen=True, slots=True)
class Application:
    """What a donor, or a clerk for one, applies for; both people are matched already.

    `donor_bindings` and `beneficiary_bindings` are all that either ever had, in any state and in
    either role. `effective_from` None means today.
    """

    donor: Person
    donor_accounts: Sequence[Account]
    donor_bindings: Sequence[Binding]
    beneficiary: Person
    beneficiary_bindings: Sequence[Binding]
    relation: Relation
    uses: frozenset[Use]
    channel: Channel
    effective_from: date | None = None
    effective_to: date | None = None
    certificates_seen: bool = False
    details: frozenset[BeneficiaryField] = frozenset()
    documents: frozenset[tuple[DocumentKind, DocumentOf]] = frozenset()
    confirmations: frozenset[Confirmation] = frozenset()
    commitment_version: str = ""


def leading_enrolment(person: Person, day: date) -> Enrolment | None:
    """The enrolment that makes somebody a donor: insured employees first, then what there is."""

    def rank(enrolment: Enrolment) -> tuple[bool, bool]:
        insured = status_on(enrolment, day) is InsuredStatus.NORMAL
        return enrolment.insurance is not Insurance.EMPLOYEE, not insured

    return min(person.enrolments, key=rank, default=None)


def within(area: Area, region: str, other: str) -> bool:
    """Whether two pooling regions lie no farther apart than an area."""
    if area is Area.NATION or NATION in (region, other):
        return True
    if area is Area.SAME_PROVINCE:
        return region[:2] == other[:2]
    return region == other


def check_application(
    application: Application, policy: Policy, policy_at_start: Policy, today: date
) -> None:
    """Raise the first refusal that applies; `policy` is the donor's region's today.

    `policy_at_start` is the same region's on the first day of the binding: a relation must be
    allowed on that day (NAT-11).
    """
    _check_channel(application, policy)
    check_people(
        application.donor, application.donor_accounts, application.beneficiary, policy, today
    )
    if application.relation not in policy_at_start.relations:
        raise errors.RelationNotAllowed(
            region=policy.region,
            relation=application.relation,
            relations=listed(policy_at_start.relations),
        )
    if application.donor.person_id == application.beneficiary.person_id:
        raise errors.SelfBinding()
    start, end = application.effective_from or today, application.effective_to
    check_overlap(_between(application), start, end, today)
    _check_members(application, policy, today)
    _check_roles(application, policy, today)
    _check_rebinding(application, policy, today)
    _check_dates(application, policy, today)
    check_uses(application.uses, policy)
    _check_papers(application, policy)


def _check_channel(application: Application, policy: Policy) -> None:
    if application.channel not in {rule.channel for rule in policy.channels}:
        raise errors.ChannelNotOffered(
            region=policy.region,
            channel=application.channel,
            channels="、".join(rule.name for rule in policy.channels),
        )
    if application.channel is Channel.COUNTER and not application.certificates_seen:
        raise errors.CertificatesNotSeen()


def review_required(policy: Policy, channel: Channel) -> bool:
    """Whether an application by this channel is reviewed before it acts."""
    return any(rule.review_required for rule in policy.channels if rule.channel is channel)


def check_people(
    donor: Person,
    donor_accounts: Sequence[Account],
    beneficiary: Person,
    policy: Policy,
    today: date,
) -> None:
    """Raise the first reason why one of the two is not insured as the donor's region demands."""
    donor_region = _check_donor(donor, donor_accounts, policy, today)
    _check_beneficiary(beneficiary, policy, donor_region, today)


def _check_donor(donor: Person, accounts: Sequence[Account], policy: Policy, today: date) -> str:
    if donor.died_on is not None:
        raise errors.PersonDeceased()
    admitted = [e for e in donor.enrolments if e.insurance in policy.donor_insurances]
    if not admitted:
        raise errors.DonorNotEmployeeInsured()
    insured = [e for e in admitted if status_on(e, today) is InsuredStatus.NORMAL]
    if not insured:
        raise errors.DonorNotInGoodStanding()
    if donor.publicly_funded and not policy.donor_publicly_funded:
        raise errors.DonorPubliclyFunded()
    paying = (
        account
        for account in accounts
        if account.kind in policy.donor_account_kinds and account.state is not AccountState.CLOSED
    )
    if policy.donor_account_required and next(paying, None) is None:
        raise errors.DonorWithoutAccount()
    return insured[0].region


def _check_beneficiary(beneficiary: Person, policy: Policy, donor_region: str, today: date) -> None:
    if beneficiary.died_on is not None:
        raise errors.PersonDeceased()
    insured = [e for e in beneficiary.enrolments if status_on(e, today) is InsuredStatus.NORMAL]
    if not insured:
        raise errors.BeneficiaryNotInsured()
    admitted = [e for e in insured if e.insurance in policy.beneficiary_insurances]
    if not admitted:
        raise errors.BeneficiaryInsuranceNotAdmitted(
            region=policy.region, insurances=listed(policy.beneficiary_insurances)
        )
    if beneficiary.publicly_funded and not policy.beneficiary_publicly_funded:
        raise errors.BeneficiaryPubliclyFunded()
    if not any(within(policy.beneficiary_area, donor_region, e.region) for e in admitted):
        raise errors.BeneficiaryOutOfArea(area=policy.beneficiary_area)


def _living(bindings: Sequence[Binding], today: date) -> list[Binding]:
    return [
        b
        for b in bindings
        if b.state in LIVING and (b.effective_to is None or b.effective_to >= today)
    ]


def _between(application: Application) -> list[Binding]:
    beneficiary = application.beneficiary.person_id
    donor = application.donor.person_id
    return [
        b
        for b in application.donor_bindings
        if b.donor_id == donor and b.beneficiary_id == beneficiary
    ]


def check_overlap(between: Sequence[Binding], start: date, end: date | None, today: date) -> None:
    """BindingOverlaps where one of the two's living bindings has a day from `start` to `end`."""
    for binding in _living(between, today):
        if binding.effective_from <= (end or date.max) and start <= (
            binding.effective_to or date.max
        ):
            raise _overlaps(binding)


def _overlaps(binding: Binding) -> errors.BindingOverlaps:
    what_zh, remedy_zh = "共济关系", "请选择其他时间段，或先解除原共济关系"
    if binding.state is BindingState.PENDING_REVIEW:
        what_zh, remedy_zh = "正在审核的绑定申请", "请等待审核结果，或先撤回该申请"
    last_day = binding.effective_to
    return errors.BindingOverlaps(
        effective_from=binding.effective_from.isoformat(),
        effective_to="open" if last_day is None else last_day.isoformat(),
        effective_to_zh="长期" if last_day is None else last_day.isoformat(),
        what_zh=what_zh,
        remedy_zh=remedy_zh,
    )


def _check_members(application: Application, policy: Policy, today: date) -> None:
    donor, beneficiary = application.donor.person_id, application.beneficiary.person_id
    given = [b for b in application.donor_bindings if b.donor_id == donor]
    living = [b for b in _living(given, today) if b.beneficiary_id != beneficiary]
    count = len({b.beneficiary_id for b in living})
    _refuse_over(errors.DonorMembersExceeded, count, policy.members_at_once)
    alike = len({b.beneficiary_id for b in living if b.relation is application.relation})
    limit = policy.members_by_relation.get(application.relation)
    _refuse_over(errors.RelationMembersExceeded, alike, limit, relation=application.relation)
    ever = members_ever(given)
    if beneficiary not in ever:  # the same person bound again counts once
        _refuse_over(errors.LifetimeMembersExceeded, len(ever), policy.members_lifetime)
    taken = [b for b in application.beneficiary_bindings if b.beneficiary_id == beneficiary]
    donors = {b.donor_id for b in _living(taken, today)} - {donor}
    _refuse_over(errors.BeneficiaryDonorsExceeded, len(donors), policy.donors_at_once)


def _refuse_over(
    refusal: type[errors.Refusal], count: int, limit: int | None, relation: str = ""
) -> None:
    if limit is not None and count >= limit:
        raise refusal(count=str(count), limit=str(limit), relation=relation)


def _check_roles(application: Application, policy: Policy, today: date) -> None:
    if not policy.one_role_only:
        return
    donor, beneficiary = application.donor.person_id, application.beneficiary.person_id
    is_beneficiary = any(
        b.beneficiary_id == donor for b in _living(application.donor_bindings, today)
    )
    is_donor = any(
        b.donor_id == beneficiary for b in _living(application.beneficiary_bindings, today)
    )
    if is_beneficiary or is_donor:
        raise errors.RoleConflict()


def _check_rebinding(application: Application, policy: Policy, today: date) -> None:
    ended = [b.ended_on for b in _between(application) if b.approved and b.ended_on is not None]
    if not ended:
        return
    earliest = policy.rebinding_lock.after(max(ended))
    if today < earliest:
        raise errors.RebindingLocked(earliest_date=earliest.isoformat())


def _check_dates(application: Application, policy: Policy, today: date) -> None:
    start, end = application.effective_from, application.effective_to
    missing = [
        errors.Violation(field, "当地政策要求填写此日期")
        for field, day, required in (
            ("effective_from", start, policy.start_date_required),
            ("effective_to", end, policy.end_date_required),
        )
        if required and day is None
    ]
    if missing:
        fields = ", ".join(violation.field for violation in missing)
        raise errors.InvalidField(violations=missing, fields=fields)
    if start is not None and start < today:
        raise errors.StartDateInPast(today=today.isoformat())
    if end is not None and end <= (start or today):
        raise errors.EndDateBeforeStart()


def check_uses(uses: frozenset[Use], policy: Policy) -> None:
    """UseNotAllowed for a use that the region does not lend money for."""
    refused = sorted(uses - policy.uses)
    if refused:
        raise errors.UseNotAllowed(use=refused[0], uses=listed(policy.uses))


def _check_papers(application: Application, policy: Policy) -> None:
    for detail in sorted(policy.beneficiary_fields - application.details):
        raise errors.BeneficiaryDetailMissing(
            violations=[errors.Violation(f"beneficiary.{detail.lower()}", "必填")],
            detail=detail,
            detail_zh=DETAIL_ZH[detail],
        )
    for rule in policy.documents:
        if not any(_shown(application, kind, rule.of) for kind in rule.any_of):
            raise errors.DocumentMissing(
                kinds=listed(rule.any_of),
                of=rule.of,
                of_zh=OF_ZH[rule.of],
                kinds_zh="或".join(DOCUMENT_ZH[kind] for kind in sorted(rule.any_of)),
            )
    for confirmation in sorted(policy.confirmations - application.confirmations):
        raise errors.ConfirmationMissing(
            confirmation=confirmation, confirmation_zh=CONFIRMATION_ZH[confirmation]
        )
    if policy.commitment_version and not application.commitment_version:
        raise errors.CommitmentNotAccepted()
    if policy.commitment_version and application.commitment_version != policy.commitment_version:
        raise errors.CommitmentOutdated(version=policy.commitment_version)


def _shown(application: Application, kind: DocumentKind, of: DocumentOf) -> bool:
    """A document of both people counts for either; what both must show, each may show alone."""
    documents = application.documents
    if (kind, of) in documents or (kind, DocumentOf.BOTH) in documents:
        return True
    sides = (DocumentOf.DONOR, DocumentOf.BENEFICIARY)
    return of is DocumentOf.BOTH and all((kind, side) in documents for side in sides)


def check_credential(policy: Policy, credential: CredentialType) -> None:
    """ULQ-09, TIL-22: what a patient may show, by the patient's own region."""
    if credential not in policy.credentials:
        raise errors.CredentialNotAccepted(type=credential, types=listed(policy.credentials))
