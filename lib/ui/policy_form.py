"""The policies page's parts: the list, the form for a new version, and applying to open cases."""

from collections.abc import Sequence
from datetime import date, datetime, time
from html import escape
from typing import Any

import streamlit as st

from db.codes import Channel, CustomerLevel, Priority, TargetUnit, TimerKind
from lib.shared.clock import SHANGHAI
from lib.shared.errors import Refusal
from lib.tickets.applying import Preview, preview_policies
from lib.tickets.calendars import CalendarRow
from lib.tickets.policies import CLAUSE_LENGTH, LARGEST_AMOUNT, PolicyDraft, add_policy
from lib.tickets.policy_list import PolicyRow, PolicyState
from lib.ui import apply_panel, doors
from lib.ui.labels import code_label, label, when
from lib.ui.target_words import target_words

OPEN = "tickets.policies.open"
DRAFT = "tickets.policies.draft"
PREVIEW = "tickets.policies.preview"
FORM = "tickets.policies.add"
ADD, APPLY = "add", "apply"
ALWAYS = datetime(1971, 1, 1, tzinfo=SHANGHAI)
STYLE = """<style>
.desk-policies { overflow-x: auto; }
.desk-policies table { border-collapse: collapse; width: 100%; font-size: 15px; line-height: 1.45;
  font-variant-numeric: tabular-nums; }
.desk-policies th, .desk-policies td { text-align: left; padding: 7px 12px; vertical-align: top;
  border-bottom: 1px solid color-mix(in srgb, currentColor 16%, transparent); }
.desk-policies thead th { font-size: 14px; font-weight: 600; white-space: nowrap; border-bottom-width: 2px; }
.desk-policies tbody th { font-weight: 600; white-space: nowrap; }
.desk-policies .at { white-space: nowrap; }
.desk-policies tr.future td { font-style: italic; }
.desk-policies tr.past td { color: color-mix(in srgb, currentColor 70%, transparent); }
.desk-policies .none { color: color-mix(in srgb, currentColor 75%, transparent); }
</style>"""
HEADS = ("kind", "fits", "target", "clause", "calendar", "from", "until", "state")


def show_list(rows: Sequence[PolicyRow], *, past: bool) -> None:
    """The policies by kind; kinds that no policy names are told to have no target."""
    head = "".join(f"<th>{escape(label(f'policy.head.{name}'))}</th>" for name in HEADS)
    body = []
    for kind in TimerKind:
        of_kind = [row for row in rows if row.kind is kind]
        shown = [row for row in of_kind if past or row.state is not PolicyState.PAST]
        if not any(row.state is PolicyState.IN_FORCE for row in of_kind):
            words = escape(label("policy.no_target"))
            body.append(
                f'<tr><th scope="row">{escape(code_label(kind))}</th>'
                f'<td class="none" colspan="{len(HEADS) - 1}">{words}</td></tr>'
            )
        body += [_row(row) for row in shown]
    st.html(
        f'{STYLE}<div class="desk-policies"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table></div>"
    )


def _row(row: PolicyRow) -> str:
    target = target_words(row.unit, row.amount, row.second_unit, row.second_amount)
    begins = label("policy.always") if row.from_at < ALWAYS else when(row.from_at)
    cells = (
        ("", _fits(row)),
        ("", target),
        ("at", row.clause),
        ("at", row.calendar),
        ("at", begins),
        ("at", when(row.until_at) or label("policy.open_end")),
        ("at", label(f"policy.state.{row.state}")),
    )
    body = "".join(f'<td class="{kind}">{escape(words)}</td>' for kind, words in cells)
    return f'<tr class="{row.state}"><th scope="row">{escape(code_label(row.kind))}</th>{body}</tr>'


def _fits(row: PolicyRow) -> str:
    contract = "" if row.contract_id is None else label("policy.contract", id=row.contract_id)
    codes = (row.level, row.channel, row.priority)
    told = [contract, *(code_label(code) for code in codes if code is not None)]
    return " · ".join(filter(None, told)) or label("policy.every_case")


def open_panel(name: str | None) -> None:
    """Show the form or the applying, or neither; a callback."""
    st.session_state[OPEN] = name
    st.session_state.pop(DRAFT, None)
    st.session_state.pop(PREVIEW, None)


def show_panel(calendars: Sequence[CalendarRow], now: datetime) -> None:
    """The panel that is open, if any, in a place of its own: closed, it is gone before the run ends."""
    place = st.empty()
    which = st.session_state.get(OPEN)
    if which is None:
        return
    with place.container(border=True, key="policies_panel"):
        st.subheader(label(f"policy.{which}"), anchor=False)
        if which == ADD:
            _show_form(calendars, now)
        else:
            _show_applying()


def _key(name: str) -> str:
    return f"{FORM}.{name}.{doors.form_key(FORM)}"


