from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.people import passwords, rules
from lib.shared.errors import Refusal

NOON = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)


def failures(count: int) -> list[datetime]:
    return [NOON + timedelta(seconds=second) for second in range(count)]


def test_the_first_wrong_passwords_cost_no_waiting():
    for count in range(rules.ACCOUNT_FREE_TRIES + 1):
        assert rules.waiting_until(failures(count), free_tries=rules.ACCOUNT_FREE_TRIES) is None


def test_the_waiting_time_doubles_and_stops_at_a_quarter_of_an_hour():
    waits = []
    for count in range(4, 40):
        tries = failures(count)
        until = rules.waiting_until(tries, free_tries=3)
        assert until is not None
        waits.append(until - tries[-1])
    assert waits[:3] == [timedelta(seconds=5), timedelta(seconds=10), timedelta(seconds=20)]
    assert waits == sorted(waits)
    assert max(waits) == timedelta(minutes=15)


@pytest.mark.parametrize(
    ("password", "key"),
    [
        (" leading-space-1", "password_outer_spaces"),
        ("trailing-space-1 ", "password_outer_spaces"),
        ("with\0nul-inside", "password_outer_spaces"),
        ("short-1", "password_short"),
        ("窗帘" * 13, "password_long"),
        ("aaaaaaaaaaaa", "password_weak"),
        ("my-wang.li-2026", "password_weak"),
    ],
)
def test_a_new_password_that_is_no_good_is_refused_with_its_reason(password, key):
    with pytest.raises(Refusal) as refused:
        rules.ensure_password_is_usable(password, login="wang.li")
    assert refused.value.key == key


def test_a_sentence_in_chinese_is_a_good_password():
    rules.ensure_password_is_usable("窗帘轨道每年保养两次最好", login="wang.li")


@given(st.text(max_size=120))
def test_the_check_answers_for_any_text_whatever(password):
    hashed = "$2b$04$abcdefghijklmnopqrstuuN4o1dLzD0M0YB5fS0mWZ0l0eZ1eKQ5W"
    assert passwords.is_password(password, hashed) is False


def test_first_passwords_are_long_and_never_alike():
    made = {passwords.random_password() for _ in range(50)}
    assert len(made) == 50
    for password in made:
        rules.ensure_password_is_usable(password, login="wang.li")


@pytest.mark.parametrize("login", ["", "A", "王丽", "a b", "x" * 33, ".dot", "UPPER", "tab\t"])
def test_a_login_is_plain_small_letters(login):
    with pytest.raises(Refusal):
        rules.ensure_login_is_usable(login)
