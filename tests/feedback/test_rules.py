import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.codes import ReturnCallResult
from lib.feedback import rules
from lib.feedback.rules import Question
from lib.shared.errors import Refusal

KEY = b"0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("result", "closed", "invited"),
    [
        (ReturnCallResult.FIXED, True, True),
        (ReturnCallResult.NO_ANSWER, True, True),
        (ReturnCallResult.DECLINED, True, False),
        (ReturnCallResult.NO_ANSWER, False, False),
        (ReturnCallResult.NOT_FIXED, False, False),
    ],
)
def test_a_closed_case_is_surveyed_unless_the_customer_declined(result, closed, invited):
    assert rules.is_invited(result, closed=closed) is invited


def test_a_token_has_256_bits_and_can_be_derived_again():
    token = rules.survey_token(KEY, 7, 1, "nonce")
    assert len(token) == rules.TOKEN_LENGTH
    assert token == rules.survey_token(KEY, 7, 1, "nonce")


@pytest.mark.parametrize("other", [(8, 1, "nonce"), (7, 2, "nonce"), (7, 1, "other")])
def test_every_part_of_an_invitation_changes_its_token(other):
    assert rules.survey_token(KEY, 7, 1, "nonce") != rules.survey_token(KEY, *other)


def test_another_key_gives_another_token():
    assert rules.survey_token(KEY, 7, 1, "n") != rules.survey_token(KEY[::-1], 7, 1, "n")


@pytest.mark.parametrize(
    ("given", "problems"),
    [
        ({Question.SATISFACTION: "5"}, {}),
        ({}, {Question.SATISFACTION: "missing"}),
        ({Question.SATISFACTION: "6"}, {Question.SATISFACTION: "unknown_score"}),
        ({Question.SATISFACTION: "٣"}, {Question.SATISFACTION: "unknown_score"}),
        (
            {Question.SATISFACTION: "3", Question.PUNCTUALITY: "NaN"},
            {Question.PUNCTUALITY: "unknown_score"},
        ),
        ({Question.SATISFACTION: "3", Question.WORDS: "好" * 1000}, {}),
        ({Question.SATISFACTION: "3", Question.WORDS: "好" * 1001}, {Question.WORDS: "too_long"}),
        ({Question.SATISFACTION: "3", Question.WORDS: "a\x00b"}, {Question.WORDS: "unreadable"}),
        ({Question.SATISFACTION: "3", Question.WORDS: "\ud800"}, {Question.WORDS: "unreadable"}),
        ({Question.SATISFACTION: "3", Question.WORDS: "一\r\n二\t三"}, {}),
    ],
)
def test_what_a_customer_must_mend(given, problems):
    assert rules.problems_of(given) == problems


def test_answers_keep_line_ends_of_one_kind_and_unanswered_questions_empty():
    answers = rules.answers_of({Question.SATISFACTION: "4", Question.WORDS: " 一\r\n二 "})
    assert answers == rules.Answers(4, None, None, "一\n二")


@given(st.integers(), st.integers() | st.none(), st.text(max_size=1100))
def test_only_scores_from_1_to_5_and_storable_words_pass(score, other, words):
    fit = (
        1 <= score <= 5
        and (other is None or 1 <= other <= 5)
        and not rules.problems_of({Question.SATISFACTION: "1", Question.WORDS: words})
    )
    answers = rules.Answers(score, other, None, words)
    if fit:
        rules.ensure_fit(answers)
    else:
        with pytest.raises(Refusal, match="survey_unfit"):
            rules.ensure_fit(answers)
