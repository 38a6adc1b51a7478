"""The sample story: eleven people and eighteen months of cases, told by calling the real actions.

So its timers, audit chain, stock and answers are as consistent as those of a desk that really worked. What is drawn by
chance is the same at every telling, but for the first passwords; every instant is relative to the end of the story.
"""

import gc
import random
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import takewhile
from operator import itemgetter
from time import monotonic

from faker import Faker
from sqlalchemy import select

from db import session as database
from db.codes import ActorKind, Role
from db.models.people import Person
from db.models.stock import Part
from db.models.tickets import Ticket
from lib.customers import actions as customers
from lib.demo import bulk, words
from lib.demo.cases import (
    DAY,
    OPEN_PLANS,
    Case,
    Crew,
    Place,
    closed_case,
    todays_case,
    todays_visits,
)
from lib.demo.stage import Stage, Telling
from lib.items import actions as items
from lib.messages.actions import mark_all_read, mark_read
from lib.messages.queries import list_own_notices
from lib.people import actions as people
from lib.people.passwords import dummy_hash, hash_password, random_password
from lib.shared.calendar import epoch, moment
from lib.shared.calendars import calendar_named
from lib.shared.clock import SHANGHAI
from lib.shared.errors import Refusal
from lib.shared.work import Actor, look, perform, system, together
from lib.stock import actions as stock
from lib.tickets import alarms

SEED = 20260
STORY = timedelta(days=548)
SETTLING = timedelta(days=20)
"""People, customers and shelves are there so long before the first case."""

UNREAD_FOR = timedelta(hours=20)
"""Older notices of the story have been read by everybody."""
ALL_NOTICES = 1000

SignIn = tuple[str, str, str]
"""Login, first password, roles."""


