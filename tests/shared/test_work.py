"""The write door on both databases: whatever happens, one form instance makes one record, or none."""

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.exc import DBAPIError, StatementError

from db import session as database
from db.codes import Role
from db.models.customers import Customer
from db.models.people import (
    AuditHead,
    AuditRow,
    Change,
    ChangeHead,
    Counter,
    IdempotencyKey,
    Person,
    PersonRole,
)
from db.models.tickets import TicketEvent
from lib.shared.audit import verify_chain
from lib.shared.books import audit_hash
from lib.shared.errors import Refusal
from lib.shared.work import (
    KEY_DAYS,
    Actor,
    Look,
    Looks,
    Work,
    actor_of,
    grouped,
    guest,
    look,
    perform,
    permit,
    system,
    together,
)
from lib.tickets.actions import next_number
from tests.groups import one_group
from tests.tickets.statements import statements


@permit(Role.HOTLINE)
def bring_customer(work: Work, *, name: str) -> int:
    customer = Customer(name=name, created_at=work.now)
    work.session.add(customer)
    work.session.flush()
    work.record("customer.brought", customer)
    work.touch_ticket(customer.id)
    return customer.id


@grouped
@permit(Role.HOTLINE, Role.SUPERVISOR)
def bring_in_company(work: Work, *, name: str) -> int:
    """A group is made of these; a name that is there already is refused."""
    if work.session.scalar(select(Customer.id).where(Customer.name == name)) is not None:
        raise Refusal("company_known")
    return bring_customer(work, name=name)


@permit(Role.HOTLINE)
def rename_customer(work: Work, *, customer_id: int, version: int, name: str) -> None:
    work.get(Customer, customer_id, version=version).name = name
    work.record("customer.renamed")
    work.touch_ticket(customer_id)


@permit(Role.HOTLINE)
def rename_to_a_name_of_its_own(work: Work, *, customer_id: int, name: str) -> dict[str, int]:
    """Refuses a name that is there already, as rules of the business do."""
    if work.session.scalar(select(Customer.id).where(Customer.name == name)) is not None:
        raise Refusal("company_known")
    work.get(Customer, customer_id).name = name
    work.touch_ticket(customer_id)
    return {"renamed": customer_id}


@permit(Role.HOTLINE)
def bring_customer_and_fail(work: Work, *, error: Exception) -> int:
    bring_customer(work, name="半途")
    raise error


@permit(Role.HOTLINE)
def bring_customer_at(work: Work, *, at: datetime) -> int:
    customer = Customer(name="钟", created_at=at)
    work.session.add(customer)
    work.session.flush()
    return customer.id


@permit(everyone=True)
def do_what_everybody_may(work: Work) -> str:
    return work.actor.label


@permit(guests=True)
def do_what_guests_may(work: Work) -> str:
    return work.actor.label


@permit()
def take_number(work: Work) -> str:
    return next_number(work)


@permit(Role.HOTLINE)
def count_members(work: Work, *, members: set[int]) -> int:
    return len(members)


def unmarked(work: Work) -> None:
    raise AssertionError("never runs")


@pytest.fixture
def hotline(cast):
    return cast.hotline


def count(model) -> int:
    with database.ReadSession() as session:
        return session.scalar(select(func.count()).select_from(model)) or 0


def books() -> tuple[int, ...]:
    """Everything a transaction leaves behind beside its rows."""
    with database.ReadSession() as session:
        return (
            count(AuditRow),
            count(Change),
            count(IdempotencyKey),
            count(Customer),
            session.scalar(select(AuditHead.audit_id)) or 0,
            session.scalar(select(ChangeHead.number)) or 0,
        )


def change_person(actor, **values) -> None:
    with database.writing() as session:
        session.execute(update(Person).where(Person.id == actor.person_id).values(**values))


@pytest.mark.postgres_smoke
def test_the_same_form_sent_twice_makes_one_record_and_answers_alike(hotline, now):
    first = perform(bring_customer, actor=hotline, now=now, key="form-1", name="华庭")
    before = books()
    later = now + timedelta(days=KEY_DAYS - 1)
    assert perform(bring_customer, actor=hotline, now=later, key="form-1", name="华庭") == first
    assert books() == before
    assert before == (1, 1, 1, 1, 1, 1)


