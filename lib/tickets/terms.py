"""One tokenizer for both stores: the terms by which a case is found, and what typed words ask of them.

Chinese runs give bigrams, Latin ones their words; letters of names and digits of phones give trigrams under `~` and
`#`, so that any fragment of three finds them. Terms only narrow: what they find is compared in full afterwards.
"""

from collections.abc import Callable, Iterable, Set
from dataclasses import dataclass
from functools import lru_cache

from lib.customers.rules import CHINESE, MANY, RUNS, phone_fragment, plain

MOST_WORDS = 6
LONGEST_TERM = 40
LONGEST_TEXT = 4200
LETTERS, DIGITS = "~", "#"


def text_key(title: str, words: str) -> str:
    """The words of a case as they are compared."""
    return plain(f"{title} {words}")[:LONGEST_TEXT]


def terms_of(names_key: str, text: str, phone_digits: str) -> list[str]:
    """The terms of a case: of its names (number, company, contact as search keys), its text and its phone."""
    return sorted(_text_terms(text) | caller_terms(names_key, phone_digits))


def caller_terms(names_key: str, phone_digits: str) -> set[str]:
    """Those of a case's terms that come from its names and its phone."""
    return _name_terms(names_key) | _fragments(phone_digits, DIGITS)


def terms_beside(callers: Set[str], number: str, text: str) -> list[str]:
    """`terms_of` a case whose company, contact and phone have given `callers`."""
    return sorted(callers | _text_terms(text) | _name_terms(plain(number)))


def _text_terms(text: str) -> set[str]:
    found: set[str] = set()
    for run in RUNS.findall(text):
        found |= _bigrams(run) if CHINESE.search(run) else {run[:LONGEST_TERM]}
    return found


@lru_cache(4096)
def _part_terms(part: str) -> frozenset[str]:
    found = set(_text_terms(part))
    for run in RUNS.findall(part):
        if not CHINESE.search(run):
            found |= _fragments(run, LETTERS)
            if len(run) == 2:
                found.add(f"{LETTERS}{run}")
    return frozenset(found)


def _name_terms(names_key: str) -> set[str]:
    found: set[str] = set()
    for part in filter(None, names_key.split(MANY)):
        found |= _part_terms(part)
    return found


def _bigrams(run: str) -> set[str]:
    """Of two characters each, and the last one alone, so that any single one begins a term."""
    return {run[-1]} | _pairs(run)


def _pairs(run: str) -> set[str]:
    return {run[at : at + 2] for at in range(len(run) - 1)}


def _fragments(run: str, mark: str) -> set[str]:
    return {f"{mark}{run[at : at + 3]}" for at in range(len(run) - 2)}


@dataclass(frozen=True, slots=True)
class Asked:
    """Every one of `words`, each in one of its ways, a way being terms that all are there; or the whole as a phone.

    A term that ends in `*` stands for all that begin so.
    """

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
    return Asked(tuple(words), tuple(sorted(_fragments(whole, DIGITS))))


def _ways(piece: str, by_phone: bool) -> list[tuple[str, ...]]:
    runs = RUNS.findall(piece)
    if not runs:
        return []
    in_text: set[str] = set()
    in_names: set[str] = set()
    for run in runs:
        if CHINESE.search(run):
            found = _pairs(run) if len(run) > 1 else {f"{run}*"}
            in_text |= found
            in_names |= found
            continue
        in_text.add(run[:LONGEST_TERM])
        # Of two letters only a whole name's initials are sure to be found.
        in_names |= _fragments(run, LETTERS) or ({f"{LETTERS}{run}"} if len(run) == 2 else {run})
    ways = [in_text] if in_text == in_names else [in_text, in_names]
    digits = phone_fragment(piece) if by_phone else ""
    if digits:
        ways.append(_fragments(digits, DIGITS))
    return [tuple(sorted(way)) for way in ways if way]


def sqlite_query(asked: Asked) -> str:
    """The question in the words of FTS5."""

    def term(each: str) -> str:
        return f'"{each[:-1]}" *' if each.endswith("*") else f'"{each}"'

    return _query(asked, term, " AND ", " OR ")


def postgresql_query(asked: Asked) -> str:
    """The question as a tsquery."""

    def term(each: str) -> str:
        return f"'{each[:-1]}':*" if each.endswith("*") else f"'{each}'"

    return _query(asked, term, " & ", " | ")


def _query(asked: Asked, term: Callable[[str], str], both: str, either: str) -> str:
    def all_of(way: Iterable[str]) -> str:
        return f"({both.join(map(term, way))})"

    def one_of(ways: Iterable[Iterable[str]]) -> str:
        return f"({either.join(map(all_of, ways))})"

    held = both.join(one_of(ways) for ways in asked.words)
    if not asked.phone:
        return held
    return f"({held}){either}{all_of(asked.phone)}" if held else all_of(asked.phone)
