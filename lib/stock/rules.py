"""What a stock quantity, a minimum and a part number may be, and which parts a few letters find."""

from functools import lru_cache

from lib.shared.errors import Refusal

MOST_AT_ONCE = 10_000
"""The largest quantity of one movement; larger ones are slips of the hand."""

NUMBER_LENGTH = 40
NAME_LENGTH = 120
UNIT_LENGTH = 20
REASON_LENGTH = 200


def ensure_quantity(quantity: int) -> None:
    """Refuse what no single movement can be: less than one, or more than `MOST_AT_ONCE`."""
    if not 1 <= quantity <= MOST_AT_ONCE:
        raise Refusal("quantity_out_of_range", most=MOST_AT_ONCE)


def ensure_level(level: int) -> None:
    """Refuse a minimum or counted level below zero or beyond `MOST_AT_ONCE`."""
    if not 0 <= level <= MOST_AT_ONCE:
        raise Refusal("level_out_of_range", most=MOST_AT_ONCE)


def clean_number(number: str) -> str:
    """The part number as stored: capitals, no space. Refuses an empty or too long one."""
    cleaned = "".join(number.split()).upper()
    if not cleaned or len(cleaned) > NUMBER_LENGTH or not cleaned.isprintable():
        raise Refusal("part_number_wrong", most=NUMBER_LENGTH)
    return cleaned


def clean_line(words: str, most: int, refusal: str) -> str:
    """One printable line of 1 to `most` characters, else the named refusal."""
    cleaned = " ".join(words.split())
    if not cleaned or len(cleaned) > most or not cleaned.isprintable():
        raise Refusal(refusal, most=most)
    return cleaned


def is_below_minimum(on_hand: int, minimum: int) -> bool:
    """Whether a part must be bought (Q-14)."""
    return on_hand < minimum


def is_found(search: str, number: str, name: str, name_en: str) -> bool:
    """Whether letters find a part: in its number, its names, its pinyin or the initials of that."""
    wanted = "".join(search.split()).casefold()
    if not wanted:
        return True
    return wanted in number.casefold() or any(wanted in key for key in search_keys(name, name_en))


@lru_cache(maxsize=5000)
def search_keys(name: str, name_en: str) -> tuple[str, ...]:
    """What letters are compared with: names without spaces, full pinyin, initials; lower case."""
    # Its dictionary takes half a second to load: the first search waits for it, not the start.
    from pypinyin import Style, lazy_pinyin

    syllables = lazy_pinyin(name)
    initials = lazy_pinyin(name, style=Style.FIRST_LETTER)
    keys = (name, name_en, "".join(syllables), "".join(initials))
    return tuple("".join(key.split()).casefold() for key in keys)
