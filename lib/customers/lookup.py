"""The search behind `find_callers`: ranges of search keys give few candidates, which are compared in full here."""

import string
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Row,
    String,
    and_,
    any_,
    literal,
    or_,
    select,
    union_all,
)
from sqlalchemy.orm import Session

from db import session as database
from db.models.customers import CallerKey, Contact, Customer
from lib.customers import rules

MOST_TOKENS = 6
MOST = 300
"""Keys read for one token; a token with more is looked for among the candidates of the others."""
MOST_PAIRS = 1500
LAST = chr(0x10FFFF)
LONGEST_MENDED = 20
KEY = CallerKey.__table__.c


@dataclass(frozen=True, slots=True)
class Token:
    """One thing that was typed: ways to write it, each found by its own keys; phones begin with `#`."""

    ways: tuple[str, ...]
    exact: bool = False

    def condition(self) -> ColumnElement[bool]:
        if self.exact:
            ways = sorted(self.ways)
            if database.is_sqlite():
                return KEY.key.in_(ways)
            # There hundreds of ways to write a word are one parameter.
            return KEY.key == any_(literal(ways, ARRAY(String)))
        return or_(*(and_(KEY.key >= way, KEY.key < way + LAST) for way in self.ways))


def callers(session: Session, words: str, *, by_phone: bool, limit: int) -> list[Row[Any]]:
    """The best rows (customer_id, contact_id, company, short_name, contact, phone, verified ...) first."""
    for tokens in readings(words, by_phone=by_phone):
        found = _strict(session, tokens, limit)
        if found:
            return found
    return []


def readings(words: str, *, by_phone: bool) -> list[list[Token]]:
    """What the words may mean, the likeliest first: as typed, as heard, then with one typing error each."""
    pieces = rules.plain(words).split()[: MOST_TOKENS * 2]
    typed: list[Token] = []
    phone: list[str] = []
    for piece in [*pieces, ""]:
        if piece and by_phone and rules.may_be_dialled(piece):
            phone.append(piece)
            continue
        if rules.phone_fragment(" ".join(phone)):
            typed += _phone_tokens(" ".join(phone))
            phone = []
        for text in [*phone, piece]:
            runs = rules.RUNS.findall(rules.stem(text))
            typed += [Token((run[: rules.KEY_MOST],)) for run in runs]
        phone = []
    typed = typed[:MOST_TOKENS]
    if not typed:
        return []
    tries = [typed]
    heard = [_heard(token) for token in typed]
    if heard != typed:
        tries.append(heard)
    last = typed[-1].ways[0]
    if rules.CHINESE.search(last) and len(last) >= 4:
        tries += [
            [*typed[:-1], Token((last[:-at],)), Token((last[-at:],))]
            for at in (3, 2)
            if len(last) - at >= 2
        ]
    for at, token in enumerate(heard):
        mended = _mended(token)
        if mended is not None:
            tries.append([*heard[:at], mended, *heard[at + 1 :]])
    return tries


def _phone_tokens(words: str) -> list[Token]:
    number, _, extension = rules.phone_fragment(words).partition("x")
    ways = [f"{rules.PHONE}{number}"]
    if number.startswith("0") and len(number) >= 10:
        ways += [f"{rules.PHONE}{number[cut:]}" for cut in (1, 3, 4) if len(number) - cut >= 7]
    if number.startswith("86") and len(number) == 13:
        ways.append(f"{rules.PHONE}{number[2:]}")
    tokens = [Token(tuple(way[: rules.KEY_MOST] for way in ways))] if number else []
    if extension:
        tokens.append(Token((f"{rules.PHONE}x{extension}",)))
    if number and len(number) <= 6 and not extension:
        # 360 and 2008 are names of companies too.
        tokens = [Token((*tokens[0].ways, number))]
    return tokens


TITLES = ("先生", "女士", "小姐", "经理", "主任", "老师", "师傅", "总")


def _heard(token: Token) -> Token:
    (way, *_) = token.ways
    if not rules.CHINESE.search(way):
        return token
    for title in TITLES:
        if way.endswith(title) and len(way) > len(title):
            way = way.removesuffix(title)
            break
    if len(way) < 2:
        return Token((way,))
    heard = ("".join(syllables)[: rules.KEY_MOST] for syllables in rules.spellings(way)[:3])
    return Token(tuple(dict.fromkeys((way, *heard))))


