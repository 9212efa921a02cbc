"""IdentifyPatient: the till's first question (national 1101 and 2001).

Rule: the till learns who stands before it, by a masked name, where the person is insured and
whether benefits run, and what the own account can pay; nothing of anybody else. Whose insurance
can be used in another province only is refused as Settle would, and nothing is told.
"""

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from google.type.date_pb2 import Date

from gongji.v1 import settlement_pb2 as pb
from gongji.v1 import types_pb2
from gongji_svc.domain.calendar import day_of
from gongji_svc.domain.eligibility import check_credential
from gongji_svc.domain.errors import InstitutionOutOfProvince, PolicyNotInForce, RegionNotServed
from gongji_svc.domain.explanation import why_worded
from gongji_svc.domain.masking import masked_name
from gongji_svc.domain.person import Account, Enrolment, Person
from gongji_svc.domain.standing import standing_of
from gongji_svc.domain.terms import CredentialType
from gongji_svc.services import till
from gongji_svc.services.asked import Asked, AskedCommand
from gongji_svc.services.names import enum_name, enum_number
from gongji_svc.services.office import Office
from gongji_svc.storage.accounts import accounts_of
from gongji_svc.storage.institutions import Institution
from gongji_svc.storage.state import Decision, Keys, Lookups, State, Wanted


@dataclass(slots=True)
class Identify(AskedCommand):
    """A credential to be recognised; only ever previewed, for it writes nothing."""

    shown: till.Shown
    institution: Institution | None = None
    patient_id: UUID | None = None

    def lookups(self) -> Lookups:
        """The institution, and whose credential it is."""
        return Lookups((self.asked.message.institution_code,), self.shown.identities)

    def keys(self, state: State) -> Keys:
        """The patient."""
        code = self.asked.message.institution_code
        self.institution = till.institution_of(state, self.asked.caller, code)
        till.check_serving(self.institution)
        self.patient_id = self.shown.owner_id(state)
        return Keys(persons=() if self.patient_id is None else (self.patient_id,))

    def discover(self, state: State) -> Wanted:  # noqa: ARG002 - the engine's shape
        """The patient's own accounts, and what is known of a one-time code."""
        accounts_of = () if self.patient_id is None else (self.patient_id,)
        return Wanted(accounts_of=accounts_of, codes=self.shown.codes)

    def decide(self, state: State) -> Decision:
        """Who it is."""
        assert self.institution is not None  # noqa: S101 - keys() came first
        sealer = self.office.sealer
        day = day_of(state.now)
        person = till.patient_of(state, self.shown, self.patient_id, self.institution, sealer, day)
        self._check_accepted(person, day)
        insured = till.usable_enrolments(person, self.office.rulebook, day)
        usable = [one for one in insured if till.in_province(one, self.institution)]
        if insured and not usable:
            raise InstitutionOutOfProvince
        accounts = accounts_of(state, person.person_id)
        patient = pb.Patient(
            person_id=str(person.person_id),
            name=masked_name(person.name),
            enrolments=[
                self._enrolment(person, one, day, usable=one in usable) for one in person.enrolments
            ],
            own_spendable_fen=self._spendable_fen(accounts, day) if accounts else None,
        )
        answer = pb.IdentifyPatientResponse(patient=patient)
        return Decision(answer=answer.SerializeToString())

    def _check_accepted(self, person: Person, day: date) -> None:
        """What no region of the patient accepts at the till identifies nobody there either."""
        credential = CredentialType(
            enum_name(pb.CredentialType, self.asked.message.credential.type)
        )
        found = (self.office.find_policy(one.region, day) for one in person.enrolments)
        policies = [policy for policy in found if policy is not None]
        if policies and all(credential not in policy.credentials for policy in policies):
            check_credential(policies[0], credential)

    def _enrolment(
        self, person: Person, enrolment: Enrolment, day: date, *, usable: bool
    ) -> pb.PatientEnrolment:
        try:
            policy = self.office.policy(enrolment.region, day)
        except (PolicyNotInForce, RegionNotServed) as without_rules:
            return _without_rules(enrolment, without_rules.message_zh)
        standing = standing_of(enrolment, policy, day, person.benefit_from(enrolment, day))
        obstacle = standing.fund_obstacle
        until = standing.until
        until_text = "" if until is None else until.isoformat()
        return pb.PatientEnrolment(
            insurance=enum_number(types_pb2.Insurance, enrolment.insurance),
            region=enrolment.region,
            region_name=policy.region_name,
            person_type=enum_number(types_pb2.PersonType, enrolment.person_type),
            usable=usable,
            benefits_run=obstacle is None,
            reason="" if obstacle is None else why_worded(obstacle, until_text),
            benefits_from=(
                None if until is None else Date(year=until.year, month=until.month, day=until.day)
            ),
        )

    def _spendable_fen(self, accounts: tuple[Account, ...], day: date) -> int:
        return sum(
            account.spendable_fen
            for account in accounts
            if (policy := self.office.find_policy(account.region, day)) is not None
            and account.kind in policy.own_account_kinds
        )


def _without_rules(enrolment: Enrolment, reason_zh: str) -> pb.PatientEnrolment:
    """An enrolment where no rules hold: it is told, by the region's code, and not usable."""
    return pb.PatientEnrolment(
        insurance=enum_number(types_pb2.Insurance, enrolment.insurance),
        region=enrolment.region,
        region_name=enrolment.region,
        person_type=enum_number(types_pb2.PersonType, enrolment.person_type),
        reason=reason_zh,
    )


def read_identify(office: Office, asked: Asked) -> Identify:
    """The question in an IdentifyPatientRequest."""
    return Identify(office, asked, till.shown(asked.message.credential, office.sealer))
