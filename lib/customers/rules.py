"""How callers are found, and how much of their phone and address a role may read.

Search keys are written once, when a name is written, so that a search by Chinese, full pinyin or
initials is one comparison of strings.
"""

import re
import unicodedata
from datetime import timedelta
from itertools import islice, product

import phonenumbers

from db.codes import Role
from lib.shared.errors import Refusal

FULL_SIGHT = frozenset({Role.HOTLINE, Role.DISPATCHER, Role.SUPERVISOR})
"""Roles that read phones and addresses in full (P-05); a technician does so for his own visits only."""

CUSTOMER_READERS = FULL_SIGHT | {Role.SALES, Role.QUALITY, Role.STOREKEEPER, Role.AUDITOR}
"""Roles that may look customers up; technicians meet them on their own tickets."""

REVEAL_LASTS = timedelta(minutes=10)
AFTER_VISIT = timedelta(hours=24)
"""How long the assigned technician still reads phone and address after the visit."""

READINGS = 8
SHORT_NAME = 6
MANY = "|"
PHONE_MARKS = re.compile(r"转接?|分机号?|ext\.?|extension|[#x]", re.IGNORECASE)
LANDLINE_WITH_EXTENSION = re.compile(r"^(0\d{2,3}-?\d{7,8})-(\d{1,6})$")
PHONE_LETTERS = re.compile(r"[^\d\sx+()./-]")
DISTRICT = re.compile(
    r"^(?:[^市区县]{2,8}?(?:省|自治区))?(?:[^省区县]{1,6}?市)?(?P<district>[^市省]{1,8}?(?<![小园])[区县旗])?"
)


def clean(words: str, most: int, *, missing: str | None = None) -> str:
    """Typed words of one field without outer spaces.

    Refuses `missing` (a refusal's key) when nothing is left, `words_too_long` and `words_unreadable`.
    """
    words = words.strip()
    if not words and missing:
        raise Refusal(missing)
    if len(words) > most:
        raise Refusal("words_too_long", limit=most)
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in words):
        raise Refusal("words_unreadable")
    return words


def plain(words: str) -> str:
    """Words as they are compared: full-width made narrow, lower case, single spaces."""
    return " ".join(unicodedata.normalize("NFKC", words).casefold().split())


def search_key(*names: str, limit: int) -> str:
    """What a search reads for these names: each name, its full pinyin and its initials, marked by `|`.

    In short names a character with several readings (重, 单) adds the others, as far as `limit` characters reach.
    """
    # Its dictionary takes half a second to load: the first name that is written waits for it, not the start.
    from pypinyin import Style, pinyin

    parts: list[str] = []
    for name in filter(None, map(plain, names)):
        parts.append(name)
        solid = name.replace(" ", "")
        if any("\u3400" <= character <= "\u9fff" for character in solid):
            spoken = pinyin(solid, style=Style.NORMAL)
            parts += _spellings(spoken)
            if len(solid) <= SHORT_NAME:
                every = pinyin(solid, style=Style.NORMAL, heteronym=True)
                for readings in islice(product(*every), READINGS):
                    parts += _spellings([[reading] for reading in readings])
        elif solid != name:
            parts.append(solid)
    key = ""
    for part in dict.fromkeys(parts):
        if len(key) + len(part) + 1 <= limit:
            key += MANY + part
    return key


def _spellings(syllables: list[list[str]]) -> tuple[str, str]:
    first = [readings[0] for readings in syllables]
    return "".join(first), "".join(reading[:1] for reading in first)


def phone_digits(phone: str) -> str:
    """The digits of a phone as dialled within the country, an extension after `x`: `02168888888x801`."""
    text = _phone_text(phone)
    try:
        number = phonenumbers.parse(text, "CN")
    except phonenumbers.NumberParseException:
        return "".join(character for character in text if character in "0123456789x")
    if number.country_code == 86:
        national = phonenumbers.format_number(
            _without_extension(number), phonenumbers.PhoneNumberFormat.NATIONAL
        )
    else:
        national = f"{number.country_code}{phonenumbers.national_significant_number(number)}"
    digits = "".join(character for character in national if character.isdigit())
    return f"{digits}x{number.extension}" if number.extension else digits


def phone_fragment(words: str) -> str:
    """The digits to look for in phones, or "" when `words` are no part of a phone (three digits at least)."""
    text = _phone_text(words)
    if PHONE_LETTERS.search(text):
        return ""
    for prefix in ("+86", "0086"):
        text = text.removeprefix(prefix)
    fragment = "".join(character for character in text if character in "0123456789x")
    return fragment if sum(map(str.isdigit, fragment)) >= 3 else ""


def is_phone(phone: str) -> bool:
    """Whether somebody could dial it: a number of any country, or a local one without its area code."""
    try:
        number = phonenumbers.parse(_phone_text(phone), "CN")
    except phonenumbers.NumberParseException:
        return False
    return phonenumbers.is_possible_number_with_reason(number) in (
        phonenumbers.ValidationResult.IS_POSSIBLE,
        phonenumbers.ValidationResult.IS_POSSIBLE_LOCAL_ONLY,
    )


def _phone_text(phone: str) -> str:
    text = PHONE_MARKS.sub("x", unicodedata.normalize("NFKC", phone).strip())
    found = LANDLINE_WITH_EXTENSION.match(text)
    return f"{found[1]}x{found[2]}" if found else text


def _without_extension(number: phonenumbers.PhoneNumber) -> phonenumbers.PhoneNumber:
    bare = phonenumbers.PhoneNumber()
    bare.merge_from(number)
    bare.extension = None
    return bare


def mask_phone(phone: str) -> str:
    """`13812345678` to `138****5678`; short numbers keep their last two digits."""
    digits = "".join(character for character in phone if character.isdigit())
    if not digits:
        return ""
    return f"{digits[:3]}****{digits[-4:]}" if len(digits) >= 11 else f"****{digits[-2:]}"


def mask_email(email: str) -> str:
    """`li.na@example.cn` to `l***@example.cn`."""
    name, _, domain = email.partition("@")
    return f"{name[:1]}***@{domain}" if email else ""


def mask_address(address: str) -> str:
    """Up to the district, the rest hidden: `上海市浦东新区****`."""
    if not address:
        return ""
    found = DISTRICT.match(address)
    return f"{found[0] if found and found[0] else address[:2]}****"


def district_of(address: str) -> str:
    """The district named in an address, or ""."""
    found = DISTRICT.match(address)
    return (found["district"] or "") if found else ""
