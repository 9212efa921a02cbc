"""The least request of every RPC that names something of one side, for a caller of a role.

Rule: an RPC without a builder here fails the matrix; a request is complete, so that the caller
whose it is gets an answer. What a role can't be granted is never built.
"""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any
from uuid import uuid4

from google.protobuf.message import Message

from gongji.v1 import account_pb2 as account
from gongji.v1 import binding_pb2 as binding
from gongji.v1 import clearing_pb2 as clearing
from gongji.v1 import payment_pb2 as payment
from gongji.v1 import registry_pb2 as registry
from gongji.v1 import settlement_pb2 as settlement
from gongji.v1 import types_pb2
from gongji_svc.services.days import date_of, timestamp
from tests.access.side import Side, certificate
from tests.families import LONG_AGO
from tests.services import accounts, holds, premium_answers, premiums, reconciling, windows
from tests.services.applications import application, at_counter, header, pieces, relative_in
from tests.services.refunds import refunding
from tests.services.till import asked

Build = Callable[[Side, str], Any]
REASON = "核对后办理"


def _id() -> str:
    return str(uuid4())


def _person(side: Side) -> registry.Person:
    """The donor as registered, and insured, by the agency of this side."""
    made = side.donor
    enrolment = registry.Enrolment(
        insurance=types_pb2.INSURANCE_EMPLOYEE,
        region=side.region,
        person_type=types_pb2.PERSON_TYPE_ACTIVE,
    )
    enrolment.periods.add(status=registry.INSURED_STATUS_NORMAL, **{"from": date_of(LONG_AGO)})
    return registry.Person(
        person_id=str(made),
        name=made.name,
        certificate=certificate(made),
        card_no=made.card_no,
        birth_date=date_of(LONG_AGO.replace(year=1980)),
        enrolments=[enrolment],
    )


def _institution(side: Side) -> registry.Institution:
    return registry.Institution(
        institution_code=side.institution,
        name="药店",
        kind=types_pb2.INSTITUTION_KIND_PHARMACY,
        level=types_pb2.INSTITUTION_LEVEL_NONE,
        region=side.region,
        status=registry.INSTITUTION_STATUS_ACTIVE,
    )


def _catalog(side: Side) -> registry.PutCatalogItemsRequest:
    item = registry.CatalogItem(
        catalog_code=f"X{uuid4().hex[:9]}",
        name="药品",
        catalog_class=types_pb2.CATALOG_CLASS_A,
        effective_from=date_of(LONG_AGO),
    )
    return registry.PutCatalogItemsRequest(items=[item], region=side.region)


_REGISTRY: Mapping[str, Build] = {
    "PutPerson": lambda side, _: registry.PutPersonRequest(person=_person(side)),
    "BatchPutPersons": lambda side, _: registry.BatchPutPersonsRequest(persons=[_person(side)]),
    "GetPerson": lambda side, _: registry.GetPersonRequest(person_id=str(side.donor)),
    "PutInstitution": lambda side, _: registry.PutInstitutionRequest(
        institution=_institution(side)
    ),
    "GetInstitution": lambda side, _: registry.GetInstitutionRequest(
        institution_code=side.institution
    ),
    "PutCatalogItems": lambda side, _: _catalog(side),
    "ListCatalogItems": lambda side, _: registry.ListCatalogItemsRequest(region=side.region),
    "ListAuditRecords": lambda side, _: registry.ListAuditRecordsRequest(
        subject_id=side.adjustment_id
    ),
    "GetPolicy": lambda side, _: registry.GetPolicyRequest(region=side.region),
    "ListPolicies": lambda side, _: registry.ListPoliciesRequest(region=side.region),
}


def _application(side: Side, role: str) -> binding.CreateBindingRequest:
    relative = relative_in(side.families, side.region)
    request = application(side.driver, side.donor, relative, region=side.region)
    return at_counter(side.driver, request, side.region) if role == "counter" else request


def _update(side: Side) -> binding.UpdateBindingRequest:
    request = binding.UpdateBindingRequest(
        request_id=_id(), binding_id=side.binding_id, uses=[types_pb2.USE_MEDICAL]
    )
    request.update_mask.paths.append("uses")
    return request


_BINDING: Mapping[str, Build] = {
    "UploadDocument": lambda _, __: list(pieces(header(), b"\xff\xd8\xff\xe0" + bytes(20))),
    "DownloadDocument": lambda side, role: binding.DownloadDocumentRequest(
        document_id=side.document_id(role)
    ),
    "CreateBinding": _application,
    "ReviewBinding": lambda side, _: binding.ReviewBindingRequest(
        request_id=_id(),
        binding_id=side.waiting_binding_id,
        decision=binding.REVIEW_DECISION_REJECT,
        reason=REASON,
    ),
    "GetBinding": lambda side, _: binding.GetBindingRequest(binding_id=side.binding_id),
    "ListBindings": lambda side, _: binding.ListBindingsRequest(
        donor_id=str(side.donor), beneficiary_id=str(side.child)
    ),
    "SetDeductionOrder": lambda side, _: binding.SetDeductionOrderRequest(
        request_id=_id(),
        beneficiary_id=str(side.child),
        binding_ids=[side.second_binding_id, side.binding_id],
    ),
    "UpdateBinding": lambda side, _: _update(side),
    "EndBinding": lambda side, _: binding.EndBindingRequest(
        request_id=_id(), binding_id=side.binding_id, notice_accepted=True, reason=REASON
    ),
    "ExplainUsability": lambda side, _: binding.ExplainUsabilityRequest(binding_id=side.binding_id),
}


