"""The calls that are measured, prepared: bytes as a till would send them.

Rule: a till calls with its own token, and a purchase is whole: three items, mutual aid, a name that
is checked against the card.
"""

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import grpc

from bench import http2
from bench.load import REQUEST_ID, Prepared
from bench.population import ITEMS, LEGS, PRICES_FEN, Patient
from gongji.v1 import settlement_pb2 as pb
from gongji.v1 import settlement_pb2_grpc
from gongji_svc.domain.access import Caller, Role
from gongji_svc.services.identity import issue_token

_AUTHORITY = "localhost"
_SETTLE = "/gongji.v1.SettlementService/Settle"
_BATCH_SETTLE = "/gongji.v1.SettlementService/BatchSettle"
_CHECK = "/grpc.health.v1.Health/Check"
_TOKEN_SECONDS = 6 * 3600


def health_checks() -> Prepared:
    """The empty call."""
    return Prepared([http2.headers(_CHECK, _AUTHORITY)], [(0, b"")])


def settlements(patients: Sequence[Patient], token_key: bytes) -> Prepared:
    """A purchase of each patient, in their order."""
    blocks, numbers = _tills(_SETTLE, patients, token_key)
    bodies = [
        (numbers[patient.institution_code], purchase(patient).SerializeToString())
        for patient in patients
    ]
    return Prepared(blocks, bodies)


def batches(patients: Sequence[Patient], size: int, token_key: bytes) -> Prepared:
    """The same purchases, so many in a call of a till of their region."""
    by_region: dict[str, list[Patient]] = {}
    for patient in patients:
        by_region.setdefault(patient.region, []).append(patient)
    together = [
        [replace(one, institution_code=some[start].institution_code) for one in some[start:end]]
        for some in by_region.values()
        for start, end in zip(
            range(0, len(some), size), range(size, len(some) + 1, size), strict=False
        )
    ]
    random.Random(1).shuffle(together)  # noqa: S311 - the same order in every run
    blocks, numbers = _tills(_BATCH_SETTLE, [some[0] for some in together], token_key)
    bodies = [
        (
            numbers[some[0].institution_code],
            pb.BatchSettleRequest(
                settlements=[purchase(one, f".{place}") for place, one in enumerate(some)]
            ).SerializeToString(),
        )
        for some in together
    ]
    return Prepared(blocks, bodies, size)


def _tills(
    path: str, patients: Sequence[Patient], token_key: bytes
) -> tuple[list[bytes], dict[str, int]]:
    """The header blocks of the tills where they buy, and each till's number."""
    codes = sorted({patient.institution_code for patient in patients})
    blocks = [http2.headers(path, _AUTHORITY, _bearer(code, token_key)) for code in codes]
    return blocks, {code: number for number, code in enumerate(codes)}


def settle_once(port: int, patient: Patient, token_key: bytes) -> None:
    """Settle one purchase by an ordinary client, and see that three accounts pay for it."""
    request = purchase(patient)
    request.request_id = f"first-{patient.card_no}"
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        answer = settlement_pb2_grpc.SettlementServiceStub(channel).Settle(
            request,
            metadata=(("authorization", _bearer(patient.institution_code, token_key)),),
            timeout=30,
        )
    paid = [leg.amount_fen for leg in answer.settlement.legs]
    if len(paid) != LEGS or sum(paid) != sum(PRICES_FEN):
        raise RuntimeError(f"not the purchase that is to be measured: {answer}")


def purchase(patient: Patient, place: str = "") -> pb.SettleRequest:
    """What a till sends; `place` tells the purchases of one call apart."""
    request = pb.SettleRequest(
        request_id=REQUEST_ID.decode() + place,
        institution_code=patient.institution_code,
        credential=pb.Credential(
            type=pb.CREDENTIAL_TYPE_SOCIAL_CARD,
            value=patient.card_no,
            name=patient.name,
        ),
        visit_type=pb.VISIT_TYPE_PHARMACY,
        account_use=pb.ACCOUNT_USE_MUTUAL_AID,
        items=[
            pb.SettlementItem(
                line_no=number,
                catalog_code=code,
                name=f"药品{code}",
                quantity="1",
                unit_price_yuan=f"{price_fen // 100}.{price_fen % 100:02d}",
                amount_fen=price_fen,
            )
            for number, code, price_fen in zip(
                range(1, ITEMS + 1), patient.catalog_codes, PRICES_FEN, strict=True
            )
        ],
        total_fen=sum(PRICES_FEN),
        terminal=pb.Terminal(device_no="T1", operator="01"),
    )
    request.occurred_at.FromDatetime(datetime.now(UTC))
    return request


def _bearer(institution_code: str, token_key: bytes) -> str:
    caller = Caller(Role.POS, institution_code, "")
    return f"Bearer {issue_token(token_key, caller, _TOKEN_SECONDS)}"