def test_without_a_key_each_call_is_a_record_of_its_own(hotline, now):
    ids = {perform(bring_customer, actor=hotline, now=now, name="华庭") for _ in range(3)}
    assert len(ids) == 3


def test_a_key_does_not_serve_for_other_arguments(hotline, now):
    perform(bring_customer, actor=hotline, now=now, key="form-1", name="华庭")
    before = books()
    with pytest.raises(Refusal, match="key_reused"):
        perform(bring_customer, actor=hotline, now=now, key="form-1", name="锦江")
    assert books() == before


def test_a_key_does_not_serve_for_another_person_or_action(cast, hotline, now):
    perform(bring_customer, actor=hotline, now=now, key="form-1", name="华庭")
    colleague = perform_as_hotline_too(cast)
    before = books()
    with pytest.raises(Refusal, match="key_reused"):
        perform(bring_customer, actor=colleague, now=now, key="form-1", name="华庭")
    with pytest.raises(Refusal, match="key_reused"):
        perform(do_what_everybody_may, actor=hotline, now=now, key="form-1")
    assert books() == before


def perform_as_hotline_too(cast):
    with database.writing() as session:
        person = session.get(Person, cast.dispatcher.person_id)
        person.roles.append(PersonRole(role=Role.HOTLINE))
        session.flush()
        return actor_of(person)


def test_after_thirty_days_a_key_is_forgotten(hotline, now):
    first = perform(bring_customer, actor=hotline, now=now, key="form-1", name="华庭")
    later = now + timedelta(days=KEY_DAYS, seconds=1)
    again = perform(bring_customer, actor=hotline, now=later, key="form-1", name="华庭")
    assert again != first
    assert count(IdempotencyKey) == 1


@pytest.mark.postgres_smoke
def test_twenty_clicks_at_once_make_one_record(hotline, now):
    start = threading.Barrier(20)

    def click(_):
        start.wait()
        return perform(bring_customer, actor=hotline, now=now, key="form-1", name="华庭")

    with ThreadPoolExecutor(20) as clicks:
        answers = set(clicks.map(click, range(20)))
    assert len(answers) == 1
    assert count(Customer) == count(AuditRow) == 1


@pytest.mark.postgres_smoke
def test_of_clicks_at_once_none_is_refused_because_the_first_has_changed_the_row(hotline, now):
    customer_id = perform(bring_customer, actor=hotline, now=now, name="华庭")
    start = threading.Barrier(12)

    def save(_):
        start.wait()
        return perform(
            rename_customer,
            actor=hotline,
            now=now,
            key="form-1",
            customer_id=customer_id,
            version=1,
            name="锦江",
        )

    def claim(_):
        start.wait()
        return perform(
            rename_to_a_name_of_its_own,
            actor=hotline,
            now=now,
            key="form-2",
            customer_id=customer_id,
            name="和平",
        )

    with ThreadPoolExecutor(12) as clicks:
        assert set(clicks.map(save, range(12))) == {None}
        assert list(clicks.map(claim, range(12))) == [{"renamed": customer_id}] * 12
    with database.ReadSession() as session:
        assert session.get(Customer, customer_id).version == 3


@pytest.mark.postgres_smoke
def test_a_click_that_the_first_has_made_impossible_is_given_the_first_answer(hotline, now):
    customer_id = perform(bring_customer, actor=hotline, now=now, name="华庭")
    told = {"customer_id": customer_id, "version": 1, "name": "锦江"}
    perform(rename_customer, actor=hotline, now=now, key="form-1", **told)
    before = books()
    assert perform(rename_customer, actor=hotline, now=now, key="form-1", **told) is None
    with pytest.raises(Refusal, match="key_reused"):
        perform(rename_customer, actor=hotline, now=now, key="form-1", **told | {"name": "和平"})
    with pytest.raises(Refusal, match="changed_meanwhile"):
        perform(rename_customer, actor=hotline, now=now, key="form-2", **told)
    assert books() == before


@pytest.mark.postgres_smoke
def test_an_answer_is_not_told_again_to_one_whose_role_was_taken(cast, hotline, now):
    customer_id = perform(bring_customer, actor=hotline, now=now, name="华庭")
    told = {"customer_id": customer_id, "version": 1, "name": "锦江"}
    perform(rename_customer, actor=hotline, now=now, key="form-1", **told)
    with database.writing() as session:
        session.get_one(Person, hotline.person_id).roles = [PersonRole(role=Role.SALES)]
    with pytest.raises(Refusal, match="no_longer_allowed"):
        perform(rename_customer, actor=hotline, now=now, key="form-1", **told)


