"""The words of the desk: gettext catalogues of each room, merged and kept in memory."""

import io
from functools import lru_cache
from gettext import GNUTranslations

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from db.codes import Language
from lib.shared.settings import ROOT


def catalogue(language: Language, *, strict: bool = True) -> dict[str, str]:
    """Key to words of one language, over all rooms.

    Raises ValueError when two rooms define one key; not strict, the first one counts, so that a slip in the words
    (a test finds it) does not close the desk.
    """
    words: dict[str, str] = {}
    for path in sorted((ROOT / "lib").glob(f"*/words/{language}.po")):
        with path.open("rb") as file:
            for message in read_po(file):
                if not message.id:
                    continue
                key = str(message.id)
                if strict and key in words:
                    raise ValueError(f"{path.parent.parent.name} defines {key} a second time")
                words.setdefault(key, str(message.string))
    return words


@lru_cache
def _translations(language: Language) -> GNUTranslations:
    merged = Catalog(locale=str(language))
    for key, words in catalogue(language, strict=False).items():
        merged.add(key, words)
    buffer = io.BytesIO()
    write_mo(buffer, merged)
    buffer.seek(0)
    return GNUTranslations(buffer)


def text(language: Language, key: str, **params: object) -> str:
    """The words for `key`, placeholders filled. A key without words answers itself (a test finds it)."""
    words = _translations(language).gettext(key)
    return words.format(**params) if params else words
