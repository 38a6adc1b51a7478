"""The parts of the page of calls: callbacks due, the answer rate with its denominator, the log, the form for a call."""

from datetime import datetime, time, timedelta
from enum import StrEnum
from html import escape as escape_html

import streamlit as st

from db.codes import Verdict
from lib.shared import clock
from lib.shared.clock import SHANGHAI
from lib.tickets.calls import (
    RING_SECONDS,
    SHOWN,
    AnswerRate,
    CallOutcome,
    CallRow,
    log_call,
    mark_called_back,
)
from lib.ui import doors, menu
from lib.ui.labels import clock_time, code_label, escape, label, percent, when

SCREEN = "tickets.calls"


class Period(StrEnum):
    """What the log and the rate are of."""

    TODAY = "today"
    WEEK = "week"
    MONTH = "month"


DAYS = {Period.TODAY: 0, Period.WEEK: 6, Period.MONTH: 29}
MISSED = CallOutcome.MISSED
OUTCOMES = [MISSED, CallOutcome.ABANDONED, CallOutcome.ANSWERED]


def chosen_since(today: datetime) -> datetime:
    """The beginning of the chosen period."""
    asked = st.session_state.get(f"{SCREEN}.period") or Period.TODAY
    return today - timedelta(days=DAYS[Period(asked)])


def show_callbacks(callbacks: list[CallRow]) -> None:
    """Whom to call back, the first due first; one click when it is done."""
    late = sum(call.is_overdue for call in callbacks)
    with st.container(border=True, key="tickets_calls_due", gap="small"):
        counts = label("calls.due_count", count=len(callbacks))
        late_words = f" · :orange-badge[▲ {label('calls.late_count', count=late)}]" if late else ""
        st.markdown(f"**{counts}**{late_words}")
        if not callbacks:
            st.markdown(f":gray[{label('calls.none_due')}]")
        for call in callbacks:
            with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                due = label("calls.due_at", at=_moment(call.callback_due_at))
                mark = f":orange-badge[▲ {due}]" if call.is_overdue else due
                who = " · ".join(filter(None, (call.company, call.contact)))
                st.markdown(
                    f"**{escape(call.phone)}** {escape(who)}  \n"
                    f"{mark} · {code_label(call.outcome)} {_moment(call.offered_at)}"
                    + (f" · {escape(call.words)}" if call.words else ""),
                    width="stretch",
                )
                st.button(
                    label("calls.called_back"),
                    key=f"{SCREEN}.back.{call.id}.{call.version}",
                    icon=":material/done:",
                    on_click=_called_back,
                    args=(call.id, call.version),
                )
                menu.link(
                    "tickets_entry",
                    label("calls.take_up"),
                    icon=":material/add_call:",
                    call=call.id,
                )


def _called_back(call_id: int, version: int) -> None:
    if doors.submit(mark_called_back, call_id=call_id, version=version) is not None:
        doors.say("calls.noted")


def show_rate(rate: AnswerRate) -> None:
    """How many calls were answered in time, of how many, and what is left out (rule 18)."""
    with st.container(border=True, key="tickets_calls_rate", gap="small"):
        st.segmented_control(
            label("calls.period"),
            list(Period),
            required=True,
            format_func=lambda period: label(f"calls.period_{period}"),
            key=_start_with(f"{SCREEN}.period", Period.TODAY),
        )
        st.markdown(f"## {percent(rate.rate)}")
        st.markdown(label("calls.rate", met=rate.met, measured=rate.measured))
        st.caption(
            label(
                "calls.left_out",
                abandoned=rate.left_out,
                unmeasured=rate.unmeasured,
            )
        )
        st.caption(label("calls.counts", missed=rate.unanswered, abandoned=rate.abandoned))


def show_log(calls: list[CallRow]) -> None:
    """The calls of the period, the newest first."""
    heads = ("at", "outcome", "waited", "who", "ticket", "agent", "callback")
    cells = "".join(f'<th scope="col">{escape_html(label(f"calls.{head}"))}</th>' for head in heads)
    lines = "".join(_line(call) for call in calls)
    more = ""
    if len(calls) >= SHOWN:
        more = f"<p>{escape_html(label('calls.only_newest', count=SHOWN))}</p>"
    body = f"<table><thead><tr>{cells}</tr></thead><tbody>{lines}</tbody></table>{more}"
    if not calls:
        body = f"<p>{escape_html(label('calls.none'))}</p>"
    st.html(
        f'<section class="desk-card desk-calls"><h2>{escape_html(label("calls.log"))}</h2>{body}</section>'
    )


