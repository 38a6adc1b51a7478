from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from db import session as database
from db.codes import Language, Role
from db.models.people import AuditRow, DeskSession, Person, SignInAttempt
from lib.people import actions, passwords, queries, sessions
from lib.shared.errors import Refusal
from lib.shared.work import guest, look, perform, system

DESK = system("sign_in")
ADDRESS = "192.0.2.7"


def tried(now, login="wang.li", address=ADDRESS):
    return perform(actions.begin_sign_in, actor=DESK, now=now, login=login, address=address)


def signed_in(now, login="wang.li") -> str:
    attempt = tried(now, login)
    code = perform(actions.finish_sign_in, actor=DESK, now=now, attempt_id=attempt["attempt_id"])
    return perform(
        actions.open_session, actor=guest("sign_in"), now=now, code=code, address=ADDRESS
    )


def found(token, now):
    return look(sessions.find_session, actor=DESK, now=now, token_hash=sessions.hash_token(token))


def person_of(cast_member) -> Person:
    with database.ReadSession() as session:
        return session.get_one(Person, cast_member.person_id)


def test_a_good_sign_in_opens_a_session_of_which_only_the_hash_is_kept(cast, now):
    token = signed_in(now)
    facts = found(token, now)
    assert facts is not None
    assert (facts.login, facts.actor.roles, facts.ready) == ("wang.li", {Role.HOTLINE}, True)
    with database.ReadSession() as session:
        stored = session.scalars(select(DeskSession)).one()
        assert token not in str(vars(stored))
        assert ADDRESS not in str(vars(stored))


def test_a_one_time_code_works_once_and_for_half_a_minute(cast, now):
    attempt = tried(now)
    code = perform(actions.finish_sign_in, actor=DESK, now=now, attempt_id=attempt["attempt_id"])
    late = now + timedelta(seconds=30)
    with pytest.raises(Refusal, match="sign_in_again"):
        perform(actions.open_session, actor=guest("sign_in"), now=late, code=code, address="")
    perform(actions.open_session, actor=guest("sign_in"), now=now, code=code, address="")
    with pytest.raises(Refusal, match="sign_in_again"):
        perform(actions.open_session, actor=guest("sign_in"), now=now, code=code, address="")


def test_an_attempt_is_finished_once(cast, now):
    attempt = tried(now)
    perform(actions.finish_sign_in, actor=DESK, now=now, attempt_id=attempt["attempt_id"])
    with pytest.raises(Refusal, match="sign_in_again"):
        perform(actions.finish_sign_in, actor=DESK, now=now, attempt_id=attempt["attempt_id"])


def test_guessing_one_account_waits_longer_and_longer_but_never_for_good(cast, now):
    for _ in range(4):
        assert tried(now)["wait_seconds"] == 0
    delayed = tried(now)
    assert delayed["wait_seconds"] == 5
    assert delayed["password_hash"] is None
    later = now + timedelta(minutes=15)
    assert tried(later)["wait_seconds"] == 0


def test_tries_during_the_wait_do_not_lengthen_it(cast, now):
    for _ in range(4):
        tried(now)
    for _ in range(30):
        tried(now + timedelta(seconds=1))
    assert tried(now + timedelta(seconds=5))["wait_seconds"] == 0


def test_a_good_password_ends_the_count_of_the_account(cast, now):
    for _ in range(3):
        tried(now)
    signed_in(now)
    for _ in range(3):
        assert tried(now)["wait_seconds"] == 0


def test_an_address_that_guesses_many_accounts_waits_too(cast, now):
    for guess in range(21):
        assert tried(now, login=f"guess{guess}")["wait_seconds"] == 0
    assert tried(now, login="another")["wait_seconds"] > 0
    assert tried(now, login="another", address="192.0.2.8")["wait_seconds"] == 0


def test_parallel_guesses_count_before_the_password_is_looked_at(cast, now):
    opened = [tried(now) for _ in range(8)]
    assert [attempt["wait_seconds"] == 0 for attempt in opened] == [True] * 4 + [False] * 4


