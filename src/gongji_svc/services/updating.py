"""UpdateBinding: the donor changes limits, uses or the last day.

Rule: what `update_mask` names is set, or cleared where it is absent; nothing else changes. A last
day is no way round the lock after binding.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date

from gongji.v1 import types_pb2
from gongji_svc.domain import errors
from gongji_svc.domain.binding import Binding, check_goes_on, check_unlocked
from gongji_svc.domain.eligibility import check_overlap, check_uses
from gongji_svc.domain.errors import Violation
from gongji_svc.domain.policy import Policy
from gongji_svc.domain.policy_values import Caps
from gongji_svc.domain.terms import Use
from gongji_svc.services import messages
from gongji_svc.services.application_form import limits_in
from gongji_svc.services.asked import Asked
from gongji_svc.services.binding_changes import Case, ChangeBinding, binding_id_in
from gongji_svc.services.days import day_in
from gongji_svc.services.names import enum_name
from gongji_svc.services.office import Office
from gongji_svc.storage.bindings import Kept

_LIMITS = ("per_settlement_fen", "per_day_fen", "per_month_fen", "per_year_fen")
_PATHS = ("limits", *(f"limits.{name}" for name in _LIMITS), "uses", "effective_to")


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What the mask names, read from the request; amounts in fen."""

    paths: frozenset[str]
    limits: Caps
    uses: frozenset[Use]
    effective_to: date | None


@dataclass(slots=True)
class UpdateBinding(ChangeBinding):
    """New limits, uses or last day."""

    wanted: _Wanted | None = None

    def check_allowed(self, case: Case) -> None:
        """The donor, a guardian of the donor, or a clerk for the donor."""
        if case.donor.person_id not in self.sides(case):
            raise errors.AccessDenied

    def changed(self, case: Case) -> Kept:
        """The binding with what the mask names."""
        binding, wanted = case.kept.binding, self.wanted
        assert wanted is not None  # noqa: S101 - read_update_binding set it
        check_goes_on(binding, case.today)
        policy = self.office.policy(case.kept.donor_region, case.today)
        if "uses" in wanted.paths:
            check_uses(wanted.uses, policy)
            binding = replace(binding, uses=wanted.uses)
        if "effective_to" in wanted.paths:
            _check_last_day(case, wanted.effective_to, policy)
            binding = replace(binding, effective_to=wanted.effective_to)
        binding = replace(binding, limits=_limits(binding.limits, wanted))
        return replace(case.kept, binding=binding)


def _limits(before: Caps, wanted: _Wanted) -> Caps:
    if "limits" in wanted.paths:
        return wanted.limits
    named = {name for name in _LIMITS if f"limits.{name}" in wanted.paths}
    return replace(before, **{name: getattr(wanted.limits, name) for name in named})


def _check_last_day(case: Case, last_day: date | None, policy: Policy) -> None:
    binding = case.kept.binding
    if last_day is None and policy.end_date_required:
        raise messages.invalid(Violation("effective_to", "当地政策要求填写此日期"))
    if last_day is not None and last_day < case.today:
        raise messages.invalid(Violation("effective_to", "结束日期不能早于今天"))
    if last_day is not None and last_day <= binding.effective_from:
        raise errors.EndDateBeforeStart
    if last_day is not None and _is_earlier(last_day, binding):
        check_unlocked(binding, policy, last_day)
    between = [other for other in case.others() if other.donor_id == binding.donor_id]
    check_overlap(between, binding.effective_from, last_day, case.today)


def _is_earlier(last_day: date, binding: Binding) -> bool:
    return binding.effective_to is None or last_day < binding.effective_to


def read_update_binding(office: Office, asked: Asked) -> UpdateBinding:
    """The command in a checked request; InvalidField for a mask that names nothing of ours."""
    message = asked.message
    paths = frozenset(message.update_mask.paths)
    unknown = sorted(paths.difference(_PATHS))
    _refuse(lambda: not paths, "update_mask", f"须指明要修改的内容：{'、'.join(_PATHS)}")
    _refuse(lambda: bool(unknown), "update_mask", f"不能修改：{'、'.join(unknown)}")
    _refuse(lambda: "uses" in paths and not message.uses, "uses", "至少保留一种用途")
    wanted = _Wanted(
        paths,
        limits_in(message.limits),
        frozenset(Use(enum_name(types_pb2.Use, use)) for use in message.uses),
        day_in(message, "effective_to"),
    )
    return UpdateBinding(office, asked, binding_id_in(message), wanted=wanted)


def _refuse(wrong: Callable[[], bool], field: str, remedy: str) -> None:
    if wrong():
        raise messages.invalid(Violation(field, remedy))
