"""One side of the matrix world: a family, an institution and all that an RPC can name of them.

Rule: what an RPC does not need is not made; every test has sides of its own, so none spoils
another's. Helpers act here by other names than the caller a test is about.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from uuid import UUID, uuid4

from gongji.v1 import clearing_pb2, settlement_pb2, types_pb2
from gongji_svc.domain.binding import BindingState
from gongji_svc.domain.risk import RiskAction, RiskKind, Signal, SignalState
from gongji_svc.storage.ids import new_id
from gongji_svc.storage.risk import signal_row
from tests.families import LONG_AGO, Families, Made
from tests.services import account_work, holds, premium_answers, premiums, reconciling, windows
from tests.services.accounts import account_of
from tests.services.applications import documents_for, donor_in, header, relative_in, upload
from tests.services.changes import purchase
from tests.services.driver import Driver
from tests.services.test_suspense import GiveBack
from tests.services.till import request_of


@dataclass
class Side:
    """Whose things they are: of this region, of these people, of this institution."""

    driver: Driver
    region: str

    @cached_property
    def families(self) -> Families:
        """Builders on the world's database."""
        return Families(self.driver.office.database)

    @cached_property
    def family(self) -> premiums.Family:
        """A donor with money, a relative who is a resident, and the binding between them."""
        made = premiums.family(self.families, self.region)
        since = datetime(LONG_AGO.year, 1, 1, tzinfo=UTC)
        premiums.change(self.families, "bindings", made.binding_id, created_at=since)
        return made

    @property
    def donor(self) -> Made:
        """Who pays."""
        return self.family.donor

    @property
    def child(self) -> Made:
        """Who is paid for."""
        return self.family.child

    @cached_property
    def institution(self) -> str:
        """A pharmacy of the region."""
        return self.families.institution(self.region)

    def subject(self, role: str, *, as_child: bool = False) -> str:
        """Whom a caller of the role acts for, on this side."""
        if role == "pos":
            return self.institution
        if role == "citizen":
            return str(self.child if as_child else self.donor)
        return self.region

    # --- accounts

    @cached_property
    def account_id(self) -> str:
        """The donor's account, with money."""
        return str(self.donor.account_id)

    @cached_property
    def empty_account_id(self) -> str:
        """Somebody's account without money."""
        owner = self.families.person(self.region)
        return str(account_of(owner, self.families, self.region))

    @cached_property
    def frozen_account_id(self) -> str:
        """Somebody's frozen account."""
        owner = self.families.person(self.region)
        return str(account_of(owner, self.families, self.region, state="FROZEN"))

    @cached_property
    def hold_id(self) -> str:
        """A hold at the institution, on the donor's account for the relative."""
        request = holds.holding(self.account_id, self.child)
        return holds.hold(self.driver, "pos", self.institution, request).hold_id

    @cached_property
    def adjustment_id(self) -> str:
        """An adjustment that waits for a second official."""
        proposed = account_work.propose(self.driver, self.account_id, agency=self.region)
        return str(proposed.adjustment_id)

    @cached_property
    def suspense_id(self) -> str:
        """What came back for a closed account."""
        owner = self.families.person(self.region)
        account_id = account_of(owner, self.families, self.region)
        account_work.close(self.driver, account_id, agency=self.region)
        back = GiveBack(account_id, owner.person_id, 700, uuid4())
        return str(UUID(bytes=self.driver.office.run(back).answer))

    # --- bindings

    @property
    def binding_id(self) -> str:
        """The binding that is in force."""
        return str(self.family.binding_id)

    @cached_property
    def second_binding_id(self) -> str:
        """Another donor's binding with the relative, behind the first."""
        second = donor_in(self.families, self.region)
        return str(premiums.bind(self.families, second, self.child, rank=2))

    @cached_property
    def waiting_binding_id(self) -> str:
        """A binding that waits for review."""
        waiting = BindingState.PENDING_REVIEW
        relative = relative_in(self.families, self.region)
        return str(premiums.bind(self.families, self.donor, relative, state=waiting))

    def document_id(self, role: str) -> str:
        """A document that the role may read: its own upload, or of a binding it oversees."""
        uploader = role if role == "counter" else "citizen"
        subject = self.subject(uploader)
        kept = upload(self.driver, subject, header(), role=uploader).document_id
        binding_id = self.family.binding_id
        premiums.change(self.families, "documents", UUID(kept), binding_id=binding_id)
        return kept

    def documents(self, role: str) -> list[str]:
        """Uploads of all that an application here needs."""
        office = self.driver.office
        policy = office.policy(self.region, office.today())
        return documents_for(self.driver, policy, self.subject(role), role)

    # --- purchases

    def purchase(self) -> settlement_pb2.SettleRequest:
        """A purchase for the relative at the institution, now."""
        request = request_of(self.institution, self.child, 1_000, str(uuid4()))
        request.occurred_at.FromDatetime(self.driver.office.now())
        return request

    @cached_property
    def settlement(self) -> settlement_pb2.Settlement:
        """A purchase that is settled; the donor paid."""
        return purchase(self.driver, self.institution, self.child, 1_000)

    @cached_property
    def signal_id(self) -> str:
        """A risk signal about the relative."""
        signal_id = new_id(self.region)
        raised = Signal(
            signal_id,
            RiskKind.MANY_INSTITUTIONS,
            RiskAction.ADVISE,
            SignalState.OPEN,
            self.institution,
            self.child.person_id,
            None,
            None,
            1,
            2,
            (),
            datetime.now(UTC),
        )
        self.families.write(("risk_signals", signal_row(raised)))
        return str(signal_id)

    @cached_property
    def difference_id(self) -> str:
        """What the institution has booked and nobody has settled here."""
        booked = [clearing_pb2.ReconcileRow(request_id=str(uuid4()))]
        answer = reconciling.details(self.driver, self.institution, booked)
        return str(answer.differences[-1].difference_id)

    @cached_property
    def window_id(self) -> str:
        """A window of long ago that somebody has closed."""
        windows.book_long_ago(self.families, self.region)
        return str(windows.close(self.driver, self.region).window.window_id)

    @cached_property
    def confirmed_window_id(self) -> str:
        """The same, confirmed by another."""
        windows.confirm(self.driver, self.window_id, self.region)
        return self.window_id

    # --- premiums

    @cached_property
    def payment_id(self) -> str:
        """A premium that waits for the tax authority."""
        return premium_answers.submitted(self.driver, self.family)

    @cached_property
    def paid_id(self) -> str:
        """A premium that the tax authority has confirmed."""
        premium_answers.confirm(self.driver, self.payment_id, tax=self.region)
        return self.payment_id

    @cached_property
    def wanted_back_id(self) -> str:
        """A premium that the donor wants back."""
        premium_answers.refund(self.driver, self.donor, self.paid_id)
        return self.paid_id


def certificate(made: Made) -> types_pb2.Certificate:
    """Somebody's identity card."""
    kind = types_pb2.CERTIFICATE_TYPE_ID_CARD
    return types_pb2.Certificate(type=kind, number=made.certificate_number)
