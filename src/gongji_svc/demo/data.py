"""The demo's people, places and prices, as plain data.

Rule: nobody here exists. Identity-card numbers have a right check digit but a county part (99) that
is never assigned; names say that they are examples; item and institution codes begin with DM.
"""

from dataclasses import dataclass
from datetime import date

from gongji_svc.demo.purchase import Basket
from gongji_svc.domain.certificate import check_digit
from gongji_svc.domain.terms import Insurance, PersonType, Relation

HOHHOT, ULANQAB, TIELING = "150100", "150900", "211200"
PROVINCES = ("150000", "210000")
INSURED_SINCE = date(2015, 1, 1)
ITEMS_SINCE = date(2024, 1, 1)
_NO_COUNTY = "99"


@dataclass(frozen=True, slots=True)
class DemoPerson:
    """Somebody of a family; the balance in fen, None: without an account."""

    key: str
    name: str
    region: str
    born: date
    number: int
    person_type: PersonType = PersonType.RESIDENT
    balance_fen: int | None = None
    guardians: tuple[str, ...] = ()
    chronic_diseases: tuple[str, ...] = ()
    identities: tuple[str, ...] = ()

    @property
    def insurance(self) -> Insurance:
        """Residents are insured as such, all others as employees."""
        resident = self.person_type is PersonType.RESIDENT
        return Insurance.RESIDENT if resident else Insurance.EMPLOYEE

    @property
    def certificate_number(self) -> str:
        """The number of the identity card."""
        first = f"{self.region[:4]}{_NO_COUNTY}{self.born:%Y%m%d}{self.number:03d}"
        return first + check_digit(first)

    @property
    def card_no(self) -> str:
        """The number of the social-security card."""
        return f"DM{self.region}{self.number:04d}"

    @property
    def phone(self) -> str:
        """A telephone number of a range that is not assigned."""
        return f"1990000{self.number:04d}"


@dataclass(frozen=True, slots=True)
class DemoBinding:
    """Who lets whom use the account; `relation` is what the beneficiary is to the donor."""

    donor: str
    beneficiary: str
    relation: Relation


@dataclass(frozen=True, slots=True)
class DemoInstitution:
    """A designated institution."""

    code: str
    name: str
    region: str
    kind: str
    level: str = "NONE"
    status: str = "ACTIVE"


@dataclass(frozen=True, slots=True)
class DemoItem:
    """A row of the catalogue of each demo province."""

    code: str
    name: str
    catalog_class: str
    self_pay_bp: int = 0
    ceiling_yuan: str | None = None
    account_payable: bool = True


_ACTIVE, _RETIRED = PersonType.ACTIVE, PersonType.RETIRED

PEOPLE = (
    # 呼和浩特: two parents with accounts, a child, and grandparents who are residents
    DemoPerson("hohhot-father", "赵示例", HOHHOT, date(1984, 3, 12), 1, _ACTIVE, 386_520),
    DemoPerson("hohhot-mother", "钱示例", HOHHOT, date(1986, 7, 25), 2, _ACTIVE, 124_075),
    DemoPerson("hohhot-grandfather", "赵示祖", HOHHOT, date(1956, 1, 8), 11),
    DemoPerson(
        "hohhot-grandmother", "孙示祖", HOHHOT, date(1958, 11, 30), 22,
        identities=("SUBSISTENCE_ALLOWANCE",),
    ),
    DemoPerson(
        "hohhot-child", "赵示童", HOHHOT, date(2016, 5, 19), 31,
        guardians=("hohhot-father", "hohhot-mother"),
    ),
    DemoPerson("hohhot-worker", "李示例", HOHHOT, date(1990, 2, 28), 41, _ACTIVE, 58_300),
    DemoPerson("hohhot-wife", "周示例", HOHHOT, date(1991, 9, 9), 42),
    # bound and paid for by `gongji demo premium` only
    DemoPerson(
        "hohhot-mothers-mother", "钱示祖", HOHHOT, date(1960, 6, 6), 52,
        identities=("SUBSISTENCE_ALLOWANCE",),
    ),
    # 乌兰察布: four generations and a brother
    DemoPerson("ulanqab-grandmother", "吴示祖", ULANQAB, date(1938, 4, 2), 2),
    DemoPerson("ulanqab-father", "郑示例", ULANQAB, date(1959, 10, 21), 3, _RETIRED, 3_560),
    DemoPerson("ulanqab-mother", "王示例", ULANQAB, date(1961, 12, 5), 4),
    DemoPerson("ulanqab-son", "郑示长", ULANQAB, date(1985, 6, 14), 5, _ACTIVE, 8_000),
    DemoPerson("ulanqab-daughter", "郑示幼", ULANQAB, date(1988, 8, 17), 6, _ACTIVE, 215_430),
    DemoPerson(
        "ulanqab-grandchild", "郑示童", ULANQAB, date(2014, 2, 11), 7, guardians=("ulanqab-son",)
    ),
    # 铁岭: bindings wait for review
    DemoPerson("tieling-father", "冯示例", TIELING, date(1978, 5, 6), 1, _ACTIVE, 452_310),
    DemoPerson("tieling-mother", "陈示例", TIELING, date(1980, 3, 3), 2, _ACTIVE, 91_200),
    DemoPerson(
        "tieling-grandfather", "冯示祖", TIELING, date(1950, 7, 1), 3, _RETIRED, 12_600,
        chronic_diseases=("HYPERTENSION", "DIABETES"),
    ),
    DemoPerson("tieling-great-grandmother", "褚示祖", TIELING, date(1929, 9, 16), 4),
    DemoPerson("tieling-brother", "冯示次", TIELING, date(1982, 1, 27), 5, _ACTIVE, 64_800),
    DemoPerson(
        "tieling-child", "冯示童", TIELING, date(2012, 10, 10), 6,
        guardians=("tieling-father", "tieling-mother"),
    ),
)  # fmt: skip
"""Guardians before their wards."""

