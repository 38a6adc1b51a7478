"""One return call at work: what to say, whom to ring, what came of it; and the survey link that follows."""

from urllib.parse import urlsplit

import streamlit as st

from db.codes import ReturnCallResult
from lib.feedback import actions
from lib.feedback.queries import ReturnCallRow, SurveyLink, TryRow
from lib.shared.settings import settings
from lib.shared.work import Actor
from lib.tickets.rules import RETURN_CALL_TRIES
from lib.ui import doors, menu
from lib.ui.chips import Chip
from lib.ui.chips import show as show_chips
from lib.ui.components import share
from lib.ui.labels import code_label, escape, label, when

SCREEN = "feedback.return_calls"
SEEN = f"{SCREEN}.seen"
LONGEST_WORDS = 2000


def heading(call: ReturnCallRow) -> None:
    """Company, number and how it stands with the call."""
    st.subheader(escape(call.company or call.number), anchor=False)
    late = Chip("octagon", f"{label('return_call.overdue')} · {when(call.due_at)}")
    due = Chip("status", f"{label('return_call.due')} {when(call.due_at)}")
    tries = label("return_call.tries_of", tries=call.tries, limit=RETURN_CALL_TRIES)
    show_chips(
        [
            late if call.is_overdue else due,
            Chip("status", code_label(call.fault)),
            Chip("status", f"{label('return_call.tries')} {tries}"),
        ]
    )
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        st.markdown(
            f"**{escape(call.contact or label('return_call.contact'))}**  "
            f":material/call: **{escape(call.phone or label('return_call.no_phone'))}**"
        )
        menu.link(
            "tickets_detail", call.number, icon=":material/description:", ticket=call.ticket_id
        )


def script(call: ReturnCallRow, actor: Actor) -> None:
    """What to say, with the facts of the case, and what the technician wrote."""
    hello = "hello" if call.contact else "hello_nobody"
    lines = [
        label(f"return_call.script_{hello}", caller=actor.name, contact=call.contact),
        label(
            "return_call.script_case",
            received=when(call.received_at),
            fault=code_label(call.fault),
            number=call.number,
            completed=when(call.completed_at),
        ),
        label("return_call.script_ask"),
        label("return_call.script_end"),
    ]
    with st.container(border=True, gap="xsmall"):
        st.markdown(f"**{label('return_call.script')}**")
        st.markdown("\n".join(f"{number}. {escape(line)}" for number, line in enumerate(lines, 1)))
        if call.work_done:
            done = f"{label('return_call.work_done')} · {call.technician}".rstrip(" ·")
            st.caption(f"{escape(done)}：{escape(call.work_done)}")


def form(call: ReturnCallRow) -> None:
    """What came of the call; the form keeps the version it was opened with."""
    key = doors.form_key(f"{SCREEN}.{call.id}")
    seen: dict[str, int] = st.session_state.setdefault(SEEN, {})
    seen.setdefault(key, call.version)
    result = st.pills(
        label("return_call.result"),
        list(ReturnCallResult),
        format_func=code_label,
        key=f"{SCREEN}.result.{key}",
    )
    st.text_area(
        label("return_call.words"),
        key=f"{SCREEN}.words.{key}",
        placeholder=label("return_call.words_hint"),
        max_chars=LONGEST_WORDS,
        height=90,
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            label("return_call.save"),
            key=f"{SCREEN}.save.{key}",
            type="primary",
            shortcut="Ctrl+Enter",
            on_click=_save,
            args=(call, key),
        )
        if result is not None:
            st.caption(label(f"return_call.effect.{result}", limit=RETURN_CALL_TRIES))


def _save(call: ReturnCallRow, key: str) -> None:
    result = st.session_state.get(f"{SCREEN}.result.{key}")
    if result is None:
        doors.refuse("return_call_result_missing")
        return
    seen: dict[str, int] = st.session_state[SEEN]
    told = doors.submit(
        actions.finish_return_call,
        key=key,
        return_call_id=call.id,
        version=seen.get(key, call.version),
        result=ReturnCallResult(result),
        words=st.session_state.get(f"{SCREEN}.words.{key}", ""),
    )
    # Saved or refused: a next save is for the call as the next run shows it.
    seen.pop(key, None)
    if told is None:
        return
    outcome = "closed" if told["closed"] else "reopened" if told["reopened"] else "open"
    doors.say(f"return_call.saved_{outcome}", number=call.number)
    if outcome != "open":
        st.query_params.pop("ticket", None)
    if told["invitation_id"] is not None:
        st.query_params["survey"] = str(told["invitation_id"])


def tries(made: list[TryRow]) -> None:
    """The tries before this one."""
    if not made:
        return
    st.markdown(f"**{label('return_call.earlier')}**")
    for each in made:
        words = f" · {each.words}" if each.words else ""
        st.caption(escape(f"{when(each.at)} · {code_label(each.result)} · {each.by}{words}"))


def survey_link(link: SurveyLink) -> None:
    """The link to pass on to the customer, as text and as a code."""
    with st.container(border=True):
        st.markdown(f"**{label('survey_link.title')}**")
        st.markdown(escape(link_name(link)))
        if not link.token:
            st.caption(label("survey_link.answered"))
            return
        st.caption(label("survey_link.how", expires=when(link.expires_at)))
        share.show(
            f"{SCREEN}.share", survey_address(link.token), code_words=label("survey_link.qr")
        )


def link_name(link: SurveyLink) -> str:
    """Case, customer and contact of a link."""
    return label(
        "survey_link.of", number=link.number, company=link.company, contact=link.contact
    ).strip()


def survey_address(token: str) -> str:
    """The address customers open: the one of the settings, else the one that staff came by."""
    base = settings().public_address.rstrip("/")
    if not base:
        came_by = urlsplit(str(st.context.url or ""))
        base = f"{came_by.scheme}://{came_by.netloc}"
    return f"{base}/survey/{token}"