def _opening(side: Side) -> account.OpenAccountRequest:
    return accounts.opening(side.families.person(side.region), side.region, request_id=_id())


def _crediting(side: Side) -> account.CreditRequest:
    return accounts.crediting(side.account_id, request_id=_id())


def _holding(side: Side, role: str) -> account.CreateHoldRequest:
    place: dict[str, Any] = {} if role == "agency" else {"institution_code": side.institution}
    return holds.holding(side.account_id, side.child, **place)


def _resolving(side: Side) -> account.ResolveSuspenseRequest:
    return account.ResolveSuspenseRequest(
        request_id=_id(), suspense_id=side.suspense_id, payout_reference="P-1", reason=REASON
    )


def _deciding(side: Side) -> account.DecideAdjustmentRequest:
    return account.DecideAdjustmentRequest(
        request_id=_id(),
        adjustment_id=side.adjustment_id,
        decision=account.ADJUSTMENT_DECISION_REJECT,
        reason=REASON,
    )


def _yesterday(side: Side) -> Any:
    return timestamp(side.driver.office.now() - timedelta(days=1))


_ACCOUNT: Mapping[str, Build] = {
    "OpenAccount": lambda side, _: _opening(side),
    "FreezeAccount": lambda side, _: account.FreezeAccountRequest(
        request_id=_id(), account_id=side.account_id, reason=REASON
    ),
    "UnfreezeAccount": lambda side, _: account.UnfreezeAccountRequest(
        request_id=_id(), account_id=side.frozen_account_id, reason=REASON
    ),
    "CloseAccount": lambda side, _: account.CloseAccountRequest(
        request_id=_id(), account_id=side.empty_account_id, reason=REASON
    ),
    "GetAccount": lambda side, _: account.GetAccountRequest(account_id=side.account_id),
    "ListAccounts": lambda side, _: account.ListAccountsRequest(person_id=str(side.donor)),
    "Credit": lambda side, _: _crediting(side),
    "BatchCredit": lambda side, _: account.BatchCreditRequest(credits=[_crediting(side)]),
    "ProposeAdjustment": lambda side, _: account.ProposeAdjustmentRequest(
        request_id=_id(), account_id=side.account_id, amount_fen=5, reason=REASON
    ),
    "DecideAdjustment": lambda side, _: _deciding(side),
    "ListAdjustments": lambda side, _: account.ListAdjustmentsRequest(region=side.region),
    "ListEntries": lambda side, _: account.ListEntriesRequest(account_id=side.account_id),
    "ExportEntries": lambda side, _: account.ExportEntriesRequest(account_id=side.account_id),
    "GetHistoricalBalance": lambda side, _: account.GetHistoricalBalanceRequest(
        account_id=side.account_id, at=_yesterday(side)
    ),
    "CreateHold": _holding,
    "CaptureHold": lambda side, _: account.CaptureHoldRequest(
        request_id=_id(), hold_id=side.hold_id
    ),
    "ReleaseHold": lambda side, _: account.ReleaseHoldRequest(
        request_id=_id(), hold_id=side.hold_id
    ),
    "GetHold": lambda side, _: account.GetHoldRequest(hold_id=side.hold_id),
    "ListHolds": lambda side, _: account.ListHoldsRequest(account_id=side.account_id),
    "WatchAccount": lambda side, _: account.WatchAccountRequest(account_id=side.account_id),
    "ListSuspense": lambda side, _: account.ListSuspenseRequest(region=side.region),
    "ResolveSuspense": lambda side, _: _resolving(side),
}


def _identifying(side: Side) -> settlement.IdentifyPatientRequest:
    return settlement.IdentifyPatientRequest(
        institution_code=side.institution, credential=side.purchase().credential
    )


def _listing(side: Side, role: str) -> settlement.ListSettlementsRequest:
    named: dict[str, dict[str, Any]] = {
        "citizen": {"person_id": str(side.child), "donor_id": str(side.donor)},
        "agency": {"region": side.region},
    }
    fields = named.get(role, {"institution_code": side.institution})
    return settlement.ListSettlementsRequest(**fields)


def _cancelling(side: Side) -> settlement.CancelSettlementRequest:
    return settlement.CancelSettlementRequest(
        request_id=_id(),
        original_request_id=side.settlement.request_id,
        institution_code=side.institution,
    )


