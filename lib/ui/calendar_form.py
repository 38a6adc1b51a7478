"""The calendar page's parts: a draft of edits in this session, the forms that fill it, its preview and saving."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta

import streamlit as st
from babel.dates import get_day_names

from db.codes import DayKind, DaySource
from lib.shared.announcements import hours_words, read_announcement, read_hours
from lib.shared.calendars import CalendarDraft, DayByHand
from lib.shared.errors import Refusal
from lib.tickets.applying import Preview, preview_calendar
from lib.tickets.calendar_year import year_of
from lib.tickets.calendars import (
    REASON_LENGTH,
    CalendarBook,
    CalendarRow,
    DayRow,
    ProvisionalDues,
    edit_calendar,
)
from lib.ui import apply_panel, doors
from lib.ui.labels import code_label, day, escape, label, language, when

DRAFT = "tickets.calendars.draft"
PREVIEW = "tickets.calendars.preview"
DAY_FORM = "tickets.calendars.day"
WEEK_FORM = "tickets.calendars.week"
IMPORT_FORM = "tickets.calendars.import"
SAVE_FORM = "tickets.calendars.save"
FIRST_YEAR, LAST_YEAR = 2007, 2098
LONGEST_RUN = 60
MOST_VERSIONS = 20
STYLE = """<style>
.st-key-tickets_calendars td { vertical-align: top; }
@media (max-width: 1200px) {
  .st-key-tickets_calendars > div > [data-testid="stHorizontalBlock"],
  .st-key-tickets_calendars > [data-testid="stLayoutWrapper"] > [data-testid="stHorizontalBlock"] { flex-wrap: wrap; }
  .st-key-tickets_calendars [data-testid="stColumn"] { min-width: 100%; }
}
</style>"""
"""On a tablet the forms stand below the year."""


def chosen_calendar(calendars: Sequence[CalendarRow]) -> int:
    """The calendar in the address, else the first."""
    asked = st.query_params.get("calendar", "")
    known = {str(each.id): each.id for each in calendars}
    return known.get(asked, calendars[0].id)


def chosen_day() -> date | None:
    """The day in the address."""
    try:
        return date.fromisoformat(st.query_params.get("day", ""))
    except ValueError:
        return None


def choose_day(on: date) -> None:
    """Look at a day; a callback. The form starts anew."""
    st.query_params["day"] = on.isoformat()
    doors.renew_form(DAY_FORM)


def head(calendars: Sequence[CalendarRow], book: CalendarBook, today: date) -> int:
    """Title, calendar and year. Answers the year that is shown."""
    asked = st.query_params.get("year", "")
    year = int(asked) if asked.isascii() and asked.isdigit() and len(asked) == 4 else today.year
    year = min(max(year, FIRST_YEAR), LAST_YEAR)

    def go(to: int) -> None:
        st.query_params["year"] = str(to)

    def switch() -> None:
        st.query_params["calendar"] = str(st.session_state["tickets.calendars.which"])
        st.session_state.pop(PREVIEW, None)

    with st.container(horizontal=True, vertical_alignment="center"):
        st.title(label("page.tickets_calendars"), width="content")
        if len(calendars) > 1:
            names = {each.id: each.name for each in calendars}
            st.selectbox(
                label("policy.calendar"),
                list(names),
                index=list(names).index(book.id),
                format_func=lambda calendar_id: names.get(calendar_id, ""),
                key="tickets.calendars.which",
                label_visibility="collapsed",
                on_change=switch,
                width=180,
            )
        st.button(
            "",
            icon=":material/chevron_left:",
            key="tickets.calendars.before",
            help=label("calendar.year_before"),
            disabled=year == FIRST_YEAR,
            on_click=go,
            args=(year - 1,),
        )
        st.markdown(f"**{year}**", width="content")
        st.button(
            "",
            icon=":material/chevron_right:",
            key="tickets.calendars.after",
            help=label("calendar.year_after"),
            disabled=year == LAST_YEAR,
            on_click=go,
            args=(year + 1,),
        )
        st.caption(
            label("calendar.is", name=escape(book.name), version=book.version), width="content"
        )
    return year


def warn_of_missing_years(book: CalendarBook, dues: ProvisionalDues, today: date) -> None:
    """Which years have no data, and which open dues reach into them (rule 6)."""
    soon = {today.year, today.year + 1} - set(book.announced)
    missing = sorted(soon | set(dues.by_year))
    if not missing:
        return
    reach = sum(dues.by_year.values())
    years = label("list.separator").join(map(str, missing))
    if not reach:
        st.info(label("calendar.no_data", years=years), icon=":material/event_upcoming:")
        return
    st.warning(
        label("calendar.no_data_reached", years=years, count=reach), icon=":material/warning:"
    )
    with st.expander(label("calendar.dues_listed", count=reach)):
        heads = [label(f"apply.head.{name}") for name in ("number", "kind", "before")]
        lines = ["| " + " | ".join(heads) + " |", "|---|---|---|"]
        lines += [
            f"| [{escape(each.number)}](/tickets_detail?ticket={each.ticket_id}) "
            f"| {code_label(each.kind)} | {when(each.due_at)} |"
            for each in dues.first
        ]
        st.markdown("\n".join(lines))
        if reach > len(dues.first):
            st.caption(label("apply.more", count=reach - len(dues.first)))


def draft_of(book: CalendarBook) -> CalendarDraft:
    """The edits of this session that are not saved yet."""
    kept: CalendarDraft = st.session_state.get(f"{DRAFT}.{book.id}", CalendarDraft())
    return kept


def _keep(book: CalendarBook, draft: CalendarDraft) -> None:
    st.session_state[f"{DRAFT}.{book.id}"] = draft
    st.session_state.pop(PREVIEW, None)


def show_draft(book: CalendarBook) -> None:
    """What the draft changes; its preview, and saving with applying (rule 15). In a place of its own."""
    place = st.empty()
    draft = draft_of(book)
    if draft == CalendarDraft():
        return
    with place.container(border=True, key="calendar_draft"):
        st.markdown(f"**{label('calendar.draft')}** {escape(_told(draft))}")
        with st.container(horizontal=True):
            st.button(
                label("policy.preview"),
                key="tickets.calendars.preview_now",
                type="primary" if PREVIEW not in st.session_state else "secondary",
                icon=":material/preview:",
                on_click=_ask_preview,
            )
            st.button(
                label("calendar.discard"),
                key="tickets.calendars.discard",
                icon=":material/delete:",
                type="tertiary",
                on_click=_keep,
                args=(book, CalendarDraft()),
            )
        preview = _preview(book, draft)
        if preview is None:
            return
        key = doors.form_key(SAVE_FORM)
        chosen = apply_panel.show(preview, key)
        st.button(
            label("policy.save_and_apply" if chosen else "policy.save"),
            key=f"{SAVE_FORM}.{key}",
            type="primary",
            on_click=_save,
            args=(book, draft, key, chosen),
        )


def _told(draft: CalendarDraft) -> str:
    told = [
        label("calendar.draft_days", count=len(draft.days)) if draft.days else "",
        label("calendar.draft_week")
        if draft.week is not None or draft.make_up_hours is not None
        else "",
        *(
            label("calendar.draft_year", year=year, count=len(days))
            for year, days in sorted(draft.announcements.items())
        ),
    ]
    return " · ".join(filter(None, told))


def _ask_preview() -> None:
    st.session_state[PREVIEW] = None


def _preview(book: CalendarBook, draft: CalendarDraft) -> Preview | None:
    """What was found when it was asked for; None before that, or when it is refused."""
    if PREVIEW not in st.session_state:
        return None
    found: Preview | None = st.session_state[PREVIEW]
    if found is None:
        told = {"calendar_id": book.id, "version": book.version, "draft": draft}
        try:
            found = st.session_state[PREVIEW] = apply_panel.look_ahead(preview_calendar, **told)
        except Refusal as refusal:
            del st.session_state[PREVIEW]
            doors.refuse(refusal.key, **refusal.params)
    return found


def _save(book: CalendarBook, draft: CalendarDraft, key: str, chosen: list[int]) -> None:
    saved = doors.submit(
        edit_calendar, key=key, calendar_id=book.id, version=book.version, draft=draft
    )
    if saved is None:
        return
    _keep(book, CalendarDraft())
    doors.say("calendar.saved", version=saved)
    apply_panel.apply(chosen, key=key, policies=False)


def show_editing(book: CalendarBook, draft: CalendarDraft) -> None:
    """The forms that fill the draft, and the lists."""
    names = ("day", "week", "import", "lists")
    tabs = st.tabs([label(f"calendar.tab.{name}") for name in names], key="tickets.calendars.tabs")
    with tabs[0]:
        _show_day(book, draft)
    with tabs[1]:
        _show_week(book, draft)
    with tabs[2]:
        _show_import(book)
    with tabs[3]:
        show_lists(book)


def _show_day(book: CalendarBook, draft: CalendarDraft) -> None:
    on = chosen_day()
    if on is None:
        st.info(label("calendar.choose"), icon=":material/touch_app:")
        return
    told = next(each for each in year_of(book, draft, on.year) if each.on == on)
    hours = hours_words(told.hours) or label("calendar.no_hours")
    marks = [label("calendar.by_hand")] if told.by_hand else []
    st.markdown(f"**{day(on)}**")
    is_now = " · ".join(
        filter(None, (label(f"calendar.look.{told.look}"), told.name, hours, *marks))
    )
    st.text(is_now)
    key = doors.form_key(DAY_FORM)
    kinds = [DayKind.CLOSED, DayKind.OPEN, DayKind.OTHER_HOURS]
    st.radio(
        label("calendar.set_to"),
        kinds,
        format_func=lambda kind: label(f"calendar.set.{kind}"),
        key=f"{DAY_FORM}.kind.{key}",
    )
    if st.session_state.get(f"{DAY_FORM}.kind.{key}") is DayKind.OTHER_HOURS:
        st.text_input(
            label("calendar.hours"),
            key=f"{DAY_FORM}.hours.{key}",
            placeholder="09:00-12:00 13:00-16:00",
            max_chars=80,
        )
    st.text_input(label("calendar.reason"), key=f"{DAY_FORM}.reason.{key}", max_chars=REASON_LENGTH)
    st.date_input(
        label("calendar.until"),
        value=None,
        min_value=on,
        max_value=on + timedelta(days=LONGEST_RUN),
        format="YYYY-MM-DD",
        key=f"{DAY_FORM}.until.{key}",
        help=label("calendar.until_help"),
    )
    with st.container(horizontal=True):
        st.button(
            label("calendar.put_day"),
            key=f"{DAY_FORM}.put.{key}",
            type="primary",
            on_click=_put_day,
            args=(book, on, key),
        )
        if told.by_hand:
            st.button(
                label("calendar.take_back"),
                key=f"{DAY_FORM}.back.{key}",
                icon=":material/undo:",
                on_click=_take_back,
                args=(book, on),
            )


def _put_day(book: CalendarBook, on: date, key: str) -> None:
    kind: DayKind = st.session_state[f"{DAY_FORM}.kind.{key}"]
    reason = str(st.session_state.get(f"{DAY_FORM}.reason.{key}") or "").strip()
    if not reason:
        doors.refuse("reason_missing")
        return
    try:
        hours = (
            read_hours(str(st.session_state.get(f"{DAY_FORM}.hours.{key}") or ""))
            if kind is DayKind.OTHER_HOURS
            else ()
        )
        if kind is DayKind.OTHER_HOURS and not hours:
            raise Refusal("hours_unreadable")
    except Refusal as refusal:
        doors.refuse(refusal.key, **refusal.params)
        return
    until: date = st.session_state.get(f"{DAY_FORM}.until.{key}") or on
    told = DayByHand(kind, tuple(hours), reason)
    days = {on + timedelta(days=number): told for number in range((until - on).days + 1)}
    draft = draft_of(book)
    _keep(book, replace(draft, days={**draft.days, **days}))
    doors.renew_form(DAY_FORM)


def _take_back(book: CalendarBook, on: date) -> None:
    """Let the day be what it was without a hand: out of the draft, or out of what is saved."""
    draft = draft_of(book)
    days = {each: told for each, told in draft.days.items() if each != on}
    if any(row.on == on and row.source is DaySource.HAND for row in book.days):
        days[on] = None
    _keep(book, replace(draft, days=days))
    doors.renew_form(DAY_FORM)


def _show_week(book: CalendarBook, draft: CalendarDraft) -> None:
    key = f"{doors.form_key(WEEK_FORM)}.{book.version}"
    st.caption(label("calendar.week_how"))
    names = get_day_names("wide", locale=str(language()))
    week = book.week if draft.week is None else draft.week
    make_up = book.make_up_hours if draft.make_up_hours is None else draft.make_up_hours
    for weekday in range(7):
        st.text_input(
            names[weekday],
            hours_words(week.get(weekday, ())),
            key=f"{WEEK_FORM}.{weekday}.{key}",
            placeholder=label("calendar.no_hours"),
            max_chars=80,
        )
    st.text_input(
        label("calendar.make_up_hours"),
        hours_words(make_up),
        key=f"{WEEK_FORM}.make_up.{key}",
        placeholder=label("calendar.like_monday"),
        max_chars=80,
    )
    st.button(
        label("calendar.put_week"),
        key=f"{WEEK_FORM}.put.{key}",
        type="primary",
        on_click=_put_week,
        args=(book, key),
    )


def _put_week(book: CalendarBook, key: str) -> None:
    try:
        read = {
            name: tuple(read_hours(str(st.session_state.get(f"{WEEK_FORM}.{name}.{key}") or "")))
            for name in (*range(7), "make_up")
        }
    except Refusal as refusal:
        doors.refuse(refusal.key, **refusal.params)
        return
    week = {weekday: read[weekday] for weekday in range(7) if read[weekday]}
    if not week:
        doors.refuse("hours_unusable")
        return
    is_same = {weekday: tuple(hours) for weekday, hours in book.week.items()} == week
    is_same_make_up = tuple(book.make_up_hours) == read["make_up"]
    _keep(
        book,
        replace(
            draft_of(book),
            week=None if is_same else week,
            make_up_hours=None if is_same_make_up else read["make_up"],
        ),
    )


def _show_import(book: CalendarBook) -> None:
    st.caption(label("calendar.import_how"))
    key = doors.form_key(IMPORT_FORM)
    st.file_uploader(
        label("calendar.file"),
        type="json",
        key=f"{IMPORT_FORM}.file.{key}",
        on_change=_take_file,
        args=(book, key),
    )
    years = ", ".join(_runs(book.announced))
    st.text(label("calendar.known_years", years=years))


def _take_file(book: CalendarBook, key: str) -> None:
    file = st.session_state.get(f"{IMPORT_FORM}.file.{key}")
    if file is None:
        return
    doors.renew_form(IMPORT_FORM)
    try:
        read = read_announcement(file.getvalue())
    except Refusal as refusal:
        doors.refuse(refusal.key, **refusal.params)
        return
    draft = draft_of(book)
    _keep(book, replace(draft, announcements={**draft.announcements, read.year: read.days}))
    st.query_params["year"] = str(read.year)


def _runs(years: Sequence[int]) -> list[str]:
    runs: list[list[int]] = []
    for year in sorted(years):
        if runs and runs[-1][1] == year - 1:
            runs[-1][1] = year
        else:
            runs.append([year, year])
    return [str(first) if first == last else f"{first}–{last}" for first, last in runs]


def show_lists(book: CalendarBook) -> None:
    """Weekly hours, the days that were set by hand with what they beat, and the versions."""
    beaten = {row.on: row for row in book.days if row.beaten}
    by_hand = [row for row in book.days if row.source is DaySource.HAND]
    st.markdown(f"**{label('calendar.hand_days')}**")
    if by_hand:
        st.markdown(_hand_table(by_hand, beaten))
    else:
        st.text(label("calendar.no_hand_days"))
    st.markdown(f"**{label('calendar.versions')}**")
    heads = [label(f"calendar.version_head.{name}") for name in ("number", "from", "by")]
    lines = ["| " + " | ".join(heads) + " |", "|--:|---|---|"]
    for each in book.versions[:MOST_VERSIONS]:
        by = escape(each.by) or label("actor.system")
        begins = when(each.from_at) if each.from_at.year > 1970 else label("policy.always")
        lines.append(f"| {each.version} | {begins} | {by} |")
    st.markdown("\n".join(lines))


def _hand_table(rows: Sequence[DayRow], beaten: Mapping[date, DayRow]) -> str:
    heads = [label(f"calendar.hand_head.{name}") for name in ("day", "is", "reason", "beats")]
    lines = ["| " + " | ".join(heads) + " |", "|---|---|---|---|"]
    for row in sorted(rows, key=lambda row: row.on, reverse=True):
        other = beaten.get(row.on)
        is_now = " ".join(
            filter(None, (label(f"calendar.kind.{row.kind}"), hours_words(row.hours)))
        )
        beats = "" if other is None else f"{label(f'calendar.kind.{other.kind}')} {other.name}"
        lines.append(f"| {day(row.on)} | {is_now} | {escape(row.name)} | {escape(beats)} |")
    return "\n".join(lines)
