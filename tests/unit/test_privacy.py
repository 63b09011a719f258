"""Masking of contact details: R75, R111, R112, A4, golden case 5."""

import random
from dataclasses import dataclass
from typing import Any

import pytest

from adapters.postgres.codec import EVENT_TYPES
from aggregates import privacy
from aggregates.event import Event
from aggregates.lead import events as e
from aggregates.lead.state import Pause
from aggregates.privacy import (
    mask_attribute,
    mask_details,
    mask_email,
    mask_event,
    mask_field,
    mask_phone,
    mask_text,
)
from tests import canaries
from tests.seed import SEED

PHONES = [
    ("13912345678", "139****5678"),
    ("139 1234 5678", "139 **** 5678"),
    ("139-1234-5678", "139-****-5678"),
    ("139.1234.5678", "139.****.5678"),
    ("+86 139 1234 5678", "+86 139 **** 5678"),
    ("+8613912345678", "+86139****5678"),
    ("0086-13912345678", "0086-139****5678"),
    ("１３９１２３４５６７８", "１３９****５６７８"),
    # landlines: the four digits before the last four of the number, an extension apart
    ("010-65551234", "010-****1234"),
    ("010-6555 1234", "010-**** 1234"),
    ("(010)65551234", "(010)****1234"),
    ("（0571）8765 4321", "（0571）**** 4321"),
    ("0571-87654321-801", "0571-****4321-801"),
    ("010-65551234转801", "010-****1234转801"),
    ("010-65551234 ext. 801", "010-****1234 ext. 801"),
    ("021-65551234分机12", "021-****1234分机12"),
    ("0755-1234567", "075*-***4567"),
    ("65551234", "****1234"),
    ("400-123-4567", "40*-***-4567"),
    # foreign ones
    ("+1 (212) 555-0187", "+1 (21*) ***-0187"),
    ("+44 20 7946 0958", "+44 20 **** 0958"),
    ("+49 30 1234567", "+49 3* ***4567"),
    ("212-555-0187", "21*-***-0187"),
    # short ones: four digits are hidden, whatever is left of them is shown
    ("6555123", "****123"),
    ("95588", "****8"),
    ("110", "***"),
    # several
    ("13912345678/13887654321", "139****5678/138****4321"),
    ("13912345678 13887654321", "139****5678 138****4321"),
    ("13912345678、010-65551234", "139****5678、010-****1234"),
    ("13912345678(微信同号)", "139****5678(微信同号)"),
    # something else in the field
    ("li@a.cn", "l***@a.cn"),
    ("无", "无"),
    ("", ""),
]


@pytest.mark.parametrize(("clear", "masked"), PHONES)
def test_phone(clear: str, masked: str) -> None:
    """R111, A4: the four digits before the last four are hidden, separators stay."""
    assert mask_phone(clear) == masked


EMAILS = [
    ("li@a.cn", "l***@a.cn"),
    ("zhang.wei@example.cn", "z***@example.cn"),
    ("zhang.wei+crm@mail.example.com.cn", "z***@mail.example.com.cn"),
    ("O'Brien_99@EXAMPLE.COM", "O***@EXAMPLE.COM"),
    ("13912345678@139.com", "1***@139.com"),
    ("张伟@例子.中国", "张***@例子.中国"),
    ("li＠a.cn", "l***＠a.cn"),
    ('"zhang wei"@example.cn', '"***@example.cn'),
    ("Zhang Wei <zhang.wei@example.cn>", "Zhang Wei <z***@example.cn>"),
    ("li@a.cn; wang@b.cn", "l***@a.cn; w***@b.cn"),
    ("li@localhost", "l***@localhost"),
    ("a@", "a***@"),
    ("@a.cn", "***@a.cn"),
    ("not an address", "***"),
    ("13912345678", "***"),
]


@pytest.mark.parametrize(("clear", "masked"), EMAILS)
def test_email(clear: str, masked: str) -> None:
    """R112, A4: the first character and the domain stay."""
    assert mask_email(clear) == masked


