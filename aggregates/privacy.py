"""Masking of contact details (R75, R111, R112, A4): what a read shows by default.

Phone: the four digits before the last four are hidden, 139****5678. E-mail: the first character
and the domain stay. The same inside free text, where a date, an amount of money or a lead code is
no phone number; in doubt a number is masked.
"""

import re

_HIDDEN, _SHOWN = 4, 4

# In Chinese no space parts a number or an address from the words around it, and every Chinese
# character is a \w: so borders are drawn by ASCII, and only a local part that ends in Chinese is
# taken as far as it goes. The bound keeps the time linear in the length of the text.
_EMAIL = re.compile(
    r"(?:([A-Za-z0-9_])[A-Za-z0-9._%+'*-]{0,63}|(\w)[\w.]{0,63}(?<![A-Za-z0-9._]))"
    r"([@＠][\w-]+(?:\.[\w-]+)+)"
)
_SEPARATORS = r"[ .\-()（）]"
_MOBILE = r"(?<!\d)(?:(?:[+＋]|00)?86[ .-]?)?1[3-9]\d(?:[ .-]?\d){8}(?!\d)"
# One digit more of the same number; a mobile number behind a separator is another one.
_MORE = rf"(?:\d|{_SEPARATORS}{{1,2}}(?!{_MOBILE})\d)"
_DATE = (
    r"(?<!\d)(?:19|20)\d\d"
    r"(?:(?P<dash>[-./])(?:0?[1-9]|1[0-2])(?P=dash)(?:0?[1-9]|[12]\d|3[01])"
    r"|(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01]))(?!\d)"
)
_MONEY = (
    r"(?:(?<=[¥￥$€])|(?<=[¥￥$€] ))\d+(?:\.\d+)?(?!\d)"
    r"|(?<![\d.])\d+\.\d{1,2}(?![\d.])"
    r"|(?<!\d)\d+(?:\.\d+)?(?= ?(?:元|人民币|美元|欧元|RMB|CNY|USD|EUR))"
)
_IN_TEXT = re.compile(
    r"(?=[\d+＋])"  # passes over words five times as fast
    rf"(?:(?P<keep>{_DATE})|(?P<mobile>{_MOBILE})|(?P<money>{_MONEY})"
    rf"|(?<![A-Za-z0-9_*])\d{_MORE}{{6,14}}(?!\d|\*\*))"
)
_IN_FIELD = re.compile(
    rf"(?P<keep>(?:转接?|分机|ext\.?|#) ?\d{{1,6}}(?!\d))|(?P<mobile>{_MOBILE})|\d{_MORE}*"
)
_EXTENSION = re.compile(r"(?<=\d{7})-\d{1,3}$")


def mask_phone(phone: str) -> str:
    """Mask every number of a phone field: at least four digits of each are hidden.

    >>> mask_phone("13912345678/0571-87654321-801"), mask_phone("95588")
    ('139****5678/0571-****4321-801', '****8')
    """
    return _IN_FIELD.sub(_masked, _mask_addresses(phone))


def mask_email(email: str) -> str:
    """Keep the first character and the domain; what is no address at all is hidden.

    >>> mask_email("zhang.wei@example.cn"), mask_email("zhang wei")
    ('z***@example.cn', '***')
    """
    if _EMAIL.search(email):
        return mask_text(email)
    local, at, domain = email.partition("@")
    return f"{local[:1]}***{at}{domain}" if at else "***"


def mask_text(text: str) -> str:
    """Mask every phone number and e-mail address inside free text.

    >>> mask_text("2024-05-10前打电话13912345678或发邮件li@a.cn，预算1200000元")
    '2024-05-10前打电话139****5678或发邮件l***@a.cn，预算1200000元'
    """
    return _IN_TEXT.sub(_masked, _mask_addresses(text))


def _mask_addresses(text: str) -> str:
    if "@" not in text and "＠" not in text:
        return text
    return _EMAIL.sub(lambda m: f"{m[1] or m[2]}***{m[3]}", text)


def _masked(match: re.Match[str]) -> str:
    """The number of a match as it may be shown."""
    number = match[0]
    kind = match.lastgroup
    if kind in ("keep", "money"):
        return number
    extension = "" if kind == "mobile" else "".join(_EXTENSION.findall(number))
    return _hide(number.removesuffix(extension)) + extension


def _hide(number: str) -> str:
    """Hide the four digits before the last four, of a short number the first four."""
    places = [i for i, c in enumerate(number) if c.isdigit()]
    end = max(len(places) - _SHOWN, _HIDDEN)
    hidden = set(places[max(end - _HIDDEN, 0) : end])
    return "".join("*" if i in hidden else c for i, c in enumerate(number))
