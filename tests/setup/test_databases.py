import pytest
from sqlalchemy import func, select

from db.models.people import Person
from db.session import ReadSession
from tests.cast import PEOPLE


@pytest.mark.postgres_smoke
def test_every_test_starts_from_a_migrated_database_with_the_small_cast(cast, database):
    with ReadSession() as session:
        assert session.scalar(select(func.count()).select_from(Person)) == len(PEOPLE)


def test_what_one_test_wrote_another_does_not_find(database):
    with ReadSession() as session:
        assert session.scalar(select(func.count()).select_from(Person)) == 0
