"""PaymentService: a relative's premium, paid from the account, answered by the tax authority."""

from typing import Any

from gongji_svc.services.paying import read_pay
from gongji_svc.services.premium_answering import read_confirm_premium, read_reject_premium
from gongji_svc.services.premium_external import read_record_external
from gongji_svc.services.premium_reads import get_premium_payment, list_premium_payments
from gongji_svc.services.premium_refunding import (
    read_decide_premium_refund,
    read_refund_premium,
)
from gongji_svc.services.quoting import quote_premium

COMMANDS: dict[str, Any] = {
    "PayPremium": read_pay,
    "ConfirmPremium": read_confirm_premium,
    "RejectPremium": read_reject_premium,
    "RefundPremium": read_refund_premium,
    "DecidePremiumRefund": read_decide_premium_refund,
    "RecordExternalPremium": read_record_external,
}

READS: dict[str, Any] = {
    "QuotePremium": quote_premium,
    "GetPremiumPayment": get_premium_payment,
    "ListPremiumPayments": list_premium_payments,
}
