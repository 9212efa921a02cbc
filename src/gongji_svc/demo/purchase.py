"""One sample purchase by a real gRPC client, and its receipt as a till prints it.

Rule: it speaks to the service as a pharmacy's till does: contract, token and network, nothing else.
"""

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import grpc
from rich.console import Console
from rich.table import Table

from gongji.v1 import settlement_pb2 as pb
from gongji.v1 import settlement_pb2_grpc
from gongji_svc.domain.money import yuan

_TIMEOUT_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Basket:
    """What is bought, by whom and where; prices in yuan, amounts in fen."""

    institution_code: str
    card_no: str
    items: tuple[tuple[str, str, str, str, int], ...]
    """(catalogue code, name, quantity, unit price in yuan, amount in fen)"""


def buy(basket: Basket, target: str, token: str, clock_offset: timedelta) -> pb.Settlement:
    """Settle the basket at `target` (HOST:PORT) with a till's token."""
    request = pb.SettleRequest(
        request_id=f"demo-{uuid.uuid4()}",
        institution_code=basket.institution_code,
        credential=pb.Credential(type=pb.CREDENTIAL_TYPE_SOCIAL_CARD, value=basket.card_no),
        visit_type=pb.VISIT_TYPE_PHARMACY,
        account_use=pb.ACCOUNT_USE_MUTUAL_AID,
        items=[
            pb.SettlementItem(
                line_no=number,
                catalog_code=code,
                name=name,
                quantity=quantity,
                unit_price_yuan=price_yuan,
                amount_fen=amount_fen,
            )
            for number, (code, name, quantity, price_yuan, amount_fen) in enumerate(basket.items, 1)
        ],
        total_fen=sum(amount_fen for *_, amount_fen in basket.items),
    )
    request.occurred_at.FromDatetime(datetime.now(UTC) + clock_offset)
    with grpc.insecure_channel(target) as channel:
        stub = settlement_pb2_grpc.SettlementServiceStub(channel)
        answer = stub.Settle(
            request,
            timeout=_TIMEOUT_SECONDS,
            metadata=(("authorization", f"Bearer {token}"),),
            wait_for_ready=True,
        )
    return answer.settlement


def print_receipt(settlement: pb.Settlement, console: Console) -> None:
    """The receipt: what was bought, who paid what, and why."""
    console.rule(f"[bold]医保结算单 Receipt[/] · {settlement.institution_name}")
    console.print(
        f"患者 patient {settlement.patient_name}   结算号 settlement {settlement.settlement_id}"
    )
    console.print(_lines(settlement))
    console.print(_payers(settlement))
    console.print("[bold]如何计算 How it was decided[/]")
    for step in settlement.explanation:
        told = "; ".join(part for part in (step.text_en, step.source) if part)
        console.print(f"  · {step.text}  [dim]{told}[/]")
    for warning in settlement.warnings:
        console.print(f"  [yellow]! {warning.text}  {warning.text_en}[/]")
    console.rule()


def _lines(settlement: pb.Settlement) -> Table:
    table = Table("品名 item", "类 class", "数量 qty", "单价 price", "金额 amount", box=None)
    for line in settlement.lines:
        kind = {1: "甲", 2: "乙", 3: "丙"}.get(line.catalog_class, "")
        price = (line.quantity, line.unit_price_yuan, yuan(line.amount_fen))
        table.add_row(line.name, kind, *price)
    return table


def _payers(settlement: pb.Settlement) -> Table:
    sums = settlement.breakdown
    table = Table("谁付 who paid", "元 yuan", box=None)
    table.add_row("统筹基金 pooled fund", yuan(sums.fund_pay_fen))
    for leg in settlement.legs:
        own = leg.account_owner == pb.ACCOUNT_OWNER_SELF
        who = "本人账户 own account" if own else f"共济 {leg.donor_name} relative's account"
        table.add_row(who, yuan(leg.amount_fen))
    table.add_row("现金 cash", yuan(sums.cash_pay_fen))
    table.add_row("[bold]合计 total[/]", f"[bold]{yuan(sums.total_fen)}[/]")
    return table
