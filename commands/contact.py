"""Contact details in one form, so that equal ones are equal (R2, R18, R30, A1).

Chinese numbers are kept as one dials them at home, `13912345678` or `01065551234`, foreign ones
in E.164, `+15550109999`; an extension follows behind 转. The domain of an address is in lower case.
Nothing is looked up in the net. What is no contact detail is a ValueError that says what to do.
"""

import re
import unicodedata
from functools import lru_cache

import phonenumbers
from email_validator import EmailNotValidError, validate_email
from phonenumbers import PhoneNumberFormat, ValidationResult

HOME = "CN"
HOME_CODE = 86
LOCAL_LENGTHS = (7, 8)
EXTENSION = "转"
REMEMBERED = 10_000

_EXTENSION = re.compile(r"(?:转接?|分机|ext\.?|x|#|(?<=\d{7})-(?=\d{1,6}$))[ :.]*(\d{1,6})$")
_MOBILE = re.compile(r"1[3-9]\d{9}")
_WRITTEN = re.compile(r"[+0-9(][0-9 ()./-]*")
_REASONS = {
    ValidationResult.TOO_SHORT: "has too few digits: give all of them",
    ValidationResult.TOO_LONG: "has too many digits: give one number",
    ValidationResult.IS_POSSIBLE_LOCAL_ONLY: "lacks its area code: write it as 010-65551234",
    ValidationResult.INVALID_COUNTRY_CODE: "has a country code that nobody has: check it",
}
_LEGAL_FORM = re.compile(r"(?:股份有限公司|有限责任公司|有限公司)$")


def phone(text: str) -> str:
    """A telephone number in its one form; ValueError when it cannot be one.

    >>> phone("+86 139 1234 5678"), phone("（010）6555-1234 转 801"), phone("+1 555 010 9999")
    ('13912345678', '01065551234转801', '+15550109999')
    """
    plain = unicodedata.normalize("NFKC", text).strip().casefold()
    main, extension = plain, ""
    if found := _EXTENSION.search(plain):
        main, extension = plain[: found.start()].rstrip(" ,;("), EXTENSION + found[1]
    return _number(main) + extension


@lru_cache(REMEMBERED)
def email(text: str) -> str:
    """An e-mail address with its domain in lower case; ValueError when it cannot be one.

    >>> email("Zhang.Wei@Example.CN")
    'Zhang.Wei@example.cn'
    """
    try:
        found = validate_email(unicodedata.normalize("NFKC", text), check_deliverability=False)
    except EmailNotValidError as error:
        raise ValueError(f"is no e-mail address such as name@example.cn: {error}") from None
    return found.normalized


@lru_cache(REMEMBERED)
def key(kind: str, value: str) -> str | None:
    """What is equal for equal values of phone, email or customer; None = nothing to compare.

    >>> key("customer", "星辰（北京）科技 有限公司") == key("customer", "星辰(北京)科技")
    True
    """
    try:
        return _KEYS[kind](value) or None
    except ValueError:
        return None


def _number(text: str) -> str:
    if _MOBILE.fullmatch(text):  # what follows would find the same, at forty times the cost
        return text
    if not _WRITTEN.fullmatch(text):
        raise ValueError("is no telephone number: give digits, with separators if you like")
    try:
        number = phonenumbers.parse(text, HOME)
    except phonenumbers.NumberParseException:
        raise ValueError("is no telephone number: give all of its digits") from None
    at_home = number.country_code == HOME_CODE
    national = phonenumbers.national_significant_number(number)
    if at_home and _MOBILE.fullmatch(national):  # new blocks are given out faster than lists grow
        return national
    possible = phonenumbers.is_possible_number_with_reason(number)
    if possible in _REASONS:
        raise ValueError(_REASONS[possible])
    if not at_home:
        return phonenumbers.format_number(number, PhoneNumberFormat.E164)
    if not phonenumbers.is_valid_number(number):
        if len(national) in LOCAL_LENGTHS:
            raise ValueError(_REASONS[ValidationResult.IS_POSSIBLE_LOCAL_ONLY])
        raise ValueError("is no Chinese number: check its digits, or begin with + and the country")
    return re.sub(r"\D", "", phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL))


def _company(name: str) -> str:
    """The name without case, spaces, punctuation and legal form."""
    plain = unicodedata.normalize("NFKC", name).casefold()
    return _LEGAL_FORM.sub("", "".join(filter(str.isalnum, plain)))


_KEYS = {"phone": phone, "email": lambda text: email(text).casefold(), "customer": _company}
