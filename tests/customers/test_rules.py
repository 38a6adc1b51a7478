"""How names and phones are made findable, and how they are hidden."""

import pytest

from lib.customers import rules
from lib.shared.errors import Refusal


def test_a_name_is_found_by_pinyin_and_initials() -> None:
    key = rules.search_key("惠派国际公司", "惠派", limit=600)
    assert "|huipaiguojigongsi" in key
    assert "|hpgjgs" in key
    assert key.startswith("|惠派国际公司|")


def test_a_surname_of_several_readings_is_found_by_each() -> None:
    key = rules.search_key("单雄信", limit=400)
    assert "|shanxiongxin" in key
    assert "|danxiongxin" in key


def test_a_key_never_outgrows_its_column() -> None:
    assert len(rules.search_key("重" * 120, "长" * 60, limit=600)) <= 600


@pytest.mark.parametrize(
    ("phone", "digits"),
    [
        ("021-6888 8888", "02168888888"),
        ("０２１－６８８８８８８８", "02168888888"),
        ("+86 138 1234 5678", "13812345678"),
        ("0086-21-68888888", "02168888888"),
        ("021-6888 8888 转 801", "02168888888x801"),
        ("021-68888888分机801", "02168888888x801"),
        ("021-68888888-801", "02168888888x801"),
        ("400-820-8888", "4008208888"),
    ],
)
def test_a_phone_is_kept_as_it_is_dialled_within_the_country(phone: str, digits: str) -> None:
    assert rules.phone_digits(phone) == digits


@pytest.mark.parametrize(
    ("words", "fragment"),
    [
        ("021-6888 8888", "02168888888"),
        ("５６７８", "5678"),
        ("转801", "x801"),
        ("+86 138", "138"),
        ("12", ""),
        ("惠派 123", ""),
        ("3楼101", ""),
    ],
)
def test_only_words_that_look_like_a_phone_are_searched_in_phones(
    words: str, fragment: str
) -> None:
    assert rules.phone_fragment(words) == fragment


@pytest.mark.parametrize("phone", ["abc", "12", "13812345678901234567", "", "电话号码"])
def test_what_nobody_could_dial_is_no_phone(phone: str) -> None:
    assert not rules.is_phone(phone)


def test_masks_leave_enough_to_recognise_and_not_enough_to_use() -> None:
    assert rules.mask_phone("138 1234 5678") == "138****5678"
    assert rules.mask_phone("68881234") == "****34"
    assert rules.mask_phone("") == ""
    assert rules.mask_email("li.na@example.cn") == "l***@example.cn"
    assert rules.mask_address("上海市浦东新区世纪大道100号") == "上海市浦东新区****"
    assert rules.mask_address("某某小区三期12号") == "某某****"
    assert rules.mask_address("") == ""


@pytest.mark.parametrize(
    ("words", "key"),
    [("", "phone_missing"), ("a" * 11, "words_too_long"), ("a\x00b", "words_unreadable")],
)
def test_words_that_cannot_be_kept_are_refused(words: str, key: str) -> None:
    with pytest.raises(Refusal) as refused:
        rules.clean(words, 10, missing="phone_missing")
    assert refused.value.key == key
