"""People in a file: a row a period of insurance, the rows of one person next to each other.

Rule: what belongs to the person stands in the first row, and the same or nothing in the others. A
person without insurance has one row without a period.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from google.type.date_pb2 import Date

from gongji.v1 import registry_pb2 as pb
from gongji.v1 import types_pb2
from gongji_svc.services.rows import Columns, Record, Sheet

_OF_THE_PERSON = (
    "certificate_number",
    "name",
    "certificate_type",
    "card_no",
    "birth_date",
    "died_on",
    "home_region",
    "guardians",
    "identities",
    "chronic_diseases",
    "premium_years",
    "referral_filings",
)
_OF_THE_PERIOD = (
    "insurance",
    "region",
    "person_type",
    "from",
    "to",
    "status",
    "as_individual",
    "arrears_paid_on",
)
PERSON_COLUMNS = Columns(_OF_THE_PERSON[:2], (*_OF_THE_PERSON[2:], *_OF_THE_PERIOD))
_CALLED = {"certificate.number": "certificate_number", "certificate.type": "certificate_type"}
_ID_CARD = "ID_CARD"


def person_in(records: Sequence[Record], region: str) -> tuple[pb.Person, Sheet]:
    """The person that rows state; `region` is where a row's own is empty."""
    first = records[0]
    message = pb.Person(
        name=first.text("name"),
        certificate=_certificate(first),
        card_no=first.text("card_no"),
        birth_date=first.day("birth_date"),
        died_on=first.day("died_on"),
        home_region=first.text("home_region"),
        guardians=[_guardian(text) for text in first.words("guardians")],
        identities=first.words("identities"),
        chronic_diseases=first.words("chronic_diseases"),
        premium_years=[_premium_year(first, text) for text in first.words("premium_years")],
        referral_filings=[_filing(first, text) for text in first.words("referral_filings")],
    )
    periods = _Periods(region)
    for record in records:
        _check_same(record, first)
        periods.take(record, message)
    return message, Sheet(records, periods.lines, _CALLED)


def _certificate(record: Record) -> types_pb2.Certificate:
    return types_pb2.Certificate(
        type=record.word(
            "certificate_type", types_pb2.CertificateType, "CERTIFICATE_TYPE_", _ID_CARD
        ),
        number=record.text("certificate_number"),
    )


def _check_same(record: Record, first: Record) -> None:
    for column in _OF_THE_PERSON:
        if record.text(column) not in ("", first.text(column)):
            record.fault(column, f"与同一人第{first.line}行的内容不一致")


def _guardian(text: str) -> pb.Guardian:
    """The number of an identity card, or the type and the number with a colon between."""
    kind, colon, number = text.rpartition(":")
    name = f"CERTIFICATE_TYPE_{kind.upper() if colon else _ID_CARD}"
    known = name in types_pb2.CertificateType.keys()  # noqa: SIM118 - not a dict
    number_of_type = types_pb2.CertificateType.Value(name) if known else 0
    return pb.Guardian(
        certificate=types_pb2.Certificate(
            type=types_pb2.CertificateType.ValueType(number_of_type), number=number
        )
    )


def _premium_year(record: Record, text: str) -> pb.PremiumYear:
    """2024 2023-10-01, and REPAIRED where it was paid later."""
    match text.split():
        case [year, paid_on, *kind] if year.isascii() and year.isdigit() and len(year) == 4:
            repaired = kind == ["REPAIRED"]
            return pb.PremiumYear(
                year=int(year),
                paid_on=record.day_in("premium_years", paid_on),
                kind=pb.PREMIUM_YEAR_KIND_REPAIRED if repaired else pb.PREMIUM_YEAR_KIND_PAID,
            )
    record.fault("premium_years", "应写作2024 2023-10-01的形式")
    return pb.PremiumYear()


def _filing(record: Record, text: str) -> pb.ReferralFiling:
    """150900 2024-01-01, and the last day where there is one."""
    match text.split():
        case [region, first, *last] if len(last) < 2:
            made = pb.ReferralFiling(region=region)
            _set(made, "from", record.day_in("referral_filings", first))
            _set(made, "to", record.day_in("referral_filings", last[0]) if last else None)
            return made
    record.fault("referral_filings", "应写作150900 2024-01-01 2024-12-31的形式")
    return pb.ReferralFiling()


def _set(message: pb.ReferralFiling | pb.EnrolmentPeriod, name: str, day: Date | None) -> None:
    if day is not None:
        getattr(message, name).CopyFrom(day)


@dataclass(slots=True)
class _Periods:
    """The enrolments of one person as its rows state them, and the lines on which they stand."""

    region: str
    lines: dict[str, int] = field(default_factory=dict)
    places: dict[tuple[int, str], int] = field(default_factory=dict)

    def take(self, record: Record, message: pb.Person) -> None:
        """Add a row's period to its enrolment."""
        if not any(record.text(column) for column in _OF_THE_PERIOD):
            return
        insurance = record.word("insurance", types_pb2.Insurance, "INSURANCE_")
        region = record.text("region") or self.region
        at = self.places.setdefault((insurance, region), len(message.enrolments))
        if at == len(message.enrolments):
            message.enrolments.add(
                insurance=insurance,
                region=region,
                person_type=record.word("person_type", types_pb2.PersonType, "PERSON_TYPE_"),
            )
            self.lines[f"enrolments[{at}]"] = record.line
        enrolment = message.enrolments[at]
        if paid_on := record.day("arrears_paid_on"):
            enrolment.arrears_paid_on.CopyFrom(paid_on)
        place = f"enrolments[{at}].periods[{len(enrolment.periods)}]"
        self.lines[place] = record.line
        period = enrolment.periods.add(
            status=record.word("status", pb.InsuredStatus, "INSURED_STATUS_", "NORMAL"),
            as_individual=record.flag("as_individual"),
        )
        _set(period, "from", record.day("from"))
        _set(period, "to", record.day("to"))