@pytest.mark.postgres_smoke
def test_a_new_form_asks_for_no_answer_before_it_is_written(hotline, now):
    with statements(database.writer()) as sent:
        perform(bring_customer, actor=hotline, now=now, key="form-1", name="华庭")
    about_keys = [told for told, _ in sent if "idempotency_keys" in told]
    assert [told.split()[0] for told in about_keys] == ["INSERT"]


def test_a_refused_form_keeps_its_key_for_the_next_try(hotline, now):
    with pytest.raises(Refusal, match="not_found"):
        perform(
            bring_customer_and_fail,
            actor=hotline,
            now=now,
            key="form-1",
            error=Refusal("not_found"),
        )
    assert perform(bring_customer, actor=hotline, now=now, key="form-1", name="华庭")


def test_a_set_is_the_same_argument_in_whatever_order_it_is_told(hotline, now):
    one, other = {0, 8}, {8, 0}
    assert list(one) != list(other)
    for told in (one, other):
        assert perform(count_members, actor=hotline, now=now, key="form-1", members=told) == 2


def test_one_who_was_deactivated_can_do_nothing_more(hotline, now):
    change_person(hotline, active=False)
    before = books()
    with pytest.raises(Refusal, match="no_longer_allowed"):
        perform(bring_customer, actor=hotline, now=now, name="华庭")
    assert books() == before


def test_one_whose_sessions_were_ended_can_do_nothing_more(hotline, now):
    change_person(hotline, epoch=2)
    with pytest.raises(Refusal, match="no_longer_allowed"):
        perform(bring_customer, actor=hotline, now=now, name="华庭")


def test_an_answered_form_is_not_told_again_to_one_who_was_deactivated(hotline, now):
    perform(bring_customer, actor=hotline, now=now, key="form-1", name="华庭")
    change_person(hotline, active=False)
    with pytest.raises(Refusal, match="no_longer_allowed"):
        perform(bring_customer, actor=hotline, now=now, key="form-1", name="华庭")


@pytest.mark.postgres_smoke
def test_a_role_that_was_taken_counts_at_the_next_click(hotline, now):
    with database.writing() as session:
        session.get(Person, hotline.person_id).roles = [PersonRole(role=Role.SALES)]
    with pytest.raises(Refusal, match="no_longer_allowed"):
        perform(bring_customer, actor=hotline, now=now, name="华庭")


@pytest.mark.postgres_smoke
def test_who_acts_may_be_asked_first_of_all_in_the_transaction(hotline, now):
    asked_in = []

    def who(asked: Look) -> Actor:
        asked_in.append((asked.session.in_transaction(), asked.now))
        return hotline

    made = perform(bring_customer, actor=who, now=now, key="form-1", name="华庭")
    assert asked_in == [(True, now)]
    with database.ReadSession() as session:
        assert session.scalars(select(AuditRow.actor_id)).all()[-1] == hotline.person_id
    with pytest.raises(Refusal, match="no_longer_allowed"):
        perform(take_number, actor=who, now=now)
    assert perform(bring_customer, actor=who, now=now, key="form-1", name="华庭") == made


def test_whoever_may_not_act_is_refused_before_anything_is_read_or_written(hotline, now):
    def nobody(_asked: Look) -> Actor:
        raise Refusal("signed_out")

    before = books()
    with pytest.raises(Refusal, match="signed_out"):
        perform(bring_customer, actor=nobody, now=now, key="form-1", name="华庭")
    assert books() == before


def test_roles_that_a_caller_claims_count_for_nothing(cast, now):
    pretender = replace(cast.outsider, roles=frozenset(Role))
    with pytest.raises(Refusal, match="no_longer_allowed"):
        perform(bring_customer, actor=pretender, now=now, name="华庭")


def test_somebody_unknown_is_refused(hotline, now):
    with pytest.raises(Refusal, match="no_longer_allowed"):
        perform(do_what_everybody_may, actor=replace(hotline, person_id=4711), now=now)


