"""One tokenizer for both stores: the terms by which a case is found, and what typed words ask of them.

Chinese runs give bigrams, Latin ones their words; letters of names and digits of phones give trigrams under `~` and
`#`, so that any fragment of three finds them. Terms only narrow: what they find is compared in full afterwards.
"""

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from functools import lru_cache
from math import prod

from lib.customers.rules import CHINESE, MANY, RUNS, phone_fragment, plain

MOST_WORDS = 6
LONGEST_TERM = 40
LONGEST_TEXT = 4200
LETTERS, DIGITS = "~", "#"
BEGINS = "*"
"""After a term: whatever begins with it."""
SHORTEST_BEGINNING = 3
MOBILE = 11
"""Digits of a mobile number, which is one term besides."""

RAREST = 5
"""So many terms of a way narrow enough: to look up another costs more than to compare a few cases that lack it."""
KNOWN_BEYOND = 16
"""A term that statistics do not name is taken to be in so many times fewer cases than the least of those they do."""


def text_key(title: str, words: str) -> str:
    """The words of a case as they are compared."""
    return plain(f"{title} {words}")[:LONGEST_TEXT]


def terms_of(names_key: str, text: str, phone_digits: str) -> list[str]:
    """The terms of a case: of its names (number, company, contact as search keys), its text and its phone."""
    return list(_text_terms(text) | caller_terms(names_key, phone_digits))


def caller_terms(names_key: str, phone_digits: str) -> set[str]:
    """Those of a case's terms that come from its names and its phone."""
    found = {*_fragments(phone_digits, DIGITS), *_whole_phones(phone_digits)}
    for part in names_key.split(MANY):
        # A number comes once: it would only push names out of the cache.
        terms = _part_terms.__wrapped__ if part[-1:].isdigit() else _part_terms
        found.update(terms(part))
    return found


def terms_beside(callers: Set[str], number: str, text: str) -> list[str]:
    """`terms_of` a case whose company, contact and phone have given `callers`."""
    return list(_text_terms(text).union(callers, _part_terms.__wrapped__(plain(number))))


def _text_terms(text: str) -> set[str]:
    found: set[str] = set()
    for run in RUNS.findall(text):
        if CHINESE.match(run):
            found.update(_pairs(run))
        else:
            found.add(run[:LONGEST_TERM])
    return found


@lru_cache(16_384)
def _part_terms(part: str) -> tuple[str, ...]:
    found = _text_terms(part)
    for run in RUNS.findall(part):
        if not CHINESE.match(run):
            found.update(_fragments(run, LETTERS))
            if len(run) == 2:
                found.add(f"{LETTERS}{run}")
    return tuple(found)


def _pairs(run: str) -> list[str]:
    return [run[at : at + 2] for at in range(len(run) - 1)]


def _fragments(run: str, mark: str) -> list[str]:
    # All are asked for, not just those that cover the run: the rare ones among them make the index quick.
    return [mark + run[at : at + 3] for at in range(len(run) - 2)]


def _whole_phones(digits: str) -> list[str]:
    return [DIGITS + each for each in digits.split("x") if len(each) == MOBILE]


@dataclass(frozen=True, slots=True)
class Asked:
    """Every one of `words`, each in one of its ways, a way being terms that all are there; or the whole as a phone."""

    words: tuple[tuple[tuple[str, ...], ...], ...]
    phone: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.words or self.phone)


def asked_of(text: str, *, by_phone: bool) -> Asked:
    """What a searchable text asks for. Without `by_phone` no phone is looked into, or it could be asked out."""
    pieces = text.split()[:MOST_WORDS]
    words: list[tuple[tuple[str, ...], ...]] = []
    for piece in pieces:
        ways = _ways(piece, by_phone)
        if ways:
            words.append(tuple(ways))
    whole = phone_fragment(text) if by_phone and len(pieces) > 1 else ""
    return Asked(tuple(words), tuple(sorted(_of_phone(whole))) if whole else ())


def _ways(piece: str, by_phone: bool) -> list[tuple[str, ...]]:
    """In how many ways a word may be there; a single Chinese character asks for nothing, it is in too many."""
    runs = RUNS.findall(piece)
    chinese = {pair for run in runs if CHINESE.match(run) for pair in _pairs(run)}
    # Of several runs of letters and digits (CC-2026-000012) the longest tells most, and the last is begun at least.
    others = [run for run in runs if not CHINESE.match(run)]
    other = max(others, key=len, default="")
    ways = []
    if other:
        in_names, in_text = set(_fragments(other, LETTERS)), {other[:LONGEST_TERM]}
        if len(other) == 2:
            # Of two letters only a whole name's initials are sure to be found.
            in_names = {f"{LETTERS}{other}"}
        if others[-1] != other and len(others[-1]) >= SHORTEST_BEGINNING:
            in_names.update(_fragments(others[-1], LETTERS))
            in_text.add(others[-1][:LONGEST_TERM] + BEGINS)
        ways = [chinese | in_text]
        if in_names:
            ways.append(chinese | in_names)
    elif chinese:
        ways = [chinese]
    digits = phone_fragment(piece) if by_phone else ""
    if digits:
        ways.append(_of_phone(digits))
    return [tuple(sorted(way)) for way in ways]


def _of_phone(digits: str) -> set[str]:
    if len(digits) == MOBILE and digits.isdigit() and digits.startswith("1"):
        return {DIGITS + digits}
    return set(_fragments(digits, DIGITS))


def rarest(asked: Asked, shares: Mapping[str, float]) -> Asked:
    """The question by the RAREST terms of each way; it finds no less. shares: of which part of the cases terms are."""

    def kept(way: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(sorted(way, key=lambda term: shares.get(term, 0.0))[:RAREST])

    return Asked(tuple(tuple(kept(way) for way in ways) for ways in asked.words), kept(asked.phone))


def likely_share(asked: Asked, shares: Mapping[str, float]) -> float:
    """Which part of the cases the question may find, by its two rarest terms as if they were apart.

    shares: as for `rarest`, of at least one term.
    """
    unknown = min(shares.values()) / KNOWN_BEYOND

    def of(way: tuple[str, ...]) -> float:
        return prod(sorted(shares.get(term, unknown) for term in way)[:2])

    found = [sum(map(of, ways)) for ways in asked.words]
    return min(found, default=0.0) + (of(asked.phone) if asked.phone else 0.0)


def sqlite_query(asked: Asked) -> str:
    """The question in the words of FTS5."""
    return _query(asked, '"', "*", " AND ", " OR ")


def postgresql_query(asked: Asked) -> str:
    """The question as a tsquery."""
    return _query(asked, "'", ":*", " & ", " | ")


def _query(asked: Asked, quote: str, begins: str, both: str, either: str) -> str:
    def term(told: str) -> str:
        whole = told.removesuffix(BEGINS)
        return f"{quote}{whole}{quote}{begins if whole != told else ''}"

    def all_of(way: Iterable[str]) -> str:
        return f"({both.join(map(term, way))})"

    def one_of(ways: Iterable[Iterable[str]]) -> str:
        return f"({either.join(map(all_of, ways))})"

    held = both.join(one_of(ways) for ways in asked.words)
    if not asked.phone:
        return held
    return f"({held}){either}{all_of(asked.phone)}" if held else all_of(asked.phone)
