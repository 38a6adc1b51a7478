"""Who is here at a moment: active people, their roles, and who stands in for those away."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, bindparam, select
from sqlalchemy.orm import Session

from db.codes import Role
from db.models.messages import Absence
from db.models.people import Person, PersonRole
from lib.messages.rules import stand_ins
from lib.shared.work import ask

ROSTER = (
    select(Person.id, PersonRole.role, Absence.id, Absence.deputy_id)
    .outerjoin(PersonRole, PersonRole.person_id == Person.id)
    .outerjoin(
        Absence,
        and_(
            Absence.person_id == Person.id,
            Absence.until_at > bindparam("now"),
            Absence.from_at <= bindparam("now"),
        ),
    )
    .where(Person.active.is_(True))
    .order_by(Person.id, Absence.id)
)


@dataclass(frozen=True, slots=True)
class Roster:
    """roles: of every active person; deputies: of everybody away now, None where nobody was named."""

    roles: dict[int, frozenset[Role]]
    deputies: dict[int, int | None]

    def holders(self, *roles: Role) -> list[int]:
        """The active people who hold one of `roles`, in order of their ids."""
        wanted = frozenset(roles)
        return sorted(person for person, held in self.roles.items() if held & wanted)

    def is_away(self, person: int) -> bool:
        """Away now, or without an open account."""
        return person in self.deputies or person not in self.roles

    def there(self, people: Iterable[int]) -> tuple[int, ...]:
        """Those of `people` who are here, deputies in the place of those away; inactive people are left out."""
        active = [person for person in people if person in self.roles]
        named = {away: deputy for away, deputy in self.deputies.items() if deputy is not None}
        return stand_ins(active, self.is_away, named)


def read_roster(session: Session, now: datetime) -> Roster:
    """The roster at `now`, in one query; of two absences at once the later entry counts."""
    rows = ask(session, ROSTER, now=now).all()
    roles: dict[int, set[Role]] = {}
    deputies: dict[int, int | None] = {}
    for person, role, absence, deputy in rows:
        held = roles.setdefault(person, set())
        if role is not None:
            held.add(role)
        if absence is not None:
            deputies[person] = deputy
    return Roster({person: frozenset(held) for person, held in roles.items()}, deputies)


def holders_of(session: Session, *roles: Role) -> list[int]:
    """The active people who hold one of `roles`, away or not: `notify` finds who stands in for them."""
    return list(
        session.scalars(
            select(Person.id)
            .join(PersonRole, PersonRole.person_id == Person.id)
            .where(Person.active.is_(True), PersonRole.role.in_(roles))
            .distinct()
            .order_by(Person.id)
        )
    )
