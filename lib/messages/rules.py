"""Who gets what would have come to somebody away, and which absences may be entered."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta

from lib.shared.errors import Refusal

LONGEST_ABSENCE = timedelta(days=366)
LONGEST_WORDS = 200


def stand_ins(
    people: Iterable[int], is_away: Callable[[int], bool], deputy_of: Mapping[int, int]
) -> tuple[int, ...]:
    """The people who are there, deputies in the place of those away, each once (rule 19).

    A deputy who is away has a deputy in turn; a ring of deputies ends with nobody.
    """
    there: list[int] = []
    for person in people:
        stands_in: int | None = person
        seen: set[int] = set()
        while stands_in is not None and is_away(stands_in) and stands_in not in seen:
            seen.add(stands_in)
            stands_in = deputy_of.get(stands_in)
        if stands_in is not None and not is_away(stands_in) and stands_in not in there:
            there.append(stands_in)
    return tuple(there)


def ensure_absence_may_be(
    *,
    person_id: int,
    deputy_id: int | None,
    from_at: datetime,
    until_at: datetime,
    now: datetime,
) -> None:
    """Refuse `absence_empty`, `absence_over`, `absence_long` (more than a year) and `deputy_is_same`."""
    if until_at <= from_at:
        raise Refusal("absence_empty")
    if until_at <= now:
        raise Refusal("absence_over")
    if until_at - from_at > LONGEST_ABSENCE:
        raise Refusal("absence_long")
    if deputy_id == person_id:
        raise Refusal("deputy_is_same")


def ensure_short(words: str) -> str:
    """The words of an absence without outer space. Refuses `words_too_long` and `words_unreadable`."""
    told = words.strip()
    if len(told) > LONGEST_WORDS:
        raise Refusal("words_too_long", limit=LONGEST_WORDS)
    if "\x00" in told or any("\ud800" <= letter <= "\udfff" for letter in told):
        raise Refusal("words_unreadable")
    return told