_SETTLEMENT: Mapping[str, Build] = {
    "IdentifyPatient": lambda side, _: _identifying(side),
    "PreviewSettlement": lambda side, _: asked(side.purchase()),
    "Settle": lambda side, _: side.purchase(),
    "BatchSettle": lambda side, _: settlement.BatchSettleRequest(settlements=[side.purchase()]),
    "RefundSettlement": lambda side, _: refunding(side.settlement),
    "CancelSettlement": lambda side, _: _cancelling(side),
    "GetSettlement": lambda side, _: settlement.GetSettlementRequest(
        settlement_id=side.settlement.settlement_id
    ),
    "ListSettlements": _listing,
    "CountSettlements": lambda side, _: settlement.CountSettlementsRequest(
        region=side.region, recorded_from=_yesterday(side)
    ),
    "IssueCredential": lambda side, _: settlement.IssueCredentialRequest(person_id=str(side.donor)),
    "ListRiskSignals": lambda side, _: settlement.ListRiskSignalsRequest(region=side.region),
    "ResolveRiskSignal": lambda side, _: settlement.ResolveRiskSignalRequest(
        request_id=_id(),
        signal_id=side.signal_id,
        resolution=settlement.RISK_RESOLUTION_RELEASE,
        reason=REASON,
    ),
}


def _listing_differences(side: Side, role: str) -> clearing.ListDifferencesRequest:
    if role == "pos":
        return clearing.ListDifferencesRequest(institution_code=side.institution)
    return clearing.ListDifferencesRequest(region=side.region)


_RECONCILIATION: Mapping[str, Build] = {
    "ReconcileTotals": lambda side, _: clearing.ReconcileTotalsRequest(
        institution_code=side.institution,
        date=date_of(side.driver.office.today()),
        totals=clearing.Totals(),
    ),
    "ReconcileDetails": lambda side, _: [
        reconciling.header(side.institution, side.driver.office.today())
    ],
    "ListDifferences": _listing_differences,
    "ResolveDifference": lambda side, _: reconciling.resolving(side.difference_id),
}


def _closing(side: Side) -> clearing.CloseWindowRequest:
    windows.book_long_ago(side.families, side.region)
    return clearing.CloseWindowRequest(request_id=_id(), region=side.region)


_WINDOWS: Mapping[str, Build] = {
    "CloseWindow": lambda side, _: _closing(side),
    "ConfirmWindow": lambda side, _: clearing.ConfirmWindowRequest(
        request_id=_id(), window_id=side.window_id
    ),
    "SettleWindow": lambda side, _: clearing.SettleWindowRequest(
        request_id=_id(), window_id=side.confirmed_window_id
    ),
    "GetWindow": lambda side, _: clearing.GetWindowRequest(window_id=side.window_id),
    "ListWindows": lambda side, _: clearing.ListWindowsRequest(region=side.region),
    "ListPositions": lambda side, _: clearing.ListPositionsRequest(window_id=side.window_id),
}


def _refunding(side: Side) -> payment.RefundPremiumRequest:
    return payment.RefundPremiumRequest(
        request_id=_id(),
        payment_id=side.paid_id,
        cause=payment.PREMIUM_REFUND_CAUSE_MOVED_AWAY,
        reason=REASON,
    )


def _deciding_refund(side: Side) -> payment.DecidePremiumRefundRequest:
    return payment.DecidePremiumRefundRequest(
        request_id=_id(),
        payment_id=side.wanted_back_id,
        decision=payment.PREMIUM_REFUND_DECISION_REJECT,
        reason=REASON,
    )


_PAYMENT: Mapping[str, Build] = {
    "QuotePremium": lambda side, _: payment.QuotePremiumRequest(
        beneficiary_id=str(side.child), year=premiums.YEAR, insurance=premiums.RESIDENT
    ),
    "PayPremium": lambda side, _: premiums.paying(side.donor, side.child),
    "ConfirmPremium": lambda side, _: premium_answers.confirming(side.payment_id),
    "RejectPremium": lambda side, _: payment.RejectPremiumRequest(
        request_id=_id(), payment_id=side.payment_id, reason=REASON
    ),
    "RefundPremium": lambda side, _: _refunding(side),
    "DecidePremiumRefund": lambda side, _: _deciding_refund(side),
    "RecordExternalPremium": lambda side, _: premium_answers.recording(side.child),
    "GetPremiumPayment": lambda side, _: payment.GetPremiumPaymentRequest(
        payment_id=side.payment_id
    ),
    "ListPremiumPayments": lambda side, _: payment.ListPremiumPaymentsRequest(
        donor_id=str(side.donor), beneficiary_id=str(side.child)
    ),
}

BUILDERS: Mapping[str, Build] = {
    **_REGISTRY,
    **_BINDING,
    **_ACCOUNT,
    **_SETTLEMENT,
    **_RECONCILIATION,
    **_WINDOWS,
    **_PAYMENT,
}
"""By RPC; the names of RPCs differ between services."""


def request_of(rpc: str, side: Side, role: str) -> Any:
    """The request, or the messages of an upload."""
    return BUILDERS[rpc](side, role)


def named_otherwise(request: Message, path: str, value: str) -> Message:
    """The same request about something else: `path` is the field that names it."""
    copy = type(request)()
    copy.CopyFrom(request)
    first, _, rest = path.partition(".")
    target = getattr(copy, first)
    if rest:
        setattr(target[0] if not isinstance(target, Message) else target, rest, value)
    else:
        setattr(copy, first, value)
    return copy
