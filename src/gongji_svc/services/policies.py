"""The rules that a region's people can read: every stated value with its source (ULQ-25).

Rule: what no level states has no source and is not shown; the value shown is the one that decides.
"""

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date
from typing import Any

from gongji.v1 import binding_pb2, types_pb2
from gongji.v1 import registry_pb2 as pb
from gongji_svc.domain.access import Caller
from gongji_svc.domain.policy import PLACES, Policy
from gongji_svc.services import paging
from gongji_svc.services.days import date_of, day_in
from gongji_svc.services.names import enum_number
from gongji_svc.services.office import Office


def get_policy(
    office: Office,
    caller: Caller,  # noqa: ARG001 - everybody may read the rules
    request: pb.GetPolicyRequest,
) -> pb.GetPolicyResponse:
    """The rules of a region on a day; RegionNotServed where it has none, PolicyNotInForce before
    its first block.
    """
    day = day_in(request, "on_date") or office.today()
    return pb.GetPolicyResponse(policy=_policy(office.policy(request.region, day), day))


def list_policies(
    office: Office,
    caller: Caller,  # noqa: ARG001 - everybody may read the rules
    request: pb.ListPoliciesRequest,
) -> pb.ListPoliciesResponse:
    """A page of the regions that have rules of their own, with their dated blocks."""
    after = (paging.position_in(request, office.sealer) or b"").decode()
    day = day_in(request, "on_date")
    asked = [one for one in office.rulebook.regions if request.region in ("", one) and one > after]
    found = [one for region in asked if (one := _in_force(office, region, day))]
    size = paging.size_of(request)
    page, more = found[:size], len(found) > size
    last = page[-1].region.encode() if more else b""
    return pb.ListPoliciesResponse(
        policies=[_summary(one) for one in page],
        next_page_token=paging.token_after(request, last, office.sealer) if more else "",
    )


def _in_force(office: Office, region: str, day: date | None) -> Policy | None:
    """The rules of the day, or without a day the latest, whose blocks are all there are."""
    if day is None:
        return office.rulebook.history(region)[-1][1]
    return office.find_policy(region, day)


def _policy(policy: Policy, day: date) -> pb.Policy:
    return pb.Policy(
        region=policy.region,
        region_name=policy.region_name,
        on_date=date_of(day),
        policy=types_pb2.PolicyRef(
            region=policy.region, blocks=policy.blocks, digest=policy.digest
        ),
        values=_values(policy),
        channels=[
            pb.PolicyChannel(
                channel=enum_number(binding_pb2.Channel, one.channel.value),
                name=one.name,
                steps=one.steps,
                review_required=one.review_required,
            )
            for one in policy.channels
        ],
        commitment=_text(
            policy.commitment_version, policy.commitment_title, policy.commitment_text
        ),
        notice=_text(policy.notice_version, policy.notice_title, policy.notice_text),
    )


def _values(policy: Policy) -> list[pb.PolicyValue]:
    return [
        pb.PolicyValue(
            key=place,
            value=json.dumps(_plain(getattr(policy, name)), ensure_ascii=False),
            source=policy.sources[name],
        )
        for place, (name, _) in sorted(PLACES.items())
        if name in policy.sources
    ]


def _plain(value: Any) -> Any:
    """A value of the rules as JSON knows it; a set in its order, a day as text."""
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, frozenset):
        return sorted(str(one) for one in value)
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in value.items()}
    if is_dataclass(value):
        stated = ((one.name.rstrip("_"), getattr(value, one.name)) for one in fields(value))
        return {name: _plain(inner) for name, inner in stated if inner is not None}
    return value


def _text(version: str, title: str, text: str) -> pb.PolicyText | None:
    if not version:
        return None
    return pb.PolicyText(version=version, title=title, text=text)


def _summary(policy: Policy) -> pb.PolicySummary:
    blocks = [(name, *name.split("@")) for name in policy.blocks]
    above = [region for _, region, _ in blocks if region != policy.region]
    return pb.PolicySummary(
        region=policy.region,
        region_name=policy.region_name,
        parent_region=above[-1] if above else "",
        blocks=[
            pb.PolicyBlock(
                block=name, region=region, effective_from=date_of(date.fromisoformat(day))
            )
            for name, region, day in sorted(blocks, key=lambda one: (one[2], one[1]))
        ],
    )
