"""The same small cast in every test: one person per role that matters, and an outsider without any."""

from dataclasses import dataclass, fields
from datetime import datetime

import bcrypt

from db import session as database
from db.codes import Role
from db.models.people import Person, PersonRole
from lib.shared.work import Actor, actor_of

PASSWORD = "curtain-rail-4711"
"""The password of everybody in the cast."""

PEOPLE = {
    "hotline": ("wang.li", "王丽", [Role.HOTLINE]),
    "dispatcher": ("zhao.min", "赵敏", [Role.DISPATCHER]),
    "technician": ("chen.gang", "陈刚", [Role.TECHNICIAN]),
    "second_technician": ("liu.yang", "刘洋", [Role.TECHNICIAN]),
    "supervisor": ("sun.fang", "孙芳", [Role.SUPERVISOR]),
    "storekeeper": ("qian.bo", "钱波", [Role.STOREKEEPER]),
    "sales": ("zhou.jie", "周洁", [Role.SALES]),
    "quality": ("wu.hao", "吴昊", [Role.QUALITY]),
    "administrator": ("zheng.wei", "郑伟", [Role.ADMINISTRATOR]),
    "auditor": ("feng.lin", "冯琳", [Role.AUDITOR]),
    "outsider": ("chu.nan", "褚楠", []),
}


@dataclass(frozen=True)
class Cast:
    """The actors by what they do at the desk."""

    hotline: Actor
    dispatcher: Actor
    technician: Actor
    second_technician: Actor
    supervisor: Actor
    storekeeper: Actor
    sales: Actor
    quality: Actor
    administrator: Actor
    auditor: Actor
    outsider: Actor

    def everybody(self) -> list[Actor]:
        return [getattr(self, field.name) for field in fields(self)]


def login_of(part: str) -> str:
    """The login of "hotline", "technician" and so on."""
    return PEOPLE[part][0]


def hire_cast(now: datetime, *, settled: bool = True) -> Cast:
    """Write the cast into the configured database; `settled`: password chosen and pledge accepted."""
    hashed = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
    with database.writing() as session:
        hired = {
            part: Person(
                login=login,
                name=name,
                password_hash=hashed,
                must_change_password=not settled,
                pledge_accepted_at=now if settled else None,
                created_at=now,
                roles=[PersonRole(role=role) for role in roles],
            )
            for part, (login, name, roles) in PEOPLE.items()
        }
        session.add_all(hired.values())
        session.flush()
        return Cast(**{part: actor_of(person) for part, person in hired.items()})