def _show_form(calendars: Sequence[CalendarRow], now: datetime) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        _choice("kind", list(TimerKind), width=190)
        st.number_input(
            label("policy.amount"), 0, LARGEST_AMOUNT, 30, step=1, key=_key("amount"), width=130
        )
        _choice("unit", list(TargetUnit), first=TargetUnit.WORKING_MINUTES, width=200)
        st.number_input(
            label("policy.second_amount"),
            0,
            LARGEST_AMOUNT,
            value=None,
            step=1,
            key=_key("second_amount"),
            help=label("policy.second_help"),
            width=150,
        )
        _choice("second_unit", list(TargetUnit), empty=True, width=200)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        _choice("level", list(CustomerLevel), empty=True, width=170)
        _choice("channel", list(Channel), empty=True, width=150)
        _choice("priority", list(Priority), empty=True, width=150)
        st.text_input(
            label("policy.clause"), key=_key("clause"), max_chars=CLAUSE_LENGTH, width=130
        )
        names = {each.id: each.name for each in calendars}
        st.selectbox(
            label("policy.calendar"),
            list(names),
            key=_key("calendar_id"),
            format_func=lambda calendar_id: names.get(calendar_id, ""),
            width=180,
        )
        st.date_input(
            label("policy.from_day"),
            value=None,
            min_value=now.astimezone(SHANGHAI).date(),
            format="YYYY-MM-DD",
            key=_key("from_day"),
            help=label("policy.from_help"),
            width=170,
        )
        st.time_input(label("policy.from_time"), time(0, 0), key=_key("from_time"), width=120)
    with st.container(horizontal=True):
        st.button(
            label("policy.preview"),
            key="tickets.policies.preview_now",
            icon=":material/preview:",
            on_click=_take_draft,
        )
        _close_button()
    draft = st.session_state.get(DRAFT)
    if draft is None:
        return
    preview = _preview(draft)
    if preview is None:
        return
    if draft.from_at is not None:
        st.info(label("policy.later", at=when(draft.from_at)))
    key = doors.form_key(FORM)
    chosen = apply_panel.show(preview, key)
    is_same = _read_form() == draft
    if not is_same:
        st.warning(label("policy.preview_again"))
    st.button(
        label("policy.save_and_apply" if chosen else "policy.save"),
        key=f"tickets.policies.save.{key}",
        type="primary",
        disabled=not is_same,
        on_click=_save,
        args=(draft, key, chosen),
    )


def _choice(
    name: str, codes: list[Any], *, empty: bool = False, first: Any = None, width: int
) -> None:
    start = None if empty else codes.index(first) if first is not None else 0
    st.selectbox(
        label(f"policy.{name}"),
        codes,
        index=start,
        key=_key(name),
        format_func=code_label,
        placeholder=label("policy.none" if name == "second_unit" else "policy.any"),
        width=width,
    )


def _close_button() -> None:
    st.button(
        label("policy.close"),
        key="tickets.policies.close",
        icon=":material/close:",
        type="tertiary",
        on_click=open_panel,
        args=(None,),
    )


def _read_form() -> PolicyDraft:
    told: dict[str, Any] = {
        name: st.session_state.get(_key(name))
        for name in (
            "kind",
            "unit",
            "amount",
            "calendar_id",
            "second_unit",
            "second_amount",
            "level",
            "channel",
            "priority",
        )
    }
    told["clause"] = str(st.session_state.get(_key("clause")) or "").strip()
    told["amount"] = told["amount"] or 0
    on: date | None = st.session_state.get(_key("from_day"))
    at: time = st.session_state.get(_key("from_time")) or time(0, 0)
    told["from_at"] = None if on is None else datetime.combine(on, at, SHANGHAI)
    return PolicyDraft(**told)


def _take_draft() -> None:
    st.session_state[DRAFT] = _read_form()
    st.session_state.pop(PREVIEW, None)


def _preview(draft: PolicyDraft | None) -> Preview | None:
    """What was found when it was asked for; the words of a refusal when it would be refused."""
    kept = st.session_state.get(PREVIEW)
    if kept is None:
        try:
            kept = apply_panel.look_ahead(preview_policies, draft=draft)
        except Refusal as refusal:
            st.error(doors.words_of(refusal), icon=":material/block:")
            return None
        st.session_state[PREVIEW] = kept
    found: Preview = kept
    return found


def _save(draft: PolicyDraft, key: str, chosen: list[int]) -> None:
    told = {name: getattr(draft, name) for name in PolicyDraft.__dataclass_fields__}
    saved = doors.submit(add_policy, key=key, **told)
    if saved is None:
        return
    open_panel(None)
    doors.say("policy.saved")
    apply_panel.apply(chosen, key=key, policies=True)


def _show_applying() -> None:
    st.caption(label("policy.apply_how"))
    preview = _preview(None)
    key = doors.form_key("tickets.policies.apply")
    chosen = [] if preview is None else apply_panel.show(preview, key)
    with st.container(horizontal=True):
        st.button(
            label("policy.apply_now", count=len(chosen)),
            key=f"tickets.policies.apply.{key}",
            type="primary",
            disabled=not chosen,
            on_click=_apply,
            args=(key, chosen),
        )
        _close_button()


def _apply(key: str, chosen: list[int]) -> None:
    open_panel(None)
    doors.renew_form("tickets.policies.apply")
    apply_panel.apply(chosen, key=key, policies=True)
