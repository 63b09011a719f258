"""Masking of contact details: R75, R111, R112, A4, golden case 5."""

import random

import pytest

from aggregates.privacy import mask_email, mask_phone, mask_text
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