def test_a_permit_names_who_may(cast, now):
    for person in cast.everybody():
        if Role.HOTLINE in person.roles:
            assert perform(bring_customer, actor=person, now=now, name="华庭")
        else:
            with pytest.raises(Refusal, match="no_longer_allowed"):
                perform(bring_customer, actor=person, now=now, name="华庭")
        assert perform(do_what_everybody_may, actor=person, now=now) == person.label


def test_guests_may_only_what_is_for_guests(cast, now):
    assert perform(do_what_guests_may, actor=guest("survey"), now=now) == "guest:survey"
    for action in (do_what_everybody_may, take_number):
        with pytest.raises(Refusal, match="no_longer_allowed"):
            perform(action, actor=guest("survey"), now=now)
    with pytest.raises(Refusal, match="no_longer_allowed"):
        perform(do_what_guests_may, actor=cast.hotline, now=now)


def test_the_system_may_everything_and_an_action_without_a_permit_is_a_bug(database, now):
    assert perform(bring_customer, actor=system("test"), now=now, name="华庭")
    with pytest.raises(KeyError):
        perform(unmarked, actor=system("test"), now=now)


@pytest.mark.postgres_smoke
def test_the_second_of_two_who_saw_the_same_version_is_refused(hotline, now):
    customer_id = perform(bring_customer, actor=hotline, now=now, name="华庭")
    seen = {"customer_id": customer_id, "version": 1}
    perform(rename_customer, actor=hotline, now=now, name="锦江", **seen)
    before = books()
    with pytest.raises(Refusal, match="changed_meanwhile") as refused:
        perform(rename_customer, actor=hotline, now=now, name="和平", **seen)
    assert refused.value.params == {"subject": "customers", "id": customer_id}
    assert books() == before


@pytest.mark.postgres_smoke
def test_of_eight_who_save_at_once_one_wins_and_seven_are_told(hotline, now):
    customer_id = perform(bring_customer, actor=hotline, now=now, name="华庭")
    for version in range(1, 6):
        start = threading.Barrier(8)

        def save(nth, version=version, start=start):
            start.wait()
            try:
                perform(
                    rename_customer,
                    actor=hotline,
                    now=now,
                    customer_id=customer_id,
                    version=version,
                    name=f"第{version}-{nth}",
                )
            except Refusal as refusal:
                return refusal.key
            return f"第{version}-{nth}"

        with ThreadPoolExecutor(8) as people:
            told = list(people.map(save, range(8)))
        assert told.count("changed_meanwhile") == 7
        (winner,) = set(told) - {"changed_meanwhile"}
        with database.ReadSession() as session:
            assert session.get(Customer, customer_id).name == winner
    assert count(AuditRow) == 6


@pytest.mark.postgres_smoke
def test_what_waits_for_the_writer_together_is_one_commit(cast, hotline, now):
    before = books()
    later = now + timedelta(seconds=1)
    with one_group(now) as ask:
        futures = [
            ask(bring_in_company, actor=hotline, now=now, key="one", name="华庭"),
            ask(bring_in_company, actor=cast.supervisor, now=later, name="锦江"),
            ask(bring_in_company, actor=hotline, now=now, name="和平"),
        ]
    ids = [future.result() for future in futures]
    with database.ReadSession() as session:
        assert [session.get(Customer, each).name for each in ids] == ["华庭", "锦江", "和平"]
        assert session.get(Customer, ids[1]).created_at == later
        changes = select(Change.number, Change.ticket_id).order_by(Change.number, Change.ticket_id)
        told = session.execute(changes).all()[-3:]
        audited = session.execute(
            select(AuditRow.at, AuditRow.actor_id, AuditRow.subject_id).order_by(AuditRow.id)
        )
        assert [tuple(row) for row in audited.all()[-3:]] == [
            (now, hotline.person_id, ids[0]),
            (later, cast.supervisor.person_id, ids[1]),
            (now, hotline.person_id, ids[2]),
        ]
        assert verify_chain(session) is None
    assert [(number - before[5], ticket_id) for number, ticket_id in told] == [
        (1, each) for each in ids
    ]
    assert perform(bring_in_company, actor=hotline, now=now, key="one", name="华庭") == ids[0]