def _line(call: CallRow) -> str:
    waited = ""
    # A call that was only noted as missed ends when it came: how long it rang is not known.
    if call.waited_seconds is not None and (call.waited_seconds or call.outcome is not MISSED):
        waited = label("span.seconds", seconds=call.waited_seconds)
    if call.verdict in (Verdict.MET, Verdict.MISSED, Verdict.CANCELLED):
        waited = f"{waited} · {label(f'calls.verdict_{call.verdict}')}".strip(" ·")
    back = ""
    if call.called_back_at is not None:
        back = f"✓ {_moment(call.called_back_at)}"
    elif call.callback_due_at is not None:
        back = label("calls.back_by", at=_moment(call.callback_due_at))
        back = f"▲ {back}" if call.is_overdue else back
    who = " · ".join(filter(None, (call.company, call.contact)))
    phone = f"<span>{escape_html(call.phone)}</span>" if call.phone else ""
    cells = (
        escape_html(_moment(call.offered_at)),
        escape_html(code_label(call.outcome)),
        escape_html(waited),
        " · ".join(filter(None, (escape_html(who), phone))),
        escape_html(call.number),
        escape_html(call.person),
        escape_html(back),
    )
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def show_form(now: datetime) -> None:
    """Write down a call that nobody took, or how long an answered one rang."""
    form = doors.form_key(SCREEN)
    local = now.astimezone(SHANGHAI)
    with st.container(border=True, key="tickets_calls_form", gap="small"):
        st.markdown(f"**{label('calls.write_down')}**")
        outcome = st.segmented_control(
            label("calls.outcome"),
            OUTCOMES,
            required=True,
            format_func=code_label,
            key=_start_with(_key(form, "outcome"), CallOutcome.MISSED),
        )
        phone, rings = st.columns([3, 2], gap="small", vertical_alignment="bottom")
        phone.text_input(label("calls.phone"), key=_key(form, "phone"), max_chars=40)
        rings.number_input(
            label("calls.rings"),
            min_value=0,
            max_value=100,
            value=None,
            key=_key(form, "rings"),
            help=label("calls.rings_help", seconds=RING_SECONDS),
            disabled=outcome is CallOutcome.MISSED,
        )
        on, at = st.columns(2, gap="small")
        on.date_input(
            label("calls.day"), value=local.date(), format="YYYY-MM-DD", key=_key(form, "day")
        )
        at.time_input(
            label("calls.time"), value=local.time().replace(second=0), step=60, key=_key(form, "at")
        )
        st.text_input(label("calls.words"), key=_key(form, "words"), max_chars=400)
        st.button(
            label("calls.save"),
            type="primary",
            icon=":material/save:",
            shortcut="Ctrl+Enter",
            key=_key(form, "save"),
            on_click=_save,
            args=(form,),
        )


def _key(form: str, field: str) -> str:
    return f"{SCREEN}.{field}.{form}"


def _start_with(name: str, value: StrEnum) -> str:
    st.session_state.setdefault(name, value)
    return name


def _save(form: str) -> None:
    told = st.session_state
    outcome = CallOutcome(told[_key(form, "outcome")])
    rings = told.get(_key(form, "rings"))
    day, at = told.get(_key(form, "day")), told.get(_key(form, "at")) or time()
    if day is None:
        doors.refuse("call_wait_unclear")
        return
    waited = None
    if outcome is not CallOutcome.MISSED and rings is not None:
        waited = int(rings) * RING_SECONDS
    saved = doors.submit(
        log_call,
        key=form,
        outcome=outcome,
        offered_at=datetime.combine(day, at, SHANGHAI),
        waited_seconds=waited,
        phone=told.get(_key(form, "phone")) or "",
        words=told.get(_key(form, "words")) or "",
    )
    if saved is not None:
        doors.say("calls.saved")


def _moment(at: datetime | None) -> str:
    """The time, with the day when it is not today's."""
    if at is None:
        return ""
    shown = when(at)
    return clock_time(at) if shown[:10] == when(clock.now())[:10] else shown[5:]