def _mended(token: Token) -> Token | None:
    words: set[str] = set()
    for way in token.ways:
        if way.startswith(rules.PHONE):
            if 7 <= len(way) - 1 <= LONGEST_MENDED:
                words |= {rules.PHONE + each for each in rules.edits(way[1:], string.digits)}
        elif way.isascii() and way.isalpha() and 4 <= len(way) <= LONGEST_MENDED:
            words |= rules.edits(way, string.ascii_lowercase)
        elif rules.CHINESE.search(way) and len(way) >= 3:
            words |= rules.edits(way, "")
    return Token(tuple(sorted(words)), exact=True) if words else None


def _strict(session: Session, tokens: list[Token], limit: int) -> list[Row[Any]]:
    """Pairs of customer and contact that match every token, best first."""
    parts = [
        select(literal(at).label("at"), KEY.customer_id, KEY.contact_id)
        .where(way.condition())
        .order_by(KEY.key)
        .limit(MOST + 1)
        .subquery()
        for at, token in enumerate(tokens)
        # A branch for each way: SQLite would scan for an OR of ranges in order.
        for way in ([token] if token.exact else [Token((each,)) for each in token.ways])
    ]
    keys: list[set[tuple[int, int]]] = [set() for _ in tokens]
    read = [0] * len(tokens)
    for at, customer_id, contact_id in session.execute(
        union_all(*(select(part) for part in parts))
    ):
        keys[at].add((customer_id, contact_id))
        read[at] += 1
    if not all(read):
        return []
    whole = [at for at in range(len(tokens)) if read[at] <= MOST]
    if whole:
        start = keys[min(whole, key=lambda at: len(keys[at]))]
    elif len(tokens) == 1:
        start = keys[0]
    else:
        others = [
            KEY.customer_id.in_(select(CallerKey.customer_id).where(token.condition()))
            for token in tokens[:-1]
        ]
        start = {
            (customer_id, contact_id)
            for customer_id, contact_id in session.execute(
                select(KEY.customer_id, KEY.contact_id)
                .where(tokens[-1].condition(), *others)
                .limit(MOST)
            )
        }
    found = []
    for row in _pairs(session, start):
        sides = {(row.customer_id, 0), (row.customer_id, row.contact_id)}
        score = 0.0
        for at, token in enumerate(tokens):
            value = _score(row, token)
            if not value and at in whole and keys[at] & sides:
                value = 30.0
            if not value:
                break
            score += value
        else:
            found.append((-score, row.company, not row.verified, row.contact or "", row))
    found.sort(key=lambda each: (*each[:4], each[4].contact_id or 0))
    return [each[4] for each in found[:limit]]


def _pairs(session: Session, start: set[tuple[int, int]]) -> list[Row[Any]]:
    """Candidates as rows: each contact that was found, and each company that was found with its contacts."""
    columns = (
        Customer.id.label("customer_id"),
        Customer.name.label("company"),
        Customer.short_name,
        Customer.search_key.label("company_key"),
        Contact.id.label("contact_id"),
        Contact.name.label("contact"),
        Contact.phone,
        Contact.phone_digits,
        Contact.verified,
        Contact.search_key.label("contact_key"),
    )
    contacts = sorted(contact_id for _, contact_id in start if contact_id)
    companies = sorted(customer_id for customer_id, contact_id in start if not contact_id)
    rows: dict[tuple[int, int | None], Row[Any]] = {}
    wanted: list[Any] = []
    if contacts:
        wanted.append(select(*columns).join(Contact).where(Contact.id.in_(contacts)))
    if companies:
        wanted.append(
            select(*columns).outerjoin(Contact).where(Customer.id.in_(companies)).limit(MOST_PAIRS)
        )
    for query in wanted:
        for row in session.execute(query):
            rows[row.customer_id, row.contact_id] = row
    return list(rows.values())


def _score(row: Row[Any], token: Token) -> float:
    return max((_way_score(row, way) for way in token.ways), default=0.0)


def _way_score(row: Row[Any], way: str) -> float:
    if way.startswith(rules.PHONE):
        wanted, digits = way[1:], row.phone_digits or ""
        if wanted not in digits:
            return 0.0
        if digits == wanted:
            return 120.0
        return 90.0 if digits.endswith(wanted) else 80.0 if digits.startswith(wanted) else 60.0
    best = 0.0
    for key, same, begins, inside in (
        (row.contact_key or "", 100.0, 75.0, 45.0),
        (row.company_key, 95.0, 80.0, 50.0),
    ):
        if way not in key:
            continue
        marked = f"{key}{rules.MANY}"
        if f"{rules.MANY}{way}{rules.MANY}" in marked:
            best = max(best, same)
        else:
            best = max(best, begins if f"{rules.MANY}{way}" in marked else inside)
    return best
