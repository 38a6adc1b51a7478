"""Being away: who, from when until when, and who stands in; on everybody's own account page."""

from datetime import datetime, time, timedelta

import streamlit as st

from lib.messages import actions
from lib.messages.queries import LEADING, AbsenceLine, Colleague, list_absences, list_colleagues
from lib.shared import clock
from lib.shared.clock import SHANGHAI
from lib.shared.work import Actor
from lib.ui import doors
from lib.ui.labels import escape, label, when

OPENS, CLOSES = time(9), time(18)


def show(actor: Actor) -> None:
    """The absences that run or are to come, and the form for another."""
    st.subheader(label("absence.title"), anchor=False)
    st.text(label("absence.why"))
    absences = doors.read(list_absences)
    for absence in absences:
        _line(absence)
    if not absences:
        st.caption(label("absence.none"))
    with st.expander(label("absence.enter"), icon=":material/event_busy:"):
        _form(actor, doors.read(list_colleagues))


def _line(absence: AbsenceLine) -> None:
    key = doors.form_key(f"people.account.absence.{absence.id}.{absence.version}")
    with st.container(horizontal=True, vertical_alignment="center", border=True):
        told = label(
            "absence.line",
            person=escape(absence.person),
            start=when(absence.from_at),
            end=when(absence.until_at),
            deputy=escape(absence.deputy) or label("absence.no_deputy"),
        )
        st.markdown(told + (f"  \n{escape(absence.words)}" if absence.words else ""))
        st.button(
            label("absence.back"),
            key=f"people.account.absence.end.{key}",
            on_click=doors.submit,
            args=(actions.end_absence,),
            kwargs={"key": key, "absence_id": absence.id, "version": absence.version},
        )


def _form(actor: Actor, people: list[Colleague]) -> None:
    key = doors.form_key("people.account.absence")
    names = {each.id: each.name for each in people}
    today = clock.now().astimezone(SHANGHAI).date()
    with st.form(f"people.account.absence.{key}", border=False):
        if actor.has(*LEADING):
            order = sorted(names, key=lambda each: each != actor.person_id)
            st.selectbox(
                label("absence.person"),
                order,
                format_func=lambda each: names.get(each, ""),
                key=f"people.account.absence.person.{key}",
            )
        for name, on, at in (
            ("from", today, OPENS),
            ("until", today + timedelta(days=1), CLOSES),
        ):
            left, right = st.columns(2)
            left.date_input(
                label(f"absence.{name}"),
                on,
                key=f"people.account.absence.{name}.day.{key}",
                format="YYYY-MM-DD",
            )
            right.time_input(
                label(f"absence.{name}"),
                at,
                key=f"people.account.absence.{name}.time.{key}",
                label_visibility="hidden",
            )
        st.selectbox(
            label("absence.deputy"),
            [None, *names],
            format_func=lambda each: names.get(each, label("absence.no_deputy")),
            key=f"people.account.absence.deputy.{key}",
        )
        st.text_input(
            label("absence.words"),
            key=f"people.account.absence.words.{key}",
            max_chars=200,
        )
        st.form_submit_button(
            label("absence.enter"),
            key=f"people.account.absence.enter.{key}",
            type="primary",
            on_click=_enter,
            args=(key, actor.person_id),
        )


def _enter(key: str, own_id: int | None) -> None:
    typed = st.session_state
    part = "people.account.absence"
    entered = doors.submit(
        actions.enter_absence,
        key=key,
        person_id=typed.get(f"{part}.person.{key}", own_id),
        deputy_id=typed.get(f"{part}.deputy.{key}"),
        from_at=_instant(f"{part}.from", key),
        until_at=_instant(f"{part}.until", key),
        words=str(typed.get(f"{part}.words.{key}") or ""),
    )
    if entered is not None:
        doors.say("absence.entered")


def _instant(name: str, key: str) -> datetime:
    on = st.session_state[f"{name}.day.{key}"]
    at = st.session_state[f"{name}.time.{key}"]
    return datetime.combine(on, at, SHANGHAI)