TEXTS = [
    ("电话13912345678，邮箱li@a.cn", "电话139****5678，邮箱l***@a.cn"),
    ("请打13912345678联系", "请打139****5678联系"),
    ("微信wx13912345678", "微信wx139****5678"),
    ("139－1234－5678", "139－****－5678"),
    ("139—1234—5678", "139—****—5678"),
    ("139\u00a01234\u00a05678", "139\u00a0****\u00a05678"),
    ("139\u30001234\t5678", "139\u3000****\t5678"),
    ("https://a.cn/?t=%2B8613912345678&a=1", "https://a.cn/?t=%2B86139****5678&a=1"),
    ("写zhang.wei＠example．cn", "写z***＠example．cn"),
    (
        "手机：139 1234 5678；座机（010）65551234转801",
        "手机：139 **** 5678；座机（010）****1234转801",
    ),
    ("座机0571-87654321，下午打", "座机0571-****4321，下午打"),
    ("联系电话65551234。", "联系电话****1234。"),
    ("call +1 (212) 555-0187 today", "call +1 (21*) ***-0187 today"),
    ("邮箱zhang.wei@example.cn请回复", "邮箱z***@example.cn请回复"),
    ("mailto:zhang.wei@example.cn", "mailto:z***@example.cn"),
    ("13912345678@139.com", "1***@139.com"),
    ("13912345678,13887654321", "139****5678,138****4321"),
    ("20-13912345678 55", "20-139****5678 55"),
    ("2024-05-10 13912345678", "2024-05-10 139****5678"),
    ("2024-05-10 65551234", "2024-05-10 ****1234"),
    ("预算80000元13912345678", "预算80000元139****5678"),
]


@pytest.mark.parametrize(("clear", "masked"), TEXTS)
def test_inside_free_text(clear: str, masked: str) -> None:
    """A4: Chinese has no spaces around a number, and text stays readable."""
    assert mask_text(clear) == masked


@pytest.mark.parametrize(
    "text",
    [
        "2024-05-10前发送方案",
        "2024-05-10 14:30:00 已沟通",
        "2024-05-10 14-16点",
        "2024年05月10日",
        "2024/05/10",
        "2024.05.10",
        "20240510",
        "2024-05-10至2024-06-10",
        "A科技公司-办公设备报价单-20240502",
        "XLSH20240501001",
        "线索XLSH202405011000和GJ20240501001",
        "80000元",
        "1200000元",
        "1,200,000.00元",
        "1200000.50",
        "￥1200000",
        "预算 12000000 RMB",
        "成交额 12000000 人民币",
        "需要采购50台办公电脑",
        "订单1234567890123456789",
        "95588",
        "会议 3-5 楼",
        "",
    ],
)
def test_dates_amounts_and_codes_are_no_phone_numbers(text: str) -> None:
    """R62, R72, R82, R89: what a follow-up is about stays readable."""
    assert mask_text(text) == text


def test_any_mobile_number_in_every_place() -> None:
    """Golden case 5: 139xxxx5678 never shows its middle, whatever stands around it."""
    print(f"SEED={SEED}")
    chance = random.Random(SEED)
    around = [
        "",
        "电话",
        "，",
        " ",
        "(",
        "）",
        "转",
        "tel:",
        "A",
        "元",
        "-",
        "/",
        ".",
        "号",
        "+86",
        "¥",
    ]
    for _ in range(2000):
        middle = f"{chance.randrange(10_000):04d}"
        mobile = f"{chance.randrange(130, 200)}{middle}{chance.randrange(10_000):04d}"
        before, after = chance.choice(around), chance.choice(around[:-2])
        masked = f"{before}{mobile[:3]}****{mobile[7:]}{after}"
        assert mask_text(f"{before}{mobile}{after}") == masked
        assert mask_phone(f"{before}{mobile}{after}") == masked


def test_masked_text_passes_a_second_mask_unchanged() -> None:
    """A masked value may pass through another mask on its way out."""
    for _, masked in (*TEXTS, *PHONES):
        assert mask_text(masked) == masked


