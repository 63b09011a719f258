"""Contact details in one form: R2, R18, R30, A1."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregates.privacy import mask_phone
from commands import contact

SAME_MOBILE = [
    "13912345678", "139 1234 5678", "139-1234-5678", "+86 139 1234 5678", "+8613912345678",
    "0086-13912345678", "8613912345678", "１３９１２３４５６７８", "＋86 139 1234 5678",
]  # fmt: skip


@pytest.mark.parametrize("typed", SAME_MOBILE)
def test_a_mobile_number_has_one_form(typed: str) -> None:
    """A1, A4: equal numbers are equal however they were typed, and masked as the brief shows."""
    assert contact.phone(typed) == "13912345678"
    assert mask_phone(contact.phone(typed)) == "139****5678"


@pytest.mark.parametrize(
    ("typed", "kept", "masked"),
    [
        ("010-6555 1234", "01065551234", "010****1234"),
        ("（010）65551234", "01065551234", "010****1234"),
        ("+86 10 6555 1234", "01065551234", "010****1234"),
        ("021-55551234转801", "02155551234转801", "021****1234转801"),
        ("021-55551234 转接 801", "02155551234转801", "021****1234转801"),
        ("0571-87654321-801", "057187654321转801", "0571****4321转801"),
        ("0571 87654321 ext. 801", "057187654321转801", "0571****4321转801"),
        ("0755-2345 6789#12", "075523456789转12", "0755****6789转12"),
        ("400-820-8820", "4008208820", "40****8820"),
        ("19912345678", "19912345678", "199****5678"),
        ("+1 (555) 010-9999 x12", "+15550109999转12", "+155****9999转12"),
        ("+852 2345 6789", "+85223456789", "+852****6789"),
    ],
)
def test_numbers_as_people_write_them(typed: str, kept: str, masked: str) -> None:
    """R18, R30: landlines with area code and extension, service numbers, other countries."""
    assert contact.phone(typed) == kept
    assert mask_phone(kept) == masked


@pytest.mark.parametrize(
    ("typed", "remedy"),
    [
        ("1391234567", "check its digits"),
        ("139123456789", "check its digits"),
        ("65551234", "lacks its area code: write it as 010-65551234"),
        ("1234", "too few digits"),
        ("1" * 21, "too many digits"),
        ("139****5678", "is no telephone number"),
        ("see need", "is no telephone number"),
        ("139,123", "is no telephone number"),
        ("++8613912345678", "is no telephone number"),
        ("13912345678/01065551234", "is no telephone number"),
        ("", "is no telephone number"),
        ("转801", "is no telephone number"),
        ("13912345678\0", "is no telephone number"),
    ],
)
def test_what_is_no_number_is_refused_with_what_to_do(typed: str, remedy: str) -> None:
    """R30."""
    with pytest.raises(ValueError, match=remedy):
        contact.phone(typed)


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("Zhang.Wei@Example.CN", "Zhang.Wei@example.cn"),
        ("zhang@例子.中国", "zhang@例子.中国"),
        ("zhang@xn--fsqu00a.xn--fiqs8s", "zhang@例子.中国"),
        ("ｚｈａｎｇ@example.cn", "zhang@example.cn"),
    ],
)
def test_the_domain_of_an_address_has_one_form(typed: str, kept: str) -> None:
    """R18, R30."""
    assert contact.email(typed) == kept


@pytest.mark.parametrize(
    "typed", ["a@b", "a b@c.cn", "@b.cn", "a@b.", "a@@b.cn", "a@b.cn\0", "zhang", "a@localhost"]
)
def test_what_is_no_address_is_refused_with_what_to_do(typed: str) -> None:
    """R30."""
    with pytest.raises(ValueError, match=r"is no e-mail address such as name@example\.cn"):
        contact.email(typed)


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        ("phone", "+86 139 1234 5678", "13912345678"),
        ("email", "Zhang@Example.cn", "zhang@example.cn"),
        ("customer", "星辰（北京）科技有限公司", "星辰(北京)科技 股份有限公司"),
        ("customer", "星辰科技有限责任公司", "星辰科技"),
        ("customer", "ACME Trading", "acme  trading"),
    ],
)
def test_equal_ones_have_one_key(kind: str, one: str, other: str) -> None:
    """A1: a company by its name without case, spaces, brackets and legal form."""
    assert contact.key(kind, one) == contact.key(kind, other) is not None


def test_different_ones_have_different_keys() -> None:
    """A1."""
    assert contact.key("customer", "星辰科技") != contact.key("customer", "星辰贸易有限公司")
    assert contact.key("phone", "02155551234转801") != contact.key("phone", "02155551234转802")


@pytest.mark.parametrize(
    ("kind", "value"), [("phone", "139****5678"), ("email", "?"), ("customer", "有限公司")]
)
def test_what_says_nothing_has_no_key(kind: str, value: str) -> None:
    """Imported values are as they are; those that cannot be compared are not."""
    assert contact.key(kind, value) is None


@given(st.text(max_size=40))
def test_any_text_is_kept_in_a_stable_form_or_refused(text: str) -> None:
    """What was normalised stays as it is, and shows at most the last four digits when masked."""
    for normal in (contact.phone, contact.email):
        try:
            kept = normal(text)
        except ValueError:
            continue
        assert normal(kept) == kept


@given(st.from_regex(r"1[3-9][0-9]{9}(转[0-9]{1,6})?", fullmatch=True))
def test_every_mobile_number_is_taken_as_it_is(number: str) -> None:
    """New blocks of numbers are given out faster than lists of them grow."""
    assert contact.phone(number) == number
