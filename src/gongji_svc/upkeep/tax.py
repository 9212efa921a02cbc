"""Tells the tax authority of premiums that were debited, and of those that were given back.

Rule: at least once, each message under a key of its own by which the other side acts once. What
fails is tried again for ever, at growing pauses; what is refused as it is waits long between two
attempts and is an error in the log, for a human must look. Any number of processes may send. What
is not answered in time comes back here (upkeep/tax_messages.py).
"""

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from secrets import SystemRandom
from weakref import WeakSet

import structlog

from gongji_svc.domain.premium_state import PremiumState
from gongji_svc.domain.terms import Insurance
from gongji_svc.services.office import Office
from gongji_svc.services.tax_endpoint import Delivery, Heard, TaxEndpoint, deliver
from gongji_svc.storage.database import Database
from gongji_svc.storage.premiums import TaxMessageKind
from gongji_svc.storage.sealing import SealBroken
from gongji_svc.storage.tax_outbox import (
    TaxMessage,
    due_regions,
    mark_taken,
    put_off,
    take_due,
)

_log = structlog.get_logger()

_AT_ONCE = 8
_MESSAGES_READ = 1000
_LEASE = timedelta(minutes=2)  # well over what one attempt may take
_PAUSES = {
    Heard.UNKNOWN: (timedelta(seconds=5), timedelta(minutes=15)),
    Heard.REFUSED: (timedelta(minutes=10), timedelta(hours=6)),
}
"""The first pause and the longest; each is twice the one before."""
_DOUBLINGS = 20
_LEAST_SHARE = 0.5  # of a pause: what failed together is not tried again together
_INSURANCE_CODES = {Insurance.RESIDENT: "390", Insurance.LONG_TERM_CARE: "410"}  # insutype
_random = SystemRandom()
_warned: WeakSet[Database] = WeakSet()


def send_premiums(office: Office) -> int:
    """Send some messages of one region, those that are due and that nobody has in hand; how many
    were answered, be it by a refusal.
    """
    if office.tax is None and office.database in _warned:
        return 0
    with office.database.reader() as tx:
        regions = due_regions(tx, office.now(), _MESSAGES_READ)
    if office.tax is None:
        if regions:
            _warned.add(office.database)
            _log.warning("premiums wait: GONGJI_TAX_URL names no tax authority to tell them to")
        return 0
    for region in regions:
        if taken := _take(office, region):
            return _send_all(office, office.tax, taken)
    return 0


def _take(office: Office, region: str) -> Sequence[TaxMessage]:
    now = office.now()
    with office.database.transaction() as tx:
        return take_due(tx, region, now, now + _LEASE, _AT_ONCE)


def _send_all(office: Office, tax: TaxEndpoint, messages: Sequence[TaxMessage]) -> int:
    with ThreadPoolExecutor(_AT_ONCE, "tax") as senders:
        heard = senders.map(lambda message: _send(office, tax, message), messages)
        return sum(one is not Heard.UNKNOWN for one in heard)


def _send(office: Office, tax: TaxEndpoint, message: TaxMessage) -> Heard:
    """Send one message, and keep what became of it."""
    delivery = _delivery(office, tax, message)
    with office.database.transaction() as tx:
        if delivery.heard is Heard.TAKEN:
            mark_taken(tx, message, office.now())
        else:
            due_at = office.now() + pause_after(message.attempts, delivery.heard)
            put_off(tx, message, due_at, delivery.sign)
    if delivery.heard is not Heard.TAKEN:
        is_refused = delivery.heard is Heard.REFUSED
        (_log.error if is_refused else _log.warning)(
            "the tax authority refuses a message" if is_refused else "a message is not yet told",
            message_id=str(message.id),
            payment_id=str(message.payment.id),
            attempts=message.attempts,
            sign=delivery.sign,
        )
    return delivery.heard


def _delivery(office: Office, tax: TaxEndpoint, message: TaxMessage) -> Delivery:
    is_collected = message.payment.state != PremiumState.SUBMITTED
    if message.kind is TaxMessageKind.COLLECT and is_collected:
        # Whoever answered knows of it. To tell it now could collect what was given back since.
        return Delivery(Heard.TAKEN, "answered already")
    try:
        body = body_of(office, message)
    except SealBroken as broken:
        return Delivery(Heard.REFUSED, f"SealBroken: {broken}")
    return deliver(tax, message.id, body)


def body_of(office: Office, message: TaxMessage) -> bytes:
    """The message as JSON, the beneficiary's identity in clear; SealBroken if it won't open."""
    payment = message.payment
    identity = message.beneficiary.opened(office.sealer)
    told = {
        "message_id": str(message.id),
        "kind": message.kind.value,
        "payment_id": str(payment.id),
        "year": payment.year,
        "insurance": _INSURANCE_CODES[Insurance(payment.insurance)],
        "region": payment.insured_region,
        "beneficiary": {
            "psn_no": str(payment.beneficiary_id),
            "name": identity.name,
            "certificate": {
                "type": identity.certificate_type,
                "number": identity.certificate_number,
            },
        },
        "amount_fen": payment.payable_fen,
        "subsidy_fen": payment.subsidy_fen,
        "paid_on": payment.paid_on.isoformat(),
    }
    if message.kind is TaxMessageKind.REFUND:
        told["cause"] = payment.refund["cause"]
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()


def pause_after(attempts: int, heard: Heard) -> timedelta:
    """How long a message that failed so often waits for the next attempt."""
    first, longest = _PAUSES[heard]
    pause = min(longest, first * (1 << min(attempts - 1, _DOUBLINGS)))
    return pause * _random.uniform(_LEAST_SHARE, 1.0)