BINDINGS = (
    DemoBinding("hohhot-father", "hohhot-grandfather", Relation.PARENT),
    DemoBinding("hohhot-father", "hohhot-grandmother", Relation.PARENT),
    DemoBinding("hohhot-father", "hohhot-child", Relation.CHILD),
    DemoBinding("hohhot-mother", "hohhot-child", Relation.CHILD),
    DemoBinding("hohhot-worker", "hohhot-wife", Relation.SPOUSE),
    DemoBinding("ulanqab-son", "ulanqab-father", Relation.PARENT),
    DemoBinding("ulanqab-daughter", "ulanqab-father", Relation.PARENT),
    DemoBinding("ulanqab-father", "ulanqab-mother", Relation.SPOUSE),
    DemoBinding("ulanqab-daughter", "ulanqab-mother", Relation.PARENT),
    DemoBinding("ulanqab-son", "ulanqab-grandchild", Relation.CHILD),
    DemoBinding("ulanqab-father", "ulanqab-grandchild", Relation.GRANDCHILD),
    DemoBinding("ulanqab-daughter", "ulanqab-grandmother", Relation.GRANDPARENT),
    DemoBinding("ulanqab-daughter", "ulanqab-son", Relation.SIBLING),
    DemoBinding("tieling-father", "tieling-mother", Relation.SPOUSE),
    DemoBinding("tieling-father", "tieling-grandfather", Relation.PARENT),
    DemoBinding("tieling-father", "tieling-great-grandmother", Relation.GRANDPARENT),
    DemoBinding("tieling-brother", "tieling-father", Relation.SIBLING),
    DemoBinding("tieling-mother", "tieling-child", Relation.CHILD),
    DemoBinding("tieling-grandfather", "tieling-child", Relation.GRANDCHILD),
)
"""In the order in which they are applied for, which is the order in which donors pay."""

INSTITUTIONS = tuple(
    institution
    for region, city in ((HOHHOT, "呼和浩特"), (ULANQAB, "乌兰察布"), (TIELING, "铁岭"))
    for institution in (
        DemoInstitution(f"DMP{region}0001", f"{city}示例大药房", region, "PHARMACY"),
        DemoInstitution(f"DMP{region}0002", f"{city}示例第二药店", region, "PHARMACY", "PRIMARY"),
        DemoInstitution(
            f"DMP{region}0003", f"{city}示例停业药店", region, "PHARMACY", status="SUSPENDED"
        ),
        DemoInstitution(f"DMC{region}0001", f"{city}示例诊所", region, "CLINIC", "NONE"),
        DemoInstitution(f"DMC{region}0002", f"{city}示例门诊部", region, "CLINIC", "PRIMARY"),
        DemoInstitution(f"DMH{region}0001", f"{city}示例社区医院", region, "HOSPITAL", "PRIMARY"),
        DemoInstitution(f"DMH{region}0002", f"{city}示例区医院", region, "HOSPITAL", "SECONDARY"),
        DemoInstitution(f"DMH{region}0003", f"{city}示例市医院", region, "HOSPITAL", "TERTIARY"),
    )
)

