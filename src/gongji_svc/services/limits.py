"""What a caller has left: calls a second, calls at once, and the narrower limits of what could be
asked to find people out.

Rule: a caller is who is verified, never what a request says: an institution, a member of staff, or
a person; behind a gateway the person. What is asked about somebody is counted by ids, never by a
name or number. What is nobody's, because no credentials are good or none are asked for, counts for
the address it comes from. Counters are bounded, so that no flood fills the memory; one that is
forgotten is full again. A call costs a few dictionary look-ups. Each front counts for itself.
"""

import contextlib
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import DecodeError

from gongji_svc.domain.access import Caller, Role
from gongji_svc.domain.errors import QueueFull, RateLimited
from gongji_svc.domain.limits import Limits
from gongji_svc.services.buckets import ONE, Buckets, Clock, by_minute
from gongji_svc.services.contract import METHODS, Method, method_of
from gongji_svc.services.weights import weight

_MOST_CALLS = 1 << 14
_MOST_CALLERS = 2 * _MOST_CALLS
_BURST_SECONDS = 4.0  # so long may a caller come at its double rate, or come with all of it at once
_REGION_TIMES = 10
_PERSON_TIMES = 16  # a person asks seldom, and may ask for more at a time
_BUSY_SECONDS = 0.5  # when a place is free nobody knows: soon
_NOT_FOUND_OUT = b"PERSON_NOT_MATCHED"
_TELLING = frozenset({"gongji.v1.Credential", "gongji.v1.Certificate"})

_INSTITUTIONS = frozenset({Role.POS})
_REGIONS = frozenset({Role.PLATFORM, Role.AGENCY, Role.TAX})


@dataclass(frozen=True, slots=True)
class _Kind:
    """What callers of one kind may do: at once, a second, and a minute."""

    at_once: int
    calls: int
    times: int  # so much longer than an institution's may a call be
    identifications: Buckets
    guesses: Buckets
    checks: Buckets


@dataclass(slots=True)
class Standing:
    """A caller: how many calls are under way, and how many were `left` to come as of `at`."""

    who: str
    kind: _Kind
    at: float
    left: float
    at_once: int = 0

    def take(self, calls: int, now: float) -> None:
        """RateLimited when none is left; who has one may take more, and waits longer afterwards."""
        rate = self.kind.calls
        left = min(rate * _BURST_SECONDS, self.left + (now - self.at) * rate)
        if left < ONE and rate:
            raise RateLimited(retry_after_seconds=(1.0 - left) / rate)
        self.left, self.at = left - calls, now


class Limiter:
    """The limits of all callers of one front; lives in its event loop."""

    def __init__(self, limits: Limits, clock: Clock = time.monotonic) -> None:
        def kind(calls: int, at_once: int, times: int = 1, people: int = 1) -> _Kind:
            return _Kind(
                at_once,
                calls,
                times,
                by_minute(limits.identifications * people, clock),
                by_minute(limits.guesses * people, clock),
                by_minute(limits.checks * people, clock),
            )

        institution = kind(limits.institution_calls, limits.institution_at_once)
        region = kind(limits.region_calls, limits.region_at_once, people=_REGION_TIMES)
        person = kind(limits.person_calls, limits.person_at_once, times=_PERSON_TIMES)
        self._kinds = {
            role: institution if role in _INSTITUTIONS else region if role in _REGIONS else person
            for role in Role
        }
        self._addresses = Buckets(
            limits.address_calls, limits.address_calls * _BURST_SECONDS, clock
        )
        self._clock = clock
        self._standings: OrderedDict[str, Standing] = OrderedDict()
        self._in_flight = 0

    def __len__(self) -> int:
        """How many callers are remembered."""
        return len(self._standings)

    def enter(self, caller: Caller, method: Method, body: bytes) -> Standing:
        """Count a call in, for `leave` to count out; RateLimited, and it is not counted, when the
        caller has no more left. QueueFull when there are more of all than there is room for.
        """
        if self._in_flight >= _MOST_CALLS:
            raise QueueFull(retry_after_seconds=_BUSY_SECONDS)
        who = caller.who
        standing = self._standings.get(who) or self._stand(who, caller.role)
        if standing.at_once >= standing.kind.at_once > 0:
            raise RateLimited(retry_after_seconds=_BUSY_SECONDS)
        standing.take(weight(method, body, times=standing.kind.times), self._clock())
        if method.path in _NARROW:
            _NARROW[method.path](standing, body)
        if method.path in _NAMING:
            standing.kind.guesses.check(who)
        standing.at_once += 1
        self._in_flight += 1
        return standing

    def enter_unnamed(self, address: str) -> None:
        """Count a call that is nobody's; RateLimited when its address has no more left."""
        self._addresses.take(address)

    def leave(self, standing: Standing) -> None:
        """A call that was counted in has ended."""
        standing.at_once -= 1
        self._in_flight -= 1

    def _stand(self, who: str, role: Role) -> Standing:
        kind = self._kinds[role]
        while len(self._standings) >= _MOST_CALLERS:
            oldest, standing = self._standings.popitem(last=False)
            if standing.at_once:  # of these there are no more than calls under way
                self._standings[oldest] = standing
        standing = Standing(who, kind, self._clock(), kind.calls * _BURST_SECONDS)
        self._standings[who] = standing
        return standing


def count_answer(standing: Standing, method: Method, body: bytes, answer: bytes) -> None:
    """Count what a call weighs more by its answer; the next call waits for it."""
    times = standing.kind.times
    standing.left -= weight(method, body, answer, times=times) - weight(method, body, times=times)


def count_guesses(standing: Standing, answer: bytes) -> None:
    """Count those who were named in vain, as an answer's or refusal's bytes tell."""
    guesses = answer.count(_NOT_FOUND_OUT)
    if guesses:
        with contextlib.suppress(RateLimited):  # told when the next one is to be named
            standing.kind.guesses.take(standing.who, guesses)


def _identify(standing: Standing, _: bytes) -> None:
    standing.kind.identifications.take(standing.who)


def _create_binding(standing: Standing, body: bytes) -> None:
    try:
        request: Any = _CREATE_BINDING.request.FromString(body)
    except DecodeError:
        return  # refused where it is read
    if request.validate_only:
        standing.kind.checks.take(standing.who)


def _names_people(message: Any, above: frozenset[str] = frozenset()) -> bool:
    """Whether a message says of somebody who it is, by a card or certificate."""
    if message.full_name in _TELLING:
        return True
    return any(
        _names_people(field.message_type, above | {message.full_name})
        for field in message.fields
        if field.message_type is not None and field.message_type.full_name not in above
    )


_IDENTIFY = method_of("SettlementService", "IdentifyPatient")
_CREATE_BINDING = method_of("BindingService", "CreateBinding")
_NARROW = {_IDENTIFY.path: _identify, _CREATE_BINDING.path: _create_binding}
_NAMING = frozenset(method.path for method in METHODS if _names_people(method.request.DESCRIPTOR))
