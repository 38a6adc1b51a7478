"""What the customer is asked after a case: when a survey goes out, its link, and which answers count."""

import hashlib
import hmac
import unicodedata
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from enum import StrEnum

from db.codes import ReturnCallResult
from lib.shared.errors import Refusal

SCORES = range(1, 6)
"""1 very poor to 5 very good."""

LONGEST_WORDS = 1000
TOKEN_LENGTH = 43
"""256 bits in URL-safe base64 without padding."""


class Question(StrEnum):
    """What the survey asks, in this order; only the first must be answered."""

    SATISFACTION = "satisfaction"
    PUNCTUALITY = "punctuality"
    QUALITY = "quality"
    WORDS = "words"


REQUIRED = frozenset({Question.SATISFACTION})


@dataclass(frozen=True, slots=True)
class Answers:
    """Scores 1 to 5, None where the customer left a question out."""

    satisfaction: int
    punctuality: int | None = None
    quality: int | None = None
    words: str = ""


def is_invited(result: ReturnCallResult, *, closed: bool) -> bool:
    """A closed case is surveyed unless the customer declined to talk; a third no answer still gets the link."""
    return closed and result is not ReturnCallResult.DECLINED


def survey_token(key: bytes, ticket_id: int, cycle: int, nonce: str) -> str:
    """The secret of a link: derived, so that staff can show it again while only its hash is stored."""
    message = f"survey:{ticket_id}:{cycle}:{nonce}".encode()
    return urlsafe_b64encode(hmac.new(key, message, hashlib.sha256).digest()).decode().rstrip("=")


def token_hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def problems_of(given: dict[Question, str]) -> dict[Question, str]:
    """What a customer must mend, as codes by question: `missing`, `unknown_score`, `too_long`, `unreadable`."""
    problems: dict[Question, str] = {}
    for question in Question:
        text = given.get(question, "")
        if question is Question.WORDS:
            problem = _problem_of_words(text)
        elif not text:
            problem = "missing" if question in REQUIRED else ""
        else:
            problem = "" if text in {str(score) for score in SCORES} else "unknown_score"
        if problem:
            problems[question] = problem
    return problems


def answers_of(given: dict[Question, str]) -> Answers:
    """The typed answers as they are stored; raises ValueError while `problems_of` finds any."""
    problems = problems_of(given)
    if problems:
        raise ValueError(f"unfit answers: {problems}")
    scores = {
        question: int(given[question]) if given.get(question) else None
        for question in Question
        if question is not Question.WORDS
    }
    satisfaction = scores[Question.SATISFACTION]
    assert satisfaction is not None
    return Answers(
        satisfaction,
        scores[Question.PUNCTUALITY],
        scores[Question.QUALITY],
        plain_lines(given.get(Question.WORDS, "")),
    )


def ensure_fit(answers: Answers) -> None:
    """Refuse `survey_unfit` for scores outside 1 to 5 and words too long or not storable."""
    optional = (answers.punctuality, answers.quality)
    scores = (answers.satisfaction, *(score for score in optional if score is not None))
    if any(score not in SCORES for score in scores) or _problem_of_words(answers.words):
        raise Refusal("survey_unfit")


def plain_lines(text: str) -> str:
    """The words with the line ends of one kind and without outer blanks."""
    return text.replace("\r\n", "\n").replace("\r", "\n").strip()


def _problem_of_words(text: str) -> str:
    text = plain_lines(text)
    if len(text) > LONGEST_WORDS:
        return "too_long"
    if any(unicodedata.category(char) in {"Cc", "Cs"} and char not in "\n\t" for char in text):
        return "unreadable"
    return ""