ITEMS = (
    # 甲类
    DemoItem("DM0101", "阿莫西林胶囊 0.25g×24粒", "A", ceiling_yuan="12.80"),
    DemoItem("DM0102", "布洛芬片 0.2g×20片", "A", ceiling_yuan="9.50"),
    DemoItem("DM0103", "复方甘草片 100片", "A"),
    DemoItem("DM0104", "盐酸二甲双胍片 0.5g×30片", "A", ceiling_yuan="6.20"),
    DemoItem("DM0105", "硝苯地平缓释片 20mg×30片", "A", ceiling_yuan="11.40"),
    DemoItem("DM0106", "卡托普利片 25mg×100片", "A", ceiling_yuan="8.90"),
    DemoItem("DM0107", "格列齐特片 80mg×60片", "A", ceiling_yuan="15.60"),
    DemoItem("DM0108", "维生素B1片 10mg×100片", "A"),
    DemoItem("DM0109", "氯化钠注射液 0.9% 500ml", "A", ceiling_yuan="4.30"),
    DemoItem("DM0110", "复方丹参片 60片", "A", ceiling_yuan="13.20"),
    DemoItem("DM0111", "藿香正气水 10ml×10支", "A"),
    DemoItem("DM0112", "普通门诊诊察费", "A", ceiling_yuan="10.00"),
    # 乙类: a share is paid beforehand
    DemoItem("DM0201", "头孢克肟分散片 0.1g×12片", "B", 1000, "28.50"),
    DemoItem("DM0202", "阿托伐他汀钙片 20mg×28片", "B", 1000, "39.80"),
    DemoItem("DM0203", "苯磺酸左氨氯地平片 2.5mg×28片", "B", 1000, "32.60"),
    DemoItem("DM0204", "连花清瘟胶囊 0.35g×36粒", "B", 1000, "26.90"),
    DemoItem("DM0205", "蒲地蓝消炎口服液 10ml×10支", "B", 2000, "35.40"),
    DemoItem("DM0206", "氨氯地平阿托伐他汀钙片 7片", "B", 2000, "48.00"),
    DemoItem("DM0207", "双氯芬酸二乙胺乳胶剂 20g", "B", 1000),
    DemoItem("DM0208", "彩色多普勒超声检查", "B", 1000, "120.00"),
    DemoItem("DM0209", "CT平扫", "B", 1500, "260.00"),
    DemoItem("DM0210", "阿卡波糖片 50mg×30片", "B", 500, "33.70"),
    # 丙类: fully self-paid; accounts may pay some of it
    DemoItem("DM0301", "电子血压计", "C"),
    DemoItem("DM0302", "血糖试纸 50片", "C"),
    DemoItem("DM0303", "医用外科口罩 10只", "C"),
    DemoItem("DM0304", "创可贴 100片", "C"),
    DemoItem("DM0305", "家用制氧机", "C"),
    # 丙类: no business of the insurance's at all
    DemoItem("DM0401", "蛋白质粉 450g", "C", account_payable=False),
    DemoItem("DM0402", "护肤霜 50g", "C", account_payable=False),
    DemoItem("DM0403", "洗发水 400ml", "C", account_payable=False),
)

PREMIUM = DemoBinding("hohhot-mother", "hohhot-mothers-mother", Relation.PARENT)
"""Who is bound and paid for by `gongji demo premium`; the demo itself doesn't bind them."""

SAMPLE = Basket(
    institution_code=f"DMP{ULANQAB}0001",
    card_no=next(one.card_no for one in PEOPLE if one.key == "ulanqab-father"),
    items=(
        ("DM0105", "硝苯地平缓释片 20mg×30片", "2", "12.00", 2_400),
        ("DM0202", "阿托伐他汀钙片 20mg×28片", "2", "39.80", 7_960),
        ("DM0302", "血糖试纸 50片", "1", "68.00", 6_800),
        ("DM0402", "护肤霜 50g", "1", "19.90", 1_990),
    ),
)
"""A purchase that the own account, a son and a daughter pay in this order, and a rest in cash."""
