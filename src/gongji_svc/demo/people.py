"""Who may sign in to the demo: the people of its families, and the staff of each region.

Rule: those who need a guardian don't sign in; their guardians do it for them.
"""

from collections.abc import Iterator, Mapping
from uuid import UUID

from gongji_svc.demo import data
from gongji_svc.demo.identity import Known
from gongji_svc.domain.access import Caller, Role

_CITIES = {data.HOHHOT: "呼和浩特", data.ULANQAB: "乌兰察布", data.TIELING: "铁岭"}
# Two officials: what one proposes, the other decides.
_STAFF = (
    ("counter", "窗口经办员 Clerk", Role.COUNTER),
    ("reviewer", "审核员 Reviewer", Role.REVIEWER),
    ("official-1", "经办机构 Official 1", Role.AGENCY),
    ("official-2", "经办机构 Official 2", Role.AGENCY),
)


def known(people: Mapping[str, UUID]) -> Iterator[Known]:
    """Everybody, by city; `people` are the ids of the demo's people by key."""
    for region, city in _CITIES.items():
        for one in data.PEOPLE:
            if one.region == region and not one.guardians:
                caller = Caller(Role.CITIZEN, str(people[one.key]))
                yield Known(one.key, one.name, f"{city} 参保人", caller)
        for key, title, role in _STAFF:
            actor = f"{key}-{region}"
            yield Known(actor, f"{city} {title}", f"{city} 工作人员", Caller(role, region, actor))