@pytest.mark.postgres_smoke
def test_what_one_of_a_group_is_refused_costs_the_others_nothing(cast, hotline, now):
    perform(bring_in_company, actor=hotline, now=now, name="在写")
    with one_group(now) as ask:
        futures = [
            ask(bring_in_company, actor=actor, now=now, name=name)
            for actor, name in [
                (hotline, "华庭"),
                (hotline, "在写"),
                (hotline, "锦江"),
                (cast.technician, "和平"),
            ]
        ]
    saved = [futures[0].result(), futures[2].result()]
    assert len(set(saved)) == 2
    assert futures[1].exception().key == "company_known"
    assert futures[3].exception().key == "no_longer_allowed"
    with database.ReadSession() as session:
        names = session.scalars(select(Customer.name).order_by(Customer.name)).all()
        assert sorted(names) == sorted(["在写", "华庭", "锦江"])
        assert verify_chain(session) is None
    assert count(AuditRow) == count(Change) == 3


@pytest.mark.postgres_smoke
def test_a_form_that_is_twice_in_a_group_makes_one_record(hotline, now):
    with one_group(now) as ask:
        futures = [
            ask(bring_in_company, actor=hotline, now=now, key=key, name=name)
            for key, name in [("one", "华庭"), ("one", "华庭"), ("two", "锦江")]
        ]
    answers = [future.result() for future in futures]
    assert answers[0] == answers[1] != answers[2]
    assert count(Customer) == count(IdempotencyKey) == 2


def test_what_is_asked_once_is_shared_by_a_group_and_by_nobody_else(hotline, now):
    asked = []

    @grouped
    @permit(Role.HOTLINE)
    def ask_once(work: Work, *, what: str) -> int:
        return work.once(what, lambda: asked.append(what) or len(asked))

    with one_group(now) as ask:
        futures = [
            ask(ask_once, actor=hotline, now=now, what=what)
            for what in ("roster", "roster", "free")
        ]
    assert [future.result() for future in futures] == [1, 1, 2]
    assert perform(ask_once, actor=hotline, now=now, what="roster") == 3
    assert perform(ask_once, actor=hotline, now=now, what="roster") == 4


def test_one_whom_no_group_takes_in_time_is_told_so_and_nothing_is_kept(hotline, now, monkeypatch):
    monkeypatch.setattr(database, "LONGEST_WAIT", 0.05)
    with one_group(now) as ask:
        late = ask(bring_in_company, actor=hotline, now=now, key="one", name="华庭")
        assert late.exception().key == "desk_busy"
    assert books()[:4] == (0, 0, 0, 0)
    assert perform(bring_in_company, actor=hotline, now=now, key="one", name="华庭") > 0


@pytest.mark.postgres_smoke
@pytest.mark.parametrize(
    "error", [Refusal("not_found"), RuntimeError("a bug"), KeyboardInterrupt()]
)
def test_what_fails_half_way_leaves_nothing(hotline, now, error):
    before = books()
    with pytest.raises(type(error)):
        perform(bring_customer_and_fail, actor=hotline, now=now, key="form-1", error=error)
    assert books() == before
    assert perform(bring_customer, actor=hotline, now=now, name="锦江")


@pytest.mark.postgres_smoke
def test_a_row_that_is_inserted_for_its_id_is_as_the_orm_would_have_it(hotline, now):
    told = {}

    @permit(Role.HOTLINE)
    def insert_one(work: Work) -> int:
        one = work.insert(Customer(name="华庭", created_at=now))
        assert work.get(Customer, one.id) is one
        with statements(database.writer()) as asked:
            told.update({each.key: getattr(one, each.key) for each in Customer.__table__.columns})
        assert asked == []
        one.name = "锦江"
        return one.id

    @permit(Role.HOTLINE)
    def add_one(work: Work) -> int:
        one = Customer(name="锦江", created_at=now)
        work.session.add(one)
        work.session.flush()
        return one.id

    ids = [perform(action, actor=hotline, now=now) for action in (insert_one, add_one)]
    with database.ReadSession() as session:
        inserted, added = (
            {name: getattr(session.get(Customer, each), name) for name in told} for each in ids
        )
    assert inserted == told | {"name": "锦江", "version": 2}
    assert added | {"id": ids[0], "version": 2} == inserted


def test_only_a_table_with_plain_defaults_is_inserted_at_once(hotline, now):
    @permit(Role.HOTLINE)
    def insert_event(work: Work) -> None:
        work.insert(TicketEvent(ticket_id=1, at=now))

    with pytest.raises(TypeError, match="details"):
        perform(insert_event, actor=hotline, now=now)


