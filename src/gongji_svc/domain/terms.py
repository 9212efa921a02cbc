"""The words of the domain that have a fixed set of values.

Rule: every value equals its name in the contract (`gongji.v1`) without the enum's prefix, so a
message becomes a domain value, and back, by name alone.
"""

from enum import StrEnum


class Insurance(StrEnum):
    """险种 (insutype 310, 390, 410)."""

    EMPLOYEE = "EMPLOYEE"
    RESIDENT = "RESIDENT"
    LONG_TERM_CARE = "LONG_TERM_CARE"


class PersonType(StrEnum):
    """人员类别 (psn_type): in work, retired, resident."""

    ACTIVE = "ACTIVE"
    RETIRED = "RETIRED"
    RESIDENT = "RESIDENT"


class InsuredStatus(StrEnum):
    """参保状态 (psn_insu_stas) of a period of insurance."""

    NORMAL = "NORMAL"
    PAUSED = "PAUSED"
    ENDED = "ENDED"


class Relation(StrEnum):
    """What the beneficiary is to the donor (agnter_rlts): the eight near relatives in six words."""

    SPOUSE = "SPOUSE"
    CHILD = "CHILD"
    GRANDCHILD = "GRANDCHILD"
    PARENT = "PARENT"
    GRANDPARENT = "GRANDPARENT"
    SIBLING = "SIBLING"


class Use(StrEnum):
    """What a donor lets the money be used for."""

    MEDICAL = "MEDICAL"
    PREMIUM = "PREMIUM"


class Channel(StrEnum):
    """Where a binding is applied for."""

    APP = "APP"
    MINI_PROGRAM = "MINI_PROGRAM"
    ALIPAY = "ALIPAY"
    WECHAT = "WECHAT"
    WEB = "WEB"
    COUNTER = "COUNTER"


class DocumentKind(StrEnum):
    """What an uploaded document shows."""

    ID_FRONT = "ID_FRONT"
    ID_BACK = "ID_BACK"
    COMMITMENT = "COMMITMENT"
    MARRIAGE = "MARRIAGE"
    HOUSEHOLD = "HOUSEHOLD"
    OTHER = "OTHER"


class DocumentOf(StrEnum):
    """Whose document it is."""

    DONOR = "DONOR"
    BENEFICIARY = "BENEFICIARY"
    BOTH = "BOTH"


class BeneficiaryField(StrEnum):
    """What an application must say about the beneficiary, beside the certificate."""

    NAME = "NAME"
    CERTIFICATE = "CERTIFICATE"
    PHONE = "PHONE"
    CARD_NO = "CARD_NO"


class Confirmation(StrEnum):
    """What a region asks for beside the application itself."""

    FACE_CHECK = "FACE_CHECK"
    BENEFICIARY_CONSENT = "BENEFICIARY_CONSENT"


class CredentialType(StrEnum):
    """What a patient shows at the till (mdtrt_cert_type 01, 02, 03)."""

    E_CREDENTIAL = "E_CREDENTIAL"
    ID_CARD = "ID_CARD"
    SOCIAL_CARD = "SOCIAL_CARD"


class InstitutionKind(StrEnum):
    """Designated institutions (fixmedins_type)."""

    PHARMACY = "PHARMACY"
    CLINIC = "CLINIC"
    HOSPITAL = "HOSPITAL"


class InstitutionLevel(StrEnum):
    """Level of an institution; NONE counts as PRIMARY."""

    PRIMARY = "PRIMARY"
    SECONDARY = "SECONDARY"
    TERTIARY = "TERTIARY"
    NONE = "NONE"


class VisitType(StrEnum):
    """What kind of visit a settlement is for (med_type)."""

    OUTPATIENT = "OUTPATIENT"
    CHRONIC = "CHRONIC"
    PHARMACY = "PHARMACY"
    INPATIENT = "INPATIENT"


class AccountKind(StrEnum):
    """GENERAL, or, where a region parts them, 当年 and 历年."""

    GENERAL = "GENERAL"
    CURRENT_YEAR = "CURRENT_YEAR"
    PAST_YEARS = "PAST_YEARS"


class AccountState(StrEnum):
    """State of a personal account."""

    OPEN = "OPEN"
    FROZEN = "FROZEN"
    CLOSED = "CLOSED"


class CatalogClass(StrEnum):
    """甲, 乙, 丙 (chrgitm_lv 01, 02, 03)."""

    A = "A"
    B = "B"
    C = "C"


class AccountUse(StrEnum):
    """个人账户使用标志 (acct_used_flag 0, 1, 2)."""

    NONE = "NONE"
    OWN = "OWN"
    MUTUAL_AID = "MUTUAL_AID"


class AccountOwner(StrEnum):
    """Whose money a leg of a settlement is."""

    SELF = "SELF"
    DONOR = "DONOR"


class Area(StrEnum):
    """How far apart two regions may lie."""

    SAME_REGION = "SAME_REGION"
    SAME_PROVINCE = "SAME_PROVINCE"
    NATION = "NATION"


class DonorLapse(StrEnum):
    """What becomes of the donor's money when the donor's insurance lapses."""

    SUSPEND = "SUSPEND"
    KEEP = "KEEP"


class UnbindingEffect(StrEnum):
    """When the end of a binding acts."""

    IMMEDIATE = "IMMEDIATE"
    NEXT_DAY = "NEXT_DAY"


class OwnZeroRule(StrEnum):
    """SEQUENTIAL: own money is used up first in the same settlement. STRICT: own balance zero
    beforehand."""

    SEQUENTIAL = "SEQUENTIAL"
    STRICT = "STRICT"


class Order(StrEnum):
    """In which order donors pay."""

    USER_PRIORITY = "USER_PRIORITY"
    BINDING_TIME_ASC = "BINDING_TIME_ASC"
    BINDING_TIME_DESC = "BINDING_TIME_DESC"
    BALANCE_DESC_THEN_NAME = "BALANCE_DESC_THEN_NAME"
    EXPLICIT_DONOR = "EXPLICIT_DONOR"


class AccountBase(StrEnum):
    """Which part of the personal share accounts may pay."""

    PERSONAL_SHARE = "PERSONAL_SHARE"
    IN_POLICY = "IN_POLICY"


class DeductibleScope(StrEnum):
    """Whether the deductible is borne once a year or at each visit."""

    YEAR = "YEAR"
    VISIT = "VISIT"


class PharmacyLevel(StrEnum):
    """Which level counts for a purchase on an outside prescription."""

    PRIMARY = "PRIMARY"
    PRESCRIBER = "PRESCRIBER"


class SeveralGrants(StrEnum):
    """What holds for one person in several special groups (就高不就低)."""

    MOST_FAVOURABLE = "MOST_FAVOURABLE"


class PremiumRefundCause(StrEnum):
    """Why a premium is paid back."""

    PAID_TWICE = "PAID_TWICE"
    JOINED_EMPLOYEE = "JOINED_EMPLOYEE"
    DIED = "DIED"
    MOVED_AWAY = "MOVED_AWAY"
    IMPRISONED = "IMPRISONED"
    FULLY_SUBSIDISED = "FULLY_SUBSIDISED"


class PremiumRefundTo(StrEnum):
    """Where a premium is paid back to."""

    PAYER_ACCOUNT = "PAYER_ACCOUNT"
    BANK = "BANK"


class PremiumHandOver(StrEnum):
    """When a premium that was debited is handed to the tax authority."""

    AT_ONCE = "AT_ONCE"
    MONTH_END = "MONTH_END"  # on the last day of the month, with all others of it
