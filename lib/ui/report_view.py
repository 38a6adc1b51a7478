"""The parts of the dashboard's page: which period and cases its address asks for, tiles, charts, cases."""

from collections.abc import Callable
from datetime import date

import streamlit as st

from lib.reports.queries import Dashboard, list_cases
from lib.reports.rules import Behind, Days, Measure, behind_of
from lib.ui import charts, doors, menu
from lib.ui.components import cases, figures
from lib.ui.labels import code_label, label, language, number, when

SCREEN = "reports.dashboard"
DAYS_KEY = f"{SCREEN}.days"
CASES_KEY = f"{SCREEN}.cases"
LATEST_DAYS = 7
"""As many days are offered in the list of cases to choose; all others by a click into the chart."""


def asked_days() -> Days:
    """The period that the address asks for, 30 days unless told."""
    asked = st.query_params.get("days", "")
    return Days(asked) if asked in set(Days) else Days.MONTH


def asked_cases(days: tuple[date, ...]) -> Behind | None:
    """The cases that the address asks for."""
    return behind_of(st.query_params.get("cases", ""), days)


def head(days: Days, as_of: str) -> None:
    """Title, moment and the choice of the period."""

    def choose() -> None:
        st.query_params["days"] = str(st.session_state[DAYS_KEY] or days)

    st.session_state.setdefault(DAYS_KEY, days)
    with st.container(horizontal=True, vertical_alignment="center", key="reports_head"):
        st.title(label("page.reports_dashboard"), anchor=False)
        st.caption(as_of, width="content")
        st.segmented_control(
            label("report.period"),
            list(Days),
            key=DAYS_KEY,
            required=True,
            format_func=lambda each: label("report.days", days=int(each)),
            label_visibility="collapsed",
            on_change=choose,
            width="content",
        )


def tiles(board: Dashboard, days: Days, behind: Behind | None) -> None:
    """The figures; a click leads to the queue or lists the cases below."""
    pressed = str(behind.measure) if behind is not None and behind.measure else None
    chosen = figures.show(f"{SCREEN}.figures", board.figures, days, pressed)
    if chosen is None:
        return
    if chosen in figures.VIEWS:
        if menu.entry("tickets_queue") in menu.open_to(doors.enter("reports_dashboard").roles):
            menu.go("tickets_queue", view=figures.VIEWS[chosen])
        return
    ask(None if pressed == chosen else Behind(measure=chosen))
    st.rerun()


def ask(behind: Behind | None) -> None:
    """Put the wanted cases into the address."""
    if behind is None:
        st.query_params.pop("cases", None)
    else:
        st.query_params["cases"] = behind.code


def plots(board: Dashboard) -> None:
    """New and closed by day; causes."""
    with st.container(key="reports_charts"):
        left, right = st.columns([11, 9], gap="medium")
    with left:
        st.markdown(f"**{label('report.by_day')}**")
        st.vega_lite_chart(
            charts.days_data(board.days),
            charts.days_chart(language()),
            key=f"{SCREEN}.by_day",
            on_select=_picker(f"{SCREEN}.by_day", _day_behind),
            selection_mode=charts.PICK,
            alt=label("report.by_day"),
        )
    with right:
        st.markdown(f"**{label('report.by_fault')}**")
        if board.causes:
            st.vega_lite_chart(
                charts.causes_data(board.causes),
                charts.causes_chart(language()),
                key=f"{SCREEN}.by_fault",
                on_select=_picker(f"{SCREEN}.by_fault", lambda picked: f"fault.{picked['fault']}"),
                selection_mode=charts.PICK,
                alt=label("report.by_fault"),
            )
        else:
            st.info(label("report.no_cases"))


def _day_behind(picked: dict[str, str]) -> str:
    return f"{picked['kind']}.{picked['day']}"


def _picker(key: str, code_of: Callable[[dict[str, str]], str]) -> Callable[[], None]:
    """What a click into a chart does: list the cases; a second click on the same mark puts them away."""
    last = f"{key}.last"

    def pick() -> None:
        picked = st.session_state[key].selection.get(charts.PICK) or []
        if picked:
            st.session_state[last] = code_of(picked[0])
        # The chart lets go of a mark that is clicked again, also when other cases were listed since.
        code = st.session_state.get(last)
        if not picked and st.query_params.get("cases") == code:
            st.query_params.pop("cases", None)
        elif code is not None:
            st.query_params["cases"] = code

    return pick


def case_list(board: Dashboard, days: Days, behind: Behind | None) -> None:
    """The cases behind what was clicked or chosen; a number leads to its case."""
    codes = _offered(board, behind)
    chosen = behind.code if behind is not None else None
    if st.session_state.get(CASES_KEY) != chosen:
        st.session_state[CASES_KEY] = chosen

    def choose() -> None:
        code = st.session_state[CASES_KEY]
        ask(behind_of(code or "", board.period.days))

    with st.container(horizontal=True, vertical_alignment="center"):
        st.selectbox(
            label("report.cases"),
            list(codes),
            index=None,
            key=CASES_KEY,
            format_func=lambda code: codes.get(code, code),
            placeholder=label("report.choose_cases"),
            label_visibility="collapsed",
            on_change=choose,
            width=340,
        )
        if behind is None:
            st.caption(label("report.how"), width="content")
            return
        found = doors.read(list_cases, days=days, behind=behind)
        shown = "report.shown_all" if len(found.rows) == found.total else "report.shown_of"
        st.caption(
            label(shown, shown=number(len(found.rows)), total=number(found.total)), width="content"
        )
        if found.apart is not None:
            told = {
                name: number(getattr(found.apart, name))
                for name in ("changed", "merged", "left_out")
            }
            st.caption(label("report.apart", **told), width="content")
    opened = cases.show(f"{SCREEN}.list", found, behind)
    if opened is not None:
        menu.go("tickets_detail", ticket=opened)


def _offered(board: Dashboard, behind: Behind | None) -> dict[str, str]:
    """Codes of cases with their words: of rates and satisfaction, of each fault, of the latest days."""
    offered = [
        Behind(measure=measure)
        for measure in (Measure.RESPONSE, Measure.RESOLUTION, Measure.SATISFACTION)
    ]
    offered += [Behind(fault=cause.fault) for cause in board.causes]
    for day in reversed(board.period.days[-LATEST_DAYS:]):
        offered += [Behind(new_on=day), Behind(closed_on=day)]
    if behind is not None and behind not in offered:
        offered.append(behind)
    return {each.code: _words(each) for each in offered}


def _words(behind: Behind) -> str:
    if behind.fault is not None:
        return f"{label('report.fault')} · {code_label(behind.fault)}"
    if behind.new_on is not None:
        return f"{label('report.new')} · {behind.new_on.isoformat()}"
    if behind.closed_on is not None:
        return f"{label('report.closed')} · {behind.closed_on.isoformat()}"
    return label(f"measure.{behind.measure}")


def as_of(board: Dashboard) -> str:
    """The moment the figures are of."""
    return label("report.as_of", at=when(board.period.now, seconds=True))