@contextmanager
def _uncollected() -> Iterator[None]:
    """Look for no garbage meanwhile: so many rows live to the end that the search takes a tenth of the time."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


@_uncollected()
def tell(
    now: datetime, *, open_cases: int = 60, closed_cases: int = 600, customers: int = 25
) -> list[SignIn]:
    """Tell the story that ends at `now` into the configured database, which has no people of the story yet.

    Returns who may sign in with which first password. Refuses `login_taken`.
    """
    chance = random.Random(SEED)
    with database.ReadSession() as session:
        calendar = calendar_named(session).time
    began = now - STORY
    first_passwords = [random_password() for _ in words.STAFF]
    aside = ThreadPoolExecutor(1)
    # Hashing takes a third of a second each and leaves the interpreter free for the story.
    hashes = [aside.submit(hash_password, password) for password in first_passwords]
    try:
        actors = _hire(began - SETTLING)
        crew = _set_up(began - SETTLING, actors, customers, chance)
        _tell_cases(Stage(now, calendar, chance), crew, began, open_cases, closed_cases)
        _tell_notices(now, actors.values())
        _hand_out_passwords(now, actors, [hashed.result() for hashed in hashes])
    finally:
        aside.shutdown(cancel_futures=True)
    return _sign_ins(first_passwords)


@_uncollected()
def fill(now: datetime, cases: int, progress: bulk.Progress) -> tuple[list[SignIn], float]:
    """Write `cases` cases in bulk, and the people of the story, into a store without any.

    Returns who may sign in with which first password, and how many seconds customers and cases took, all their keys
    and indexes included. Refuses `desk_not_empty`.
    """
    with database.ReadSession() as session:
        if session.scalar(select(Ticket.id).limit(1)) or session.scalar(select(Person.id).limit(1)):
            raise Refusal("desk_not_empty")
    first_passwords = [random_password() for _ in words.STAFF]
    actors = _hire(now - bulk.SINCE)
    _hand_out_passwords(now, actors, [hash_password(password) for password in first_passwords])
    began = monotonic()
    bulk.load(now, cases, bulk.hire(now - bulk.SINCE), progress)
    return _sign_ins(first_passwords), monotonic() - began


def _sign_ins(first_passwords: list[str]) -> list[SignIn]:
    return [
        (login, password, ", ".join(roles))
        for (login, _, roles), password in zip(words.STAFF, first_passwords, strict=True)
    ]


def _tell_cases(
    stage: Stage, crew: Crew, began: datetime, open_cases: int, closed_cases: int
) -> None:
    stage.add(began, _keep_shelves_full(stage, crew))
    stage.add(stage.ago(8 * DAY), _prepare_for_the_season(stage, crew))
    for received_at, eventful in _receipts(stage, began, closed_cases):
        stage.add(received_at, closed_case(Case(stage, crew), received_at, eventful=eventful))
    today = todays_visits(stage, crew, open_cases // 5)
    for technician, starts_at in today:
        stage.book(technician, starts_at)
    for technician, starts_at in today:
        stage.add(began, todays_case(Case(stage, crew), technician, starts_at))
    for plan in _open_plans(open_cases - len(today)):
        stage.add(began, plan(Case(stage, crew)))
    stage.play()


def _tell_notices(now: datetime, actors: Iterable[Actor]) -> None:
    """What the open cases have to tell; everybody has read what is not of the last working hours."""
    _read_old_notices(now, actors)
    while perform(alarms.tell_what_is_due, actor=system("demo"), now=now):
        continue
    _read_old_notices(now, actors)


def _read_old_notices(now: datetime, actors: Iterable[Actor]) -> None:
    """All at once up to the first that is still new, the others one by one."""
    with together() as steps:
        for actor in actors:
            page = look(list_own_notices, actor=actor, now=now, size=ALL_NOTICES)
            unread = sorted(
                (line.receipt_id, line.at < now - UNREAD_FOR)
                for line in page.lines
                if line.read_at is None
            )
            at_once = [receipt_id for receipt_id, _ in takewhile(itemgetter(1), unread)]
            if at_once:
                steps.perform(mark_all_read, actor=actor, now=now, until_id=at_once[-1])
            for receipt_id, is_old in unread[len(at_once) :]:
                if is_old:
                    steps.perform(mark_read, actor=actor, now=now, receipt_id=receipt_id)


def _hire(at: datetime) -> dict[str, Actor]:
    """Everybody by login; nobody can sign in yet."""
    actors = {}
    with together() as steps:
        for login, name, roles in words.STAFF:
            person_id = steps.perform(
                people.create_person,
                actor=system("demo"),
                now=at,
                login=login,
                name=name,
                roles=roles,
                password_hash=dummy_hash(),
            )
            actors[login] = Actor(ActorKind.PERSON, person_id, name, frozenset(roles), 1)
    return actors


def _hand_out_passwords(at: datetime, actors: dict[str, Actor], hashes: list[str]) -> None:
    """The administrator gives everybody a first password, himself last, since that ends what he is signed in to."""
    (administrator,) = (actor for actor in actors.values() if actor.has(Role.ADMINISTRATOR))
    with together() as steps:
        for (login, _, _), hashed in sorted(
            zip(words.STAFF, hashes, strict=True),
            key=lambda given: actors[given[0][0]] is administrator,
        ):
            person_id = actors[login].person_id
            assert person_id is not None
            steps.perform(
                people.reset_password,
                actor=administrator,
                now=at,
                person_id=person_id,
                version=steps.session.get_one(Person, person_id).version,
                password_hash=hashed,
            )


def _set_up(at: datetime, actors: dict[str, Actor], wanted: int, chance: random.Random) -> Crew:
    def holding(role: Role) -> list[Actor]:
        return [actor for actor in actors.values() if actor.has(role)]

    crew = Crew(
        hotline=holding(Role.HOTLINE),
        dispatcher=holding(Role.DISPATCHER)[0],
        technicians={
            technician.person_id: technician
            for technician in holding(Role.TECHNICIAN)
            if technician.person_id is not None
        },
        storekeeper=holding(Role.STOREKEEPER)[0],
        supervisor=holding(Role.SUPERVISOR)[0],
        places=[],
        parts={},
    )
    sales = holding(Role.SALES)[0]
    invented = Faker("zh_CN")
    invented.seed_instance(SEED)
    with together() as steps:
        for nth in range(wanted):
            crew.places += _customer(
                lambda action, **told: steps.perform(action, actor=sales, now=at, **told),
                nth,
                at,
                invented,
                chance,
            )
        for part in words.PARTS:
            part_id = steps.perform(
                stock.add_part,
                actor=crew.storekeeper,
                now=at,
                number=part.number,
                name=part.name,
                name_en=part.name_en,
                unit=part.unit,
                minimum=part.minimum,
            )
            for fault in part.serves:
                crew.parts.setdefault(fault, []).append(part_id)
            crew.on_hand[part_id] = part.minimum * 3
            steps.perform(
                stock.receive_part,
                actor=crew.storekeeper,
                now=at,
                part_id=part_id,
                quantity=part.minimum * 3,
                reason="期初入库",
            )
    return crew


def _customer(
    do: Callable[..., int], nth: int, at: datetime, invented: Faker, chance: random.Random
) -> list[Place]:
    """A customer with contacts, sites and items; every item is a place where a case may happen."""
    name, short_name = words.CUSTOMERS[nth % len(words.CUSTOMERS)]
    if nth >= len(words.CUSTOMERS):
        name = f"{name}（{nth // len(words.CUSTOMERS) + 1} 店）"
    customer_id = do(customers.add_customer, name=name, short_name=short_name)
    contact_ids = [
        do(
            customers.add_contact,
            customer_id=customer_id,
            name=invented.name(),
            phone=invented.phone_number(),
            email=invented.safe_email() if chance.random() < 0.5 else "",
            verified=chance.random() < 0.8,
        )
        for _ in range(chance.randint(1, 3))
    ]
    places = []
    for site in chance.sample(words.SITES, chance.randint(1, 2)):
        street = f"{invented.street_name()}{chance.randint(1, 999)}号"
        site_id = do(
            customers.add_site,
            customer_id=customer_id,
            name=f"{short_name} {site}",
            address=chance.choice(words.DISTRICTS) + street,
        )
        for item in chance.sample(words.ITEMS, chance.randint(2, 4)):
            installed_on = (at - timedelta(days=chance.randint(0, 700))).astimezone(SHANGHAI).date()
            item_id = do(
                items.add_item,
                site_id=site_id,
                kind=item.kind,
                name=item.name,
                room=chance.choice(words.ROOMS),
                opening=f"W-{chance.randint(1, 12):02d}",
                fabric_lot=f"F{installed_on:%y%m}-{chance.randint(100, 999)}",
                warranty_start_on=installed_on if chance.random() < 0.92 else None,
                warranty_months=chance.choice((24, 24, 36, 12)),
            )
            places.append(
                Place(customer_id, chance.choice(contact_ids), site_id, item_id, item.faults)
            )
    return places


def _receipts(stage: Stage, began: datetime, wanted: int) -> list[tuple[datetime, bool]]:
    """When closed cases came in and whether much happened to them; nine of ten within working hours."""
    receipts = []
    first = stage.calendar.counted_until(epoch(began))
    for _ in range(wanted):
        eventful = stage.happens(0.17)
        last = stage.ago((16 if eventful else 5) * DAY)
        until = stage.calendar.counted_until(epoch(last))
        at = moment(stage.calendar.instant_of(stage.chance.randint(first, until - 1)))
        if stage.happens(0.1):
            at = min(at + timedelta(hours=stage.chance.randint(9, 13)), last)
        receipts.append((at, eventful))
    return receipts


def _open_plans(wanted: int) -> list[Callable[[Case], Telling]]:
    """So many plans in the proportion of `OPEN_PLANS`, every kind as soon as there is room for it."""
    taken = dict.fromkeys(range(len(OPEN_PLANS)), 0)
    for nth in range(wanted):
        untold = [kind for kind, times in taken.items() if not times] if nth else taken
        lacking = max(untold or taken, key=lambda kind: OPEN_PLANS[kind][1] / (taken[kind] + 1))
        taken[lacking] += 1
    return [OPEN_PLANS[kind][0] for kind, times in taken.items() for _ in range(times)]


def _keep_shelves_full(stage: Stage, crew: Crew) -> Telling:
    """Every five working days the storekeeper orders what has fallen below its minimum."""
    parts = dict(zip(crew.on_hand, words.PARTS, strict=True))
    while True:
        yield stage.after(stage.now, 5 * DAY)
        for part_id, part in parts.items():
            short = part.minimum - crew.on_hand[part_id]
            if short > 0:
                quantity = short + part.minimum * 2
                crew.on_hand[part_id] += quantity
                stage.do(
                    stock.receive_part,
                    crew.storekeeper,
                    part_id=part_id,
                    quantity=quantity,
                    reason="补货入库",
                )


def _prepare_for_the_season(stage: Stage, crew: Crew) -> Telling:
    """Before the high season the supervisor raises some minimums above what lies there."""
    yield stage.now
    for part_id in stage.chance.sample(list(crew.on_hand), 5):
        part = stage.row(Part, part_id)
        stage.do(
            stock.change_minimum,
            crew.supervisor,
            part_id=part_id,
            version=part.version,
            minimum=crew.on_hand[part_id] + stage.chance.randint(2, 9),
        )