FIELDS: list[tuple[str, Any, Any]] = [
    ("phone", "95588", "****8"),
    ("email", "zhang wei", "***"),
    ("customer", "李伟13912345678", "李伟139****5678"),
    ("reason", "打13912345678", "打139****5678"),
    ("anything new", "li@a.cn", "l***@a.cn"),
    ("owner", "li@a.cn", "li@a.cn"),
    ("external_id", "13912345678", "13912345678"),
    ("missing", ("phone", "13912345678"), ("phone", "139****5678")),
    ("explanation", {"by": "li@a.cn", "why": "li@a.cn"}, {"by": "li@a.cn", "why": "l***@a.cn"}),
    ("attributes", {"person": "li@a.cn"}, {"person": "l***@a.cn"}),
    ("pause", Pause(None, "13912345678", None), Pause(None, "139****5678", None)),
    ("connected", False, False),
    ("amount", None, None),
]  # fmt: skip


@pytest.mark.parametrize(("name", "clear", "masked"), FIELDS)
def test_a_field_is_free_text_unless_its_name_says_otherwise(
    name: str, clear: Any, masked: Any
) -> None:
    """A4, R75: codes, ids, stages and our own people are clear, whatever else is masked."""
    assert mask_field(name, clear) == masked


def test_what_is_clear_is_decided_twice() -> None:
    """A4: a name becomes clear only where the canaries' own list says so too."""
    assert canaries.CLEAR == privacy.CLEAR


def test_the_name_of_an_attribute_says_nothing() -> None:
    """A4: an attribute may be called like a field that is clear, or be a number itself."""
    details = {"owner": "13912345678", "code": "13912345678", "13912345678": None}
    assert mask_details(details) == {
        "owner": "13912345678",
        "code": "139****5678",
        "139****5678": None,
    }
    assert mask_details(details, attributes=False) == details


@pytest.mark.parametrize(
    ("clear", "masked"),
    [
        (13912345678, "139****5678"),
        (13912345678.0, "139****5678"),
        (8613912345678, "86139****5678"),
        (13000000000, "130****0000"),
        (12999999999, 12999999999),
        (-13912345678, -13912345678),
        (139.12345678, "139.****5678"),
        (85000, 85000),
        (0.5, 0.5),
        (True, True),
        (None, None),
        (["li@a.cn", {"li@a.cn": "13912345678"}], ["l***@a.cn", {"l***@a.cn": "139****5678"}]),
    ],
)
def test_an_attribute_of_any_json_type(clear: Any, masked: Any) -> None:
    """A4: a mobile number that came as a number is one too; amounts stay numbers."""
    assert mask_attribute(clear) == masked


@pytest.mark.parametrize("topic", EVENT_TYPES)
def test_no_text_of_any_event_escapes(topic: str) -> None:
    """A4: contact details in every text of the event, and not one can be read."""
    made = canaries.canaries()
    event = made.event(EVENT_TYPES[topic])
    assert made.leaks(repr(mask_event(event))) == []
    assert made.leaks(repr(event)) == sorted({*made.places.values()})


def test_a_field_of_a_later_day_is_masked() -> None:
    """A4: nobody has to remember it."""

    @dataclass(frozen=True, kw_only=True)
    class Later(Event):
        remark: str | None = None

    assert mask_event(Later(remark="打13912345678")) == Later(remark="打139****5678")


def test_an_event_without_contact_details_comes_back_as_it_was() -> None:
    """Most events have none, and folding them must cost nothing more."""
    event = e.FollowUpRecorded(code="GJ1", connected=True, content="客户对产品A感兴趣,要3个案例")
    assert mask_event(event) is event


def test_the_short_way_for_mobile_numbers_is_the_same_as_the_long_one() -> None:
    """R111: eleven digits alone are masked as they are between other characters."""
    print(f"SEED={SEED}")
    chance = random.Random(SEED)
    for _ in range(1000):
        phone = f"{chance.randrange(10**11):011d}"
        assert mask_phone(f"{phone}#1") == f"{mask_phone(phone)}#1"