def test_a_time_without_a_zone_is_refused_at_the_door_and_in_a_row(hotline, now):
    naive = now.replace(tzinfo=None)
    before = books()
    with pytest.raises(ValueError, match="zone"):
        perform(bring_customer, actor=hotline, now=naive, name="华庭")
    with pytest.raises((ValueError, StatementError), match="zone"):
        perform(bring_customer_at, actor=hotline, now=now, at=naive)
    assert books() == before


def test_a_time_of_another_zone_is_stored_as_the_same_instant(hotline, now):
    there = now.astimezone(timezone(timedelta(hours=8)))
    perform(bring_customer, actor=hotline, now=there, name="华庭")
    with database.ReadSession() as session:
        row = session.scalar(select(AuditRow))
        assert row.at == now
        assert row.hash == audit_hash(
            {column.name: getattr(row, column.name) for column in AuditRow.__table__.c}
        )


def test_audit_rows_name_who_and_what_and_are_chained(cast, now):
    customer_id = perform(bring_customer, actor=cast.hotline, now=now, name="华庭")
    perform(bring_customer, actor=system("import"), now=now, name="锦江")
    with database.ReadSession() as session:
        first, second = session.scalars(select(AuditRow).order_by(AuditRow.id))
        head = session.scalar(select(AuditHead))
    assert (first.action, first.subject_kind, first.subject_id) == (
        "customer.brought",
        "customers",
        customer_id,
    )
    assert (first.actor_id, first.actor_name) == (cast.hotline.person_id, "")
    assert (second.actor_id, second.actor_name) == (None, "import")
    assert (first.previous_hash, second.previous_hash) == ("0" * 64, first.hash)
    assert (head.audit_id, head.hash) == (second.id, second.hash)


@pytest.mark.postgres_smoke
def test_change_numbers_are_seen_in_the_order_of_commits(hotline, now):
    """A reader who has seen number n never meets a smaller number later."""
    writers, each = 6, 12
    seen: list[int] = []
    done = threading.Event()

    def watch():
        last = 0
        while True:
            ended = done.is_set()
            with database.ReadSession() as session:
                numbers = session.scalars(select(Change.number).order_by(Change.number)).all()
            fresh = [number for number in numbers if number not in seen]
            assert all(number > last for number in fresh), (last, fresh)
            seen.extend(fresh)
            last = max([last, *fresh])
            if ended:
                return

    def write(_):
        for _ in range(each):
            perform(bring_customer, actor=hotline, now=now, name="华庭")

    with ThreadPoolExecutor(writers + 1) as threads:
        watching = threads.submit(watch)
        list(threads.map(write, range(writers)))
        done.set()
        watching.result()
    assert seen == list(range(1, writers * each + 1))


@pytest.mark.postgres_smoke
def test_eight_who_take_numbers_at_once_never_get_the_same(database, now):
    with ThreadPoolExecutor(8) as people:
        numbers = list(
            people.map(lambda _: perform(take_number, actor=system("test"), now=now), range(80))
        )
    assert sorted(numbers) == [f"CC-2026-{value:06d}" for value in range(1, 81)]


@pytest.mark.slow
def test_eight_processes_take_a_thousand_numbers_without_a_duplicate(database, now, tmp_path):
    takers = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.shared.taking_numbers", database, "125"],
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(8)
    ]
    numbers = [line for taker in takers for line in taker.communicate(timeout=120)[0].split()]
    assert {taker.returncode for taker in takers} == {0}
    assert sorted(numbers) == [f"CC-2026-{value:06d}" for value in range(1, 1001)]
    with_counter = look(
        lambda looking: looking.session.get(Counter, "tickets-2026").value,
        actor=system("test"),
        now=now,
    )
    assert with_counter == 1000


def test_a_query_sees_who_looks_and_when(hotline, now):
    seen = look(lambda looking: (looking.actor, looking.now), actor=hotline, now=now)
    assert seen == (hotline, now)


@permit(Role.HOTLINE)
def leave_for_the_commit(work: Work, *, customer_id: int, name: str) -> None:
    """Asks twice for one step, and writes rows that nobody needs before the commit."""
    customer = work.get(Customer, customer_id)
    for _ in range(2):
        work.before_commit(add_a_mark, customer)
    work.write(Counter, name=name, value=1)