def test_every_attempt_is_kept_and_audited_without_login_or_address(cast, now):
    tried(now)
    tried(now, login="nobody-here")
    with database.ReadSession() as session:
        attempts = session.scalars(select(SignInAttempt).order_by(SignInAttempt.id)).all()
        audited = session.scalars(
            select(AuditRow).where(AuditRow.action.startswith("sign_in."))
        ).all()
        assert [attempt.person_id for attempt in attempts] == [cast.hotline.person_id, None]
        assert len(audited) == 2
        for row in [*attempts, *audited]:
            told = str(vars(row))
            assert "wang.li" not in told
            assert "nobody-here" not in told
            assert ADDRESS not in told


def test_a_session_ends_after_an_hour_of_silence_and_twelve_hours_of_work(cast, now):
    token = signed_in(now)
    facts = found(token, now)
    assert found(token, now + timedelta(minutes=60)) is None
    at = now
    while at < now + timedelta(hours=12):
        assert found(token, at) is not None
        perform(actions.mark_seen, actor=system("guard"), now=at, session_id=facts.row_id)
        at += timedelta(minutes=50)
    assert found(token, now + timedelta(hours=12)) is None


def test_a_session_that_went_idle_cannot_be_woken(cast, now):
    token = signed_in(now)
    facts = found(token, now)
    late = now + timedelta(minutes=61)
    perform(actions.mark_seen, actor=system("guard"), now=late, session_id=facts.row_id)
    assert found(token, late) is None


def test_signing_out_ends_one_session_and_signing_out_everywhere_all(cast, now):
    first, second, third = signed_in(now), signed_in(now), signed_in(now)
    row = found(first, now)
    perform(actions.sign_out, actor=row.actor, now=now, session_id=row.row_id)
    assert found(first, now) is None
    actor = found(second, now).actor
    perform(actions.sign_out_everywhere, actor=actor, now=now)
    assert found(second, now) is None
    assert found(third, now) is None


def test_nobody_ends_the_session_of_somebody_else(cast, now):
    theirs = found(signed_in(now), now)
    with pytest.raises(Refusal, match="not_found"):
        perform(actions.sign_out, actor=cast.administrator, now=now, session_id=theirs.row_id)


@pytest.mark.parametrize("change", ["roles", "password", "deactivate"])
def test_what_an_administrator_takes_away_is_gone_at_the_next_click(cast, now, change):
    token = signed_in(now)
    person = person_of(cast.hotline)
    common = {"actor": cast.administrator, "now": now, "person_id": person.id}
    if change == "roles":
        perform(actions.set_roles, **common, version=person.version, roles=[Role.STOREKEEPER])
    elif change == "password":
        perform(actions.reset_password, **common, version=person.version, password_hash="x")
    else:
        perform(actions.deactivate_person, **common, version=person.version)
    assert found(token, now) is None
    with pytest.raises(Refusal, match="no_longer_allowed"):
        perform(actions.choose_language, actor=cast.hotline, now=now, language=Language.EN)


def test_a_deactivated_person_looks_like_an_unknown_one(cast, now):
    person = person_of(cast.hotline)
    perform(
        actions.deactivate_person,
        actor=cast.administrator,
        now=now,
        person_id=person.id,
        version=person.version,
    )
    attempt = tried(now)
    assert (attempt["person_id"], attempt["password_hash"]) == (None, None)


def test_an_own_password_ends_all_sessions_and_goes_on_with_a_fresh_one(cast, now):
    token = signed_in(now)
    actor = found(token, now).actor
    stored = look(queries.own_password_hash, actor=actor, now=now)
    code = perform(
        actions.change_password,
        actor=actor,
        now=now,
        seen_hash=stored,
        password_hash=passwords.hash_password("a-new-pass-phrase"),
    )
    assert found(token, now) is None
    fresh = perform(actions.open_session, actor=guest("sign_in"), now=now, code=code, address="")
    assert found(fresh, now).must_change_password is False


def test_a_password_that_changed_meanwhile_is_not_overwritten(cast, now):
    with pytest.raises(Refusal, match="changed_meanwhile"):
        perform(
            actions.change_password,
            actor=cast.hotline,
            now=now,
            seen_hash="another",
            password_hash="x",
        )


