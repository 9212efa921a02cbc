"""Builders of requests that are wrong in one place.

Rule: a complete request, every field filled in, is made first; then one field is spoilt, by its
path as the contract writes it (`items[0].trace_codes[0].code`). What a test shows is that field's.
"""

import re
from typing import Any

from google.protobuf.message import Message
from google.type.date_pb2 import Date

from gongji.v1 import settlement_pb2 as pb
from gongji.v1 import types_pb2
from tests.end_to_end.purchases import purchase
from tests.families import Made, region_of_person

ABSENT = object()
_STEP = re.compile(r"(\w+)(?:\[(\d+)\])?")


def complete(code: str, patient: Made) -> pb.SettleRequest:
    """A purchase that leaves no field out which may stand beside the others."""
    request = purchase(
        code,
        patient,
        insurance=types_pb2.INSURANCE_EMPLOYEE,
        insured_region=region_of_person(patient),
        person_id=str(patient),
        disease_code="J00",
        invoice_no="F-1",
    )
    request.items[0].own_code = "自编1"
    request.items[0].trace_codes.add(code="8123456789", split_pack=True)
    request.agent.CopyFrom(
        pb.ProxyBuyer(
            name="李代买",
            certificate=types_pb2.Certificate(
                type=types_pb2.CERTIFICATE_TYPE_ID_CARD, number="15010219700101001X"
            ),
            principal_certificate_seen=True,
            phone="0471-1234567",
        )
    )
    request.prescription.CopyFrom(
        pb.Prescription(
            prescription_no="rx-1",
            institution_code=code,
            doctor_code="D1",
            doctor_name="张医生",
            prescribed_on=Date(year=2025, month=2, day=28),
        )
    )
    request.terminal.CopyFrom(pb.Terminal(device_no="till 1", operator="收银员"))
    return request


def spoil(request: pb.SettleRequest, path: str, value: Any) -> None:
    """Put a value, a list, or nothing (ABSENT) at `path`."""
    *outer, last = path.split(".")
    target: Any = request
    for step in outer:
        target = _taken(target, step)
    name, place = _parted(last)
    if value is ABSENT:
        target.ClearField(name)
    elif isinstance(value, list):
        del getattr(target, name)[:]
        getattr(target, name).extend(value)
    elif place is not None:
        getattr(target, name).insert(place, value)
    elif isinstance(value, Message):
        getattr(target, name).CopyFrom(value)
    else:
        setattr(target, name, value)


def _taken(target: Any, step: str) -> Any:
    name, place = _parted(step)
    inner = getattr(target, name)
    return inner if place is None else inner[place]


def _parted(step: str) -> tuple[str, int | None]:
    found = _STEP.fullmatch(step)
    assert found is not None, step
    return found[1], None if found[2] is None else int(found[2])
