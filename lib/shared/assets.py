"""Script and style files of our components, under names that carry their hash, so that they may be cached for ever."""

import hashlib
import json
import re
from dataclasses import dataclass
from functools import lru_cache

from db.codes import Language
from lib.shared import words
from lib.shared.settings import ROOT

FOLDER = ROOT / "lib" / "ui" / "components"
PREFIX = "/desk/assets/"
MEDIA_TYPES = {"js": "text/javascript", "css": "text/css", "json": "application/json"}
NEIGHBOUR = re.compile(r'(from|import) "\./([\w-]+\.js)"')
WORDS_FOR_COMPONENTS = (
    "component.",
    "coverage_state.",
    "fault_code.",
    "priority.",
    "queue.",
    "role.",
    "ticket_status.",
    "timer_kind.",
    "waiting_for.",
)
"""Beginnings of the keys whose words components show."""


@dataclass(frozen=True)
class Asset:
    """A file as it is served. `address` changes with every change of `body`."""

    address: str
    body: bytes
    media_type: str


def asset(name: str) -> Asset:
    """The asset of a file in the components' folder, e.g. "queue.js". Raises KeyError for a name that is none."""
    return _assets()[name]


def words_asset(language: Language) -> Asset:
    """The words that components show, in one language, as a JSON object of key to words."""
    return _words_assets()[language]


def asset_at(address: str) -> Asset | None:
    """The asset behind an address."""
    return _by_address().get(address)


@lru_cache
def _assets() -> dict[str, Asset]:
    bodies = {
        path.name: path.read_text()
        for path in sorted(FOLDER.iterdir())
        if path.suffix[1:] in ("js", "css")
    }
    made: dict[str, Asset] = {}

    def make(name: str) -> Asset:
        if name not in made:
            body = NEIGHBOUR.sub(
                lambda found: f'{found[1]} "{make(found[2]).address}"', bodies[name]
            )
            made[name] = _asset(name, body)
        return made[name]

    for name in bodies:
        make(name)
    return made


@lru_cache
def _words_assets() -> dict[Language, Asset]:
    return {language: _words_asset(language) for language in Language}


def _words_asset(language: Language) -> Asset:
    chosen = {
        key: text
        for key, text in words.catalogue(language, strict=False).items()
        if key.startswith(WORDS_FOR_COMPONENTS)
    }
    return _asset(f"words-{language}.json", json.dumps(chosen, ensure_ascii=False, sort_keys=True))


@lru_cache
def _by_address() -> dict[str, Asset]:
    every = [*_assets().values(), *_words_assets().values()]
    return {each.address: each for each in every}


def _asset(name: str, text: str) -> Asset:
    body = text.encode()
    stem, _, kind = name.rpartition(".")
    digest = hashlib.sha256(body).hexdigest()[:16]
    return Asset(f"{PREFIX}{stem}-{digest}.{kind}", body, MEDIA_TYPES[kind])