def test_the_last_administrator_stays(cast, now):
    person = person_of(cast.administrator)
    common = {"actor": cast.administrator, "now": now, "person_id": person.id}
    with pytest.raises(Refusal, match="last_administrator"):
        perform(actions.set_roles, **common, version=person.version, roles=[Role.AUDITOR])
    with pytest.raises(Refusal, match="own_account"):
        perform(actions.deactivate_person, **common, version=person.version)


def test_an_account_is_made_once_and_must_choose_a_password(cast, now):
    made = {
        "actor": cast.administrator,
        "now": now,
        "login": "new.person",
        "name": "新人",
        "roles": [Role.SALES, Role.QUALITY],
        "password_hash": "x",
    }
    person_id = perform(actions.create_person, **made, key="form-1")
    assert perform(actions.create_person, **made, key="form-1") == person_id
    with pytest.raises(Refusal, match="login_taken"):
        perform(actions.create_person, **made)
    rows = look(queries.list_people, actor=cast.administrator, now=now)
    row = next(row for row in rows if row.login == "new.person")
    assert row.roles == (Role.QUALITY, Role.SALES)
    assert row.must_change_password
    assert row.pledge_accepted_at is None


def test_two_administrators_saving_one_account_do_not_overwrite_each_other(cast, now):
    person = person_of(cast.hotline)
    save = {
        "actor": cast.administrator,
        "now": now,
        "person_id": person.id,
        "version": person.version,
    }
    perform(actions.set_roles, **save, roles=[Role.HOTLINE, Role.SALES])
    with pytest.raises(Refusal, match="changed_meanwhile"):
        perform(actions.set_roles, **save, roles=[Role.HOTLINE, Role.QUALITY])


def test_the_pledge_is_given_once(cast, now):
    with database.writing() as session:
        session.get_one(Person, cast.outsider.person_id).pledge_accepted_at = None
    perform(actions.accept_pledge, actor=cast.outsider, now=now)
    perform(actions.accept_pledge, actor=cast.outsider, now=now + timedelta(days=1))
    assert person_of(cast.outsider).pledge_accepted_at == now


def test_only_administrators_list_people_and_only_they_and_auditors_the_audit(cast, now):
    for actor in cast.everybody():
        if not actor.has(Role.ADMINISTRATOR):
            with pytest.raises(Refusal):
                look(queries.list_people, actor=actor, now=now)
        if not actor.has(Role.ADMINISTRATOR, Role.AUDITOR):
            with pytest.raises(Refusal):
                look(queries.list_audit, actor=actor, now=now)


def test_the_audit_is_read_newest_first_by_key(cast, now):
    for hour in range(60):
        tried(now + timedelta(hours=hour), login=f"guess{hour}")
    first = look(queries.list_audit, actor=cast.auditor, now=now)
    assert len(first) == queries.AUDIT_PAGE
    rest = look(queries.list_audit, actor=cast.auditor, now=now, before=first[-1].id)
    numbers = [row.id for row in first + rest]
    assert numbers == sorted(numbers, reverse=True)
    assert len(set(numbers)) == 60


def test_who_changed_a_thing_last_is_told(cast, now):
    person = person_of(cast.hotline)
    perform(
        actions.set_roles,
        actor=cast.administrator,
        now=now,
        person_id=person.id,
        version=person.version,
        roles=[Role.SALES],
    )
    change = look(
        queries.find_last_change,
        actor=cast.hotline,
        now=now,
        subject_kind="persons",
        subject_id=person.id,
    )
    assert (change.action, change.by) == ("person.roles_changed", cast.administrator.name)


def test_no_page_or_guest_opens_a_session_without_a_password(cast, now):
    for actor in [*cast.everybody(), guest("sign_in")]:
        with pytest.raises(Refusal, match="no_longer_allowed"):
            perform(
                actions.open_session_for,
                actor=actor,
                now=now,
                person_id=cast.administrator.person_id,
            )


def test_an_actor_from_before_a_change_is_refused(cast, now):
    with pytest.raises(Refusal, match="no_longer_allowed"):
        perform(actions.accept_pledge, actor=replace(cast.hotline, epoch=0), now=now)


def test_technicians_are_listed_for_those_who_send_them(cast, now):
    names = [
        row.name
        for row in look(queries.list_holders, actor=cast.dispatcher, now=now, role=Role.TECHNICIAN)
    ]
    assert len(names) == 2