def add_a_mark(work: Work, customer: Customer) -> None:
    customer.name += "。"


@pytest.mark.postgres_smoke
def test_several_actions_share_a_commit_and_each_keeps_its_actor_and_instant(cast, now):
    later = now + timedelta(hours=1)
    with together() as steps:
        first = steps.perform(bring_customer, actor=cast.hotline, now=now, name="华庭")
        steps.perform(bring_customer, actor=system("test"), now=later, name="锦江")
        for name in ("a", "b"):
            steps.perform(
                leave_for_the_commit, actor=cast.hotline, now=now, customer_id=first, name=name
            )
    with database.ReadSession() as session:
        rows = session.scalars(select(AuditRow).order_by(AuditRow.id)).all()
        assert [(row.actor_id, row.at) for row in rows] == [
            (cast.hotline.person_id, now),
            (None, later),
        ]
        assert session.get(Customer, first).name == "华庭。"
        assert session.scalar(select(ChangeHead.number)) == 1
        assert [session.get(Counter, name).value for name in ("a", "b")] == [1, 1]


def test_a_refusal_among_several_actions_undoes_them_all(cast, now):
    def tell():
        with together() as steps:
            steps.perform(bring_customer, actor=cast.hotline, now=now, name="华庭")
            steps.perform(bring_customer, actor=cast.sales, now=now, name="锦江")

    before = books()
    with pytest.raises(Refusal, match="no_longer_allowed"):
        tell()
    assert books() == before


def names_of(asked):
    return asked.session.scalars(select(Customer.name).order_by(Customer.id)).all()


def test_looks_see_one_moment_until_they_are_closed(cast, now):
    perform(bring_customer, actor=cast.hotline, now=now, name="华庭")
    looks = Looks()
    told = {"actor": cast.hotline, "now": now}
    try:
        assert looks.look(names_of, **told) == ["华庭"]
        perform(bring_customer, actor=cast.hotline, now=now, name="锦江")
        assert look(names_of, **told) == ["华庭", "锦江"]
        assert looks.look(names_of, **told) == ["华庭"]
        looks.close()
        assert looks.look(names_of, **told) == ["华庭", "锦江"]
    finally:
        looks.close()


def test_looks_go_on_after_a_refusal_and_begin_anew_after_a_failure(cast, now):
    def refuse(asked):
        raise Refusal("not_found")

    def fail(asked):
        return asked.session.execute(text("SELECT nothing FROM nowhere"))

    looks = Looks()
    told = {"actor": cast.hotline, "now": now}
    try:
        assert looks.look(names_of, **told) == []
        perform(bring_customer, actor=cast.hotline, now=now, name="华庭")
        with pytest.raises(Refusal):
            looks.look(refuse, **told)
        assert looks.look(names_of, **told) == []
        with pytest.raises(DBAPIError):
            looks.look(fail, **told)
        assert looks.look(names_of, **told) == ["华庭"]
    finally:
        looks.close()


@pytest.mark.slow
def test_one_who_waits_too_long_for_another_process_is_told_so(cast, now, monkeypatch):
    monkeypatch.setattr(database, "LONGEST_WAIT", 0.3)
    database.configure(database.url(), durable=False)
    if database.is_sqlite():
        held, release = "from pathlib import Path; from db.session import _WriteLock\n", "lock"
        held += f"lock = _WriteLock(Path({str(database.writer().url.database)!r} + '.writing'))\n"
        held += "lock.__enter__()\n"
    else:
        release = "connection"
        held = "import psycopg\n"
        address = database.url().replace("+psycopg", "")
        held += f"connection = psycopg.connect({address!r})\n"
        held += "connection.execute('UPDATE audit_head SET id = id')\n"
    holder = subprocess.Popen(
        [sys.executable, "-c", held + f"print('held', flush=True); input(); del {release}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert holder.stdout.readline() == b"held\n"
        before = books()
        with pytest.raises(Refusal, match="desk_busy"):
            perform(bring_customer, actor=cast.hotline, now=now, key="form-1", name="华庭")
        assert books() == before
    finally:
        holder.communicate(b"\n")
    assert perform(bring_customer, actor=cast.hotline, now=now, key="form-1", name="华庭")
