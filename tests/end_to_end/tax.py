"""The service with a tax bureau beside it and the worker between them, as they run in production.

Rule: the clock of all stands in a window; pauses and leases are ended by a test, not waited for.
"""

import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from gongji.v1 import payment_pb2 as pb
from gongji.v1.payment_pb2_grpc import PaymentServiceStub
from gongji_svc.demo.bureau import Behaviour, Bureau
from gongji_svc.services.names import enum_name
from gongji_svc.services.office import Office
from gongji_svc.storage.database import Database
from gongji_svc.upkeep.tax import send_premiums
from tests.end_to_end.service import Service, metadata_of, running, until
from tests.families import Families, Made
from tests.services.driver import Driver
from tests.services.premiums import Family, driver_on, family, in_groups, paying
from tests.upkeep.outbox import KEY, due_now

_CALL_SECONDS = 20.0
_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Land:
    """A running service, its office for upkeep, and its tax bureau."""

    service: Service
    driver: Driver
    bureau: Bureau
    families: Families

    @property
    def database(self) -> Database:
        """Where all is kept."""
        return self.service.database

    @property
    def office(self) -> Office:
        """What upkeep works with."""
        return self.driver.office

    def call(self, rpc: str, role: str, subject: object, request: Any) -> Any:
        """The answer over gRPC."""
        method = getattr(PaymentServiceStub(self.service.channel), rpc)
        return method(request, timeout=_CALL_SECONDS, metadata=metadata_of(role, subject))

    def household(self, number: int) -> list[Family]:
        """A donor and two relatives, of whom every other one's premium is half subsidised."""
        first = family(self.families, balance_fen=100_000 + number)
        if number % 2:
            in_groups(self.families, first.child, "DESTITUTE")
        second = family(self.families, balance_fen=90_000 + number)
        return [first, second]

    def pay(self, one: Family) -> pb.PremiumPayment:
        """The payment as it was ordered over gRPC."""
        request = paying(one.donor, one.child)
        payment = self.call("PayPremium", "citizen", one.donor, request).payment
        assert isinstance(payment, pb.PremiumPayment)
        return payment

    def state(self, donor: Made, payment: pb.PremiumPayment) -> str:
        """Where it stands now."""
        request = pb.GetPremiumPaymentRequest(payment_id=payment.payment_id)
        found = self.call("GetPremiumPayment", "citizen", donor, request).payment
        return enum_name(pb.PremiumPaymentState, found.state)

    def send(self, workers: int = 2) -> None:
        """What several workers do at once with all that waits; pauses are over."""
        due_now(self.database)
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(lambda _: send_premiums(self.office), range(workers)))

    def send_until_heard(self) -> None:
        """What workers do until the bureau has heard everything and been answered."""

        def all_heard() -> bool:
            self.send()
            return self.count("tax_messages WHERE taken_at IS NULL") == 0

        until(all_heard, _SECONDS)

    def until_answered(self) -> None:
        """Wait until no payment waits for the bureau."""
        until(lambda: self.count("premium_payments WHERE state = 'SUBMITTED'") == 0, _SECONDS)

    def count(self, of: str) -> int:
        """How many rows of a table fulfil a condition."""
        with self.database.connect() as tx:
            return tx.execute(f"SELECT FROM {of}".encode()).rowcount

    def balances(self) -> dict[UUID, int]:
        """What each account holds, in fen."""
        with self.database.connect() as tx:
            rows = tx.execute("SELECT person_id, balance_fen FROM accounts").fetchall()
        return {UUID(str(person)): int(str(balance_fen)) for person, balance_fen in rows}


@contextlib.contextmanager
def land(database: Database, *, timeout_seconds: float = 10.0, **behaviour: Any) -> Iterator[Land]:
    """Everything together until the end of the block; `behaviour` is the bureau's."""
    driver = driver_on(database)
    offset_seconds = driver.office.clock_offset.total_seconds()
    with running(database, clock_offset_seconds=offset_seconds) as service:
        target = f"127.0.0.1:{service.workers.ports[0]}"
        with Bureau(KEY, target, _token, behaviour=Behaviour(**behaviour)) as bureau:
            driver.office.tax = replace(bureau.endpoint, timeout_seconds=timeout_seconds)
            yield Land(service, driver, bureau, Families(database))


def _token(region: str) -> str:
    """The bureau's token for a region."""
    return metadata_of("tax", region)[0][1].removeprefix("Bearer ")
