"""From where a call came: the audit trail tells the client's address, and not the gateway's."""

import httpx
import pytest
from sqlalchemy import select

from gongji_svc.storage.tables import audit_records
from tests.end_to_end.purchases import HOHHOT
from tests.end_to_end.service import Service
from tests.families import Families
from tests.gateway.browser import by


def origin_of_last(service: Service, account_id: object) -> str:
    """From where the newest read of an account came."""
    query = (
        select(audit_records.c.origin)
        .where(audit_records.c.subject_id == str(account_id))
        .order_by(audit_records.c.recorded_at.desc())
    )
    with service.database.reader() as tx:
        return str(tx.execute(query).scalars().first())


@pytest.mark.parametrize(
    ("told", "origin"),
    [
        (b"", "127.0.0.1"),
        (b"192.0.2.7", "192.0.2.7"),
        (b"198.51.100.9, 192.0.2.7", "192.0.2.7"),  # the proxy's own word stands last
        (b"2001:db8::7", "2001:db8::7"),
        (b"somewhere", "127.0.0.1"),
        (b"\xff\xfe", "127.0.0.1"),
    ],
)
def test_the_trail_tells_the_address_that_a_proxy_of_this_machine_saw(
    client: httpx.Client,
    service: Service,
    families: Families,
    told: bytes,
    origin: str,
) -> None:
    owner = families.person(HOHHOT, balance_fen=0)
    headers = [(name.encode(), said.encode()) for name, said in by("agency", HOHHOT).items()]
    answer = client.get(
        f"/v1/accounts/{owner.account_id}", headers=[*headers, (b"x-forwarded-for", told)]
    )
    assert answer.status_code == 200
    assert origin_of_last(service, owner.account_id) == origin
