"""Masking of contact details (R75, R111, R112, A4): what a read shows by default.

Phone: the four digits before the last four are hidden, 139****5678. E-mail: the first character
and the domain stay. The same inside free text.
"""

import re

_EMAIL = re.compile(r"([\w.+-])[\w.+-]*(@[\w-]+(?:\.[\w-]+)+)")
# Digits of a number as people write it: 7 to 15 of them, single separators in between.
_PHONE = re.compile(r"(?<![\w.])\+?\d(?:[ \-().]{0,2}\d){6,14}(?!\w)")
_HIDDEN, _SHOWN = 4, 4


def mask_phone(phone: str) -> str:
    """Hide the four digits before the last four, keeping separators.

    >>> mask_phone("13912345678"), mask_phone("010-6555 1234")
    ('139****5678', '010-**** 1234')
    """
    places = [i for i, c in enumerate(phone) if c.isdigit()]
    hidden = set(places[:-_SHOWN][-_HIDDEN:]) if len(places) > _SHOWN else set(places)
    return "".join("*" if i in hidden else c for i, c in enumerate(phone))


def mask_email(email: str) -> str:
    """Keep the first character and the domain.

    >>> mask_email("zhang.wei@example.cn")
    'z***@example.cn'
    """
    local, at, domain = email.partition("@")
    return f"{local[:1]}***{at}{domain}" if at else "***"


def mask_text(text: str) -> str:
    """Mask every phone number and e-mail address inside free text.

    >>> mask_text("call 13912345678 or li@a.cn before 2024-05-10")
    'call 139****5678 or l***@a.cn before 2024-05-10'
    """
    text = _EMAIL.sub(r"\1***\2", text)
    return _PHONE.sub(lambda m: _mask_unless_date(m.group()), text)


def _mask_unless_date(number: str) -> str:
    is_date = re.fullmatch(r"(19|20)\d\d[-.]?(0[1-9]|1[0-2])[-.]?(0[1-9]|[12]\d|3[01])", number)
    return number if is_date else mask_phone(number)
