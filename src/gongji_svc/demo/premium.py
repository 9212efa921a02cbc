"""A relative's premium by a real gRPC client: bind, pay, confirmed; and its three steps in print.

Rule: it speaks to the service as an app does: contract, token and network, nothing else. Run twice
it changes nothing: the second run finds the first one's binding and payment.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import grpc
from rich.console import Console
from rich.table import Table

from gongji.v1 import account_pb2, binding_pb2, payment_pb2, settlement_pb2, types_pb2
from gongji.v1 import registry_pb2 as registry
from gongji.v1.account_pb2_grpc import AccountServiceStub
from gongji.v1.binding_pb2_grpc import BindingServiceStub
from gongji.v1.payment_pb2_grpc import PaymentServiceStub
from gongji.v1.registry_pb2_grpc import RegistryServiceStub
from gongji.v1.settlement_pb2_grpc import SettlementServiceStub
from gongji_svc.demo import data
from gongji_svc.demo.data import DemoPerson
from gongji_svc.demo.loading import application, certificate_of, papers
from gongji_svc.domain.access import Caller, Role
from gongji_svc.domain.calendar import day_of
from gongji_svc.domain.money import yuan
from gongji_svc.domain.policy import Policy
from gongji_svc.services.days import day_in

_TIMEOUT_SECONDS = 20.0
_ANSWER_SECONDS = 30.0
_LOOK_SECONDS = 0.2
_CLOCKS_DIFFER = timedelta(hours=12)  # by less where both stand on one day; midnight is near
_RESIDENT = types_pb2.INSURANCE_RESIDENT
_SUBMITTED = payment_pb2.PREMIUM_PAYMENT_STATE_SUBMITTED
_STATES = {
    _SUBMITTED: "已扣款，税务部门尚未答复 no answer yet",
    payment_pb2.PREMIUM_PAYMENT_STATE_CONFIRMED: "缴费成功 confirmed",
    payment_pb2.PREMIUM_PAYMENT_STATE_REJECTED: "缴费失败，已退回 rejected and given back",
    payment_pb2.PREMIUM_PAYMENT_STATE_REFUND_REQUESTED: "退费待审批 a refund waits",
    payment_pb2.PREMIUM_PAYMENT_STATE_REFUNDED: "已退费 refunded",
}


class WindowClosed(Exception):
    """No year's premium can be paid today; the message says when the next can."""


class OtherDay(Exception):
    """The service's clock stands on another day than ours; the message says on which."""


@dataclass(frozen=True, slots=True)
class Paid:
    """The three steps as they were answered; balances of the donor in fen, before and after."""

    binding: binding_pb2.Binding
    was_bound: bool
    quote: payment_pb2.QuotePremiumResponse
    ordered: payment_pb2.PayPremiumResponse
    before_fen: int
    after_fen: int
    answered: payment_pb2.PremiumPayment


