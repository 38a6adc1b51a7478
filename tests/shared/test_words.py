"""No text is missing: every key that code can ask for has words in both languages, with the same placeholders."""

import ast
import importlib
import pkgutil
import re
import string
from enum import StrEnum

import pytest

from db import codes
from db.codes import Language
from lib.shared.settings import ROOT
from lib.shared.words import catalogue, text

SOURCES = [
    *sorted((ROOT / "lib").rglob("*.py")),
    *sorted((ROOT / "pages").rglob("*.py")),
    ROOT / "app.py",
]
CALLS = {"label": 0, "text": 1, "words": 0}
"""Functions that take a key, and at which place."""
BOTH = [Language.ZH_CN, Language.EN]


def keys_in_source() -> set[str]:
    """Every literal key given to label, text or Refusal, and every `refusal` key."""
    found = set()
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            if name == "Refusal" and node.args and isinstance(node.args[0], ast.Constant):
                found.add(f"refusal.{node.args[0].value}")
            place = CALLS.get(name)
            if place is None or len(node.args) <= place:
                continue
            key = node.args[place]
            if isinstance(key, ast.Constant) and re.fullmatch(
                r"[a-z_]+(\.[a-z0-9_]+)+", str(key.value)
            ):
                found.add(key.value)
    return found


def all_codes() -> list[StrEnum]:
    kinds = [
        kind
        for kind in vars(codes).values()
        if isinstance(kind, type) and issubclass(kind, StrEnum) and kind is not StrEnum
    ]
    return [member for kind in kinds for member in kind]


def code_key(code: StrEnum) -> str:
    """`ticket_status.new` for TicketStatus.NEW."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", type(code).__name__).lower() + f".{code.value}"


def placeholders(words: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(words) if name}


@pytest.mark.parametrize("language", BOTH)
def test_every_key_in_the_source_has_words(language):
    missing = sorted(keys_in_source() - catalogue(language).keys())
    assert missing == []


@pytest.mark.parametrize("language", BOTH)
def test_every_stored_code_has_words(language):
    known = catalogue(language)
    unshown = {
        codes.ActorKind,
        codes.SignInOutcome,
        codes.DayKind,
        codes.DaySource,
        codes.MissedCause,
    }
    missing = [
        code_key(code)
        for code in all_codes()
        if type(code) not in unshown and code_key(code) not in known
    ]
    assert missing == []


def test_both_languages_have_the_same_keys_and_placeholders():
    chinese, english = catalogue(Language.ZH_CN), catalogue(Language.EN)
    assert sorted(chinese) == sorted(english)
    differing = [key for key in chinese if placeholders(chinese[key]) != placeholders(english[key])]
    assert differing == []


@pytest.mark.parametrize("language", BOTH)
def test_no_words_are_empty_or_the_key_itself(language):
    assert [key for key, words in catalogue(language).items() if words.strip() in ("", key)] == []


def test_chinese_words_are_chinese_and_english_words_are_not():
    han = re.compile(r"[\u4e00-\u9fff]")
    english = catalogue(Language.EN)
    bilingual = {"language.zh_CN", "survey.other_language"}
    assert [
        key for key, words in english.items() if han.search(words) and key not in bilingual
    ] == []


def test_a_key_without_words_is_found_because_it_shows_itself():
    assert text(Language.EN, "no.such_key") == "no.such_key"


def test_every_room_can_be_imported():
    import lib

    for module in pkgutil.walk_packages(lib.__path__, "lib."):
        if module.name not in ("lib.ui.shell",):
            importlib.import_module(module.name)
