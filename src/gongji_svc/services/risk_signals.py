"""ListRiskSignals, ResolveRiskSignal: what looked like misuse, for the region's agency to judge.

Rule: a signal shows ids, places and sums, nobody's name or number. It is decided once; what was
found harmless passes for a day where a rule held or refused it.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from gongji.v1 import settlement_pb2 as pb
from gongji_svc.domain import errors
from gongji_svc.domain.access import Caller
from gongji_svc.domain.risk import Fact, Resolution, Signal
from gongji_svc.services import paging
from gongji_svc.services.account_changes import agency_claim, audit_row, id_in
from gongji_svc.services.asked import Asked, AskedCommand
from gongji_svc.services.audit import Audited, Facts
from gongji_svc.services.binding_view import actor
from gongji_svc.services.days import instant, timestamp
from gongji_svc.services.names import enum_name, enum_number
from gongji_svc.services.office import Office
from gongji_svc.services.reach import acting_as
from gongji_svc.storage import tables
from gongji_svc.storage.ids import region_of
from gongji_svc.storage.risk import Choice, list_signals, signal_in, signal_row
from gongji_svc.storage.state import Decision, Keys, Lookups, State, Wanted


@dataclass(slots=True)
class ResolveRiskSignal(AskedCommand):
    """A signal to be decided."""

    signal_id: UUID

    def lookups(self) -> Lookups:
        """Nothing: a signal's id says whose it is."""
        return Lookups()

    def keys(self, state: State) -> Keys:  # noqa: ARG002 - the engine's shape
        """The request key in the agency's region; AccessDenied for a signal of another's."""
        if region_of(self.signal_id) != self.asked.caller.subject:
            raise errors.AccessDenied
        return Keys(agency_claim(self.office, self.asked))

    def discover(self, state: State) -> Wanted:  # noqa: ARG002 - the engine's shape
        """The signal."""
        return Wanted(things=((tables.risk_signals, self.signal_id),))

    def decide(self, state: State) -> Decision:
        """The signal as decided."""
        before = signal_in(state, self.signal_id)
        if before is None:
            raise errors.RiskSignalNotFound
        message = self.asked.message
        resolution = Resolution(enum_name(pb.RiskResolution, message.resolution))
        by = acting_as(self.asked.caller)
        after = before.resolved(resolution, by, message.reason, state.now)
        region = region_of(after.signal_id)
        audited = Audited(
            "risk_signal", after.signal_id, region, _facts(before), _facts(after), after.reason
        )
        return Decision(
            pb.ResolveRiskSignalResponse(signal=_message(after)).SerializeToString(),
            result_id=after.signal_id,
            new=(audit_row(self.asked, audited, state),),
            replaced=((tables.risk_signals, signal_row(after)),),
        )


def list_risk_signals(
    office: Office, caller: Caller, request: pb.ListRiskSignalsRequest
) -> pb.ListRiskSignalsResponse:
    """A page of the signals of the agency's region, newest first."""
    after = paging.position_in(request, office.sealer)
    size = paging.size_of(request)
    with office.database.reader() as tx:
        place = None if after is None else paging.place_at(after)
        found = list_signals(tx, _choice(caller, request), place, size + 1)
    page = found[:size]
    response = pb.ListRiskSignalsResponse(signals=[_message(one) for one in page])
    if len(found) > size:
        position = paging.position_of(page[-1].recorded_at, page[-1].signal_id)
        response.next_page_token = paging.token_after(request, position, office.sealer)
    return response


def _choice(caller: Caller, request: Any) -> Choice:
    return Choice(
        region=caller.subject,
        states=frozenset(enum_name(pb.RiskSignalState, number) for number in request.states),
        kind=request.rule,
        person_id=UUID(request.person_id) if request.person_id else None,
        institution_code=request.institution_code,
        raised_from=_moment(request, "raised_from"),
        raised_to=_moment(request, "raised_to"),
    )


def _moment(request: Any, name: str) -> Any:
    return instant(name, getattr(request, name)) if request.HasField(name) else None


def _message(signal: Signal) -> pb.RiskSignal:
    shown = pb.RiskSignal(
        signal_id=str(signal.signal_id),
        rule=signal.kind.value,
        action=enum_number(pb.RiskAction, signal.action),
        state=enum_number(pb.RiskSignalState, signal.state),
        region=region_of(signal.signal_id),
        person_id=_text(signal.person_id),
        donor_id=_text(signal.other_id),
        institution_code=signal.institution_code,
        threshold=signal.threshold,
        measured=signal.measured,
        evidence=[_evidence(one) for one in signal.evidence],
        raised_at=timestamp(signal.recorded_at),
        resolved_by=actor(dict(signal.resolved_by)) if signal.resolved_by else None,
        reason=signal.reason,
    )
    for name in ("resolved_at", "released_until"):
        moment = getattr(signal, name)
        if moment is not None:
            getattr(shown, name).FromDatetime(moment)
    return shown


def _evidence(fact: Fact) -> pb.RiskEvidence:
    shown = pb.RiskEvidence(
        text=fact["text"],
        settlement_id=fact.get("settlement_id", ""),
        institution_code=fact["institution_code"],
        hold_id=fact.get("hold_id", ""),
    )
    shown.occurred_at.FromJsonString(fact["occurred_at"])
    return shown


def _text(found: UUID | None) -> str:
    return "" if found is None else str(found)


def _facts(signal: Signal) -> Facts:
    until = signal.released_until
    return {
        "state": signal.state.value,
        "released_until": None if until is None else until.isoformat(),
    }


def read_resolve_risk_signal(office: Office, asked: Asked) -> ResolveRiskSignal:
    """The command in a ResolveRiskSignalRequest."""
    return ResolveRiskSignal(office, asked, id_in(asked.message.signal_id))