class App:
    """The app of one donor, connected to the service at `target` (HOST:PORT)."""

    def __init__(self, channel: grpc.Channel, token_of: Callable[[Caller], str]) -> None:
        self._token_of = token_of
        self._registry = RegistryServiceStub(channel)
        self._bindings = BindingServiceStub(channel)
        self._accounts = AccountServiceStub(channel)
        self._payments = PaymentServiceStub(channel)
        self._settlements = SettlementServiceStub(channel)

    def go(self, policy: Policy, now: datetime) -> Paid:
        """Bind, pay, and wait for the tax bureau; OtherDay where the service's clock is another,
        WindowClosed outside every window.
        """
        people = {one.key: one for one in data.PEOPLE}
        relative = people[data.PREMIUM.beneficiary]
        donor_id = self._find(people[data.PREMIUM.donor])
        relative_id = self._find(relative)
        me = self._call(Caller(Role.CITIZEN, str(donor_id)))
        self._check_clock(me, donor_id, now)
        bound = me(self._bindings.ListBindings, _bindings_between(donor_id, relative_id)).bindings
        binding = bound[0] if bound else self._bind(me, policy, relative, donor_id, now)
        year, quote = self._quote(me, relative_id, now)
        before_fen = self._balance_fen(me, donor_id)
        order = payment_pb2.PayPremiumRequest(
            request_id=f"demo-premium-{year}",
            donor_id=str(donor_id),
            beneficiary_id=str(relative_id),
            year=year,
            insurance=_RESIDENT,
            expected_payable_fen=quote.payable_fen,
        )
        ordered = me(self._payments.PayPremium, order)
        return Paid(
            binding=binding,
            was_bound=bool(bound),
            quote=quote,
            ordered=ordered,
            before_fen=before_fen,
            after_fen=self._balance_fen(me, donor_id),
            answered=self._answer(me, ordered.payment.payment_id),
        )

    def _call(self, caller: Caller) -> Callable[..., Any]:
        """Calls as somebody."""
        metadata = (("authorization", f"Bearer {self._token_of(caller)}"),)

        def call(method: Any, request: Any) -> Any:
            return method(request, timeout=_TIMEOUT_SECONDS, metadata=metadata)

        return call

    def _find(self, person: DemoPerson) -> UUID:
        """The id that somebody's app knows from logging in; here the agency looks it up."""
        request = registry.GetPersonRequest(name=person.name, certificate=certificate_of(person))
        agency = self._call(Caller(Role.AGENCY, person.region, "demo"))
        return UUID(agency(self._registry.GetPerson, request).person.person_id)

    def _check_clock(self, me: Callable[..., Any], donor_id: UUID, now: datetime) -> None:
        """A code for the till ends by the service's clock a minute after it was asked for."""
        request = settlement_pb2.IssueCredentialRequest(person_id=str(donor_id))
        theirs = me(self._settlements.IssueCredential, request).expires_at.ToDatetime(UTC)
        if abs(theirs - now) > _CLOCKS_DIFFER:
            raise OtherDay(day_of(theirs).isoformat())

    def _bind(
        self,
        me: Callable[..., Any],
        policy: Policy,
        relative: DemoPerson,
        donor_id: UUID,
        now: datetime,
    ) -> binding_pb2.Binding:
        request = application(policy, data.PREMIUM, relative, donor_id, now)
        for pieces in papers(policy, f"demo-{relative.key}"):
            document = me(self._bindings.UploadDocument, iter(pieces))
            request.document_ids.append(document.document_id)
        binding = me(self._bindings.CreateBinding, request).binding
        assert isinstance(binding, binding_pb2.Binding)  # noqa: S101 - for the type's sake
        return binding

    def _quote(
        self, me: Callable[..., Any], relative_id: UUID, now: datetime
    ) -> tuple[int, payment_pb2.QuotePremiumResponse]:
        """The year that can be paid today, the coming one first, and what it costs."""
        this_year = day_of(now).year
        windows = []
        for year in (this_year + 1, this_year):
            request = payment_pb2.QuotePremiumRequest(
                beneficiary_id=str(relative_id), year=year, insurance=_RESIDENT
            )
            quote = me(self._payments.QuotePremium, request)
            if quote.in_window:
                return year, quote
            windows.append(f"{year}: {_days(quote.window)}")
        raise WindowClosed("; ".join(windows))

    def _balance_fen(self, me: Callable[..., Any], donor_id: UUID) -> int:
        request = account_pb2.ListAccountsRequest(person_id=str(donor_id))
        accounts = me(self._accounts.ListAccounts, request).accounts
        return sum(account.balance_fen for account in accounts)

    def _answer(self, me: Callable[..., Any], payment_id: str) -> payment_pb2.PremiumPayment:
        """The payment as soon as the tax bureau has answered, or as it is after a while."""
        request = payment_pb2.GetPremiumPaymentRequest(payment_id=payment_id)
        deadline = time.monotonic() + _ANSWER_SECONDS
        payment = me(self._payments.GetPremiumPayment, request).payment
        while payment.state == _SUBMITTED and time.monotonic() < deadline:
            time.sleep(_LOOK_SECONDS)
            payment = me(self._payments.GetPremiumPayment, request).payment
        assert isinstance(payment, payment_pb2.PremiumPayment)  # noqa: S101 - for the type's sake
        return payment


def print_steps(paid: Paid, console: Console) -> None:
    """The three steps with their amounts, and how the premium was reckoned."""
    payment = paid.answered
    console.rule("[bold]家庭共济代缴 A relative's premium[/]")
    table = Table("步骤 step", "", "元 yuan", box=None)
    bound = "此前已绑定 bound before" if paid.was_bound else "已绑定 bound"
    table.add_row("[bold]1 绑定 bind[/]", bound)
    table.add_row("", f"{paid.binding.donor_name} → {paid.binding.beneficiary_name}")
    debited = "此前已扣款 debited before" if paid.ordered.replayed else "已扣款 debited"
    table.add_row("[bold]2 代缴 pay[/]", debited)
    table.add_row("", f"{payment.year} 年度居民医保 resident insurance")
    table.add_row("", "个人缴费标准 standard", yuan(payment.standard_fen))
    table.add_row("", f"财政补贴 public finance {payment.group}", yuan(payment.subsidy_fen))
    table.add_row("", "从个人账户代缴 paid by the donor's account", yuan(payment.payable_fen))
    table.add_row("", "账户余额，代缴前 balance before", yuan(paid.before_fen))
    table.add_row("", "账户余额，代缴后 balance after", yuan(paid.after_fen))
    table.add_row("[bold]3 税务确认 confirm[/]", _STATES.get(payment.state, ""))
    table.add_row("", f"税票号 voucher {payment.tax_voucher_no}")
    table.add_row("", f"待遇开始 benefits from {day_in(payment, 'benefit_from')}")
    console.print(table)
    console.print("[bold]如何计算 How it was decided[/]")
    for step in paid.quote.why:
        console.print(f"  · {step.text}  [dim]{step.source}[/]")
    console.rule()


def _bindings_between(donor_id: UUID, relative_id: UUID) -> binding_pb2.ListBindingsRequest:
    return binding_pb2.ListBindingsRequest(
        donor_id=str(donor_id),
        beneficiary_id=str(relative_id),
        states=[binding_pb2.BINDING_STATE_ACTIVE],
    )


def _days(window: payment_pb2.PremiumWindow) -> str:
    return f"{day_in(window, 'from')} to {day_in(window, 'to')}"
