"""The parts of the commitment ledger's page: what its address asks for, scores by person, the promises."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import pandas as pd
import streamlit as st

from db.codes import CommitmentKind
from lib.shared.calendar import epoch
from lib.shared.work import Actor
from lib.tickets.commitments import DESK
from lib.tickets.ledger import Key, LedgerFilter, LedgerPage, Outcome, PromiseRow, Score
from lib.ui import case_promises, menu
from lib.ui.labels import code_label, label, percent, when

SCREEN = "tickets.commitments"
WHAT_WIDTH = 190
"""Else the words of a promise are cut to the width of the first rows."""


class Reach(StrEnum):
    """How many days back the promises were due; a code, so that the choice follows a change of the language."""

    WEEK = "7"
    MONTH = "30"
    QUARTER = "92"


def asked() -> LedgerFilter:
    """The filter that the address asks for; nonsense in it is left out."""
    told = st.query_params
    days = told.get("days", "")
    person = told.get("person", "")
    return LedgerFilter(
        int(days if days in set(Reach) else Reach.MONTH),
        Outcome(told["state"]) if told.get("state") in set(Outcome) else None,
        int(person) if person.isascii() and person.isdigit() and len(person) < 10 else None,
        CommitmentKind(told["kind"]) if told.get("kind") in set(CommitmentKind) else None,
    )


def asked_place() -> Key | None:
    """Where the page that the address asks for begins; None for the first."""
    due, _, number = st.query_params.get("after", "").partition("-")
    if not (due.isascii() and due.isdigit() and number.isascii() and number.isdigit()):
        return None
    if len(due) > 11 or len(number) > 10:
        return None
    return datetime.fromtimestamp(int(due), UTC), int(number)


def filters(where: LedgerFilter, people: dict[int, str]) -> None:
    """Days, outcome, kind and person; each choice stands in the address."""
    with st.container(horizontal=True, vertical_alignment="bottom", key="tickets_ledger_filters"):
        _choice(
            "days",
            label("ledger.days"),
            list(Reach),
            Reach(str(where.days)),
            _days_words,
            190,
            must=True,
        )
        _choice("state", label("ledger.state"), list(Outcome), where.outcome, _outcome_words, 160)
        _choice("kind", label("promise.kind"), list(CommitmentKind), where.kind, code_label, 150)
        _choice(
            "person",
            label("ledger.person"),
            list(people),
            where.person_id if where.person_id in people else None,
            lambda each: people.get(each, ""),
            160,
        )


def _days_words(reach: Reach) -> str:
    return label("ledger.last_days", days=int(reach))


def _outcome_words(outcome: Outcome) -> str:
    return case_promises.outcome_words(outcome)


def _choice(
    name: str,
    words: str,
    options: Sequence[Any],
    chosen: Any,
    words_of: Callable[[Any], str],
    width: int,
    *,
    must: bool = False,
) -> None:
    key = f"{SCREEN}.{name}"

    def choose() -> None:
        value = st.session_state[key]
        st.query_params.pop("after", None)
        if value is None:
            st.query_params.pop(name, None)
        else:
            st.query_params[name] = str(value)

    st.session_state.setdefault(key, chosen)
    st.selectbox(
        words,
        options,
        index=0 if must else None,
        format_func=words_of,
        placeholder=label("ledger.all"),
        key=key,
        on_change=choose,
        width=width,
    )


def scores(found: Sequence[Score]) -> None:
    """By person: kept, broken, changed with consent, still open, and the rate with its denominator."""
    st.subheader(label("ledger.by_person"), anchor=False)
    st.dataframe(
        pd.DataFrame(
            {
                label("ledger.person"): [each.person or label("actor.system") for each in found],
                _outcome_words(Outcome.KEPT): [each.kept for each in found],
                _outcome_words(Outcome.BROKEN): [each.broken for each in found],
                _outcome_words(Outcome.CHANGED): [each.changed for each in found],
                _outcome_words(Outcome.OPEN): [each.open for each in found],
                label("ledger.rate"): [
                    label("ledger.rate_of", rate=percent(each.rate), kept=each.kept, of=each.of)
                    if each.of
                    else "–"
                    for each in found
                ],
            }
        ),
        key=f"{SCREEN}.scores",
        hide_index=True,
        height="content",
    )
    st.caption(label("ledger.rate_how"))


def promises(page: LedgerPage, actor: Actor, now: datetime) -> None:
    """The rows; the chosen one can be kept, changed with consent, or opened as its case."""
    st.subheader(label("ledger.promises"), anchor=False)
    if not page.rows:
        st.info(label("ledger.none"))
        return
    chosen = st.dataframe(
        pd.DataFrame(
            {
                label("ledger.due"): [when(row.due_at) for row in page.rows],
                label("ledger.state"): [_outcome_words(row.outcome) for row in page.rows],
                label("ledger.case"): [row.number for row in page.rows],
                label("ticket.company"): [row.company for row in page.rows],
                label("ledger.what"): [case_promises.promise_words(row) for row in page.rows],
                label("ledger.told"): [when(row.promised_at) for row in page.rows],
                label("ledger.person"): [
                    row.promised_by or label("actor.system") for row in page.rows
                ],
                label("ledger.kept"): [when(row.kept_at) for row in page.rows],
                label("ledger.why"): [row.end_words for row in page.rows],
            }
        ),
        key=f"{SCREEN}.rows",
        hide_index=True,
        height="content",
        column_config={
            label("ledger.what"): st.column_config.TextColumn(width=WHAT_WIDTH),
        },
        on_select="rerun",
        selection_mode="single-row",
    )
    picked = chosen["selection"]["rows"]
    if picked and picked[0] < len(page.rows):
        _steps(page.rows[picked[0]], actor, now)
    else:
        st.caption(label("ledger.choose"))


def _steps(row: PromiseRow, actor: Actor, now: datetime) -> None:
    with st.container(border=True, key="tickets_ledger_row"):
        case_promises.show_row(row, actor, now, may_act=False)
        with st.container(horizontal=True, gap="xsmall", vertical_alignment="center"):
            if row.is_open and actor.has(*DESK):
                case_promises.keep_button(row)
                case_promises.change_form(row, now)
            menu.link(
                "tickets_detail", row.number, icon=":material/description:", ticket=row.ticket_id
            )


def pager(page: LedgerPage, place: Key | None) -> None:
    """Back to the first page, on to the following one."""
    if place is None and page.following is None:
        return
    with st.container(horizontal=True):
        st.button(
            label("ledger.first"),
            key=f"{SCREEN}.first",
            disabled=place is None,
            on_click=_turn,
            args=(None,),
        )
        st.button(
            label("ledger.following"),
            key=f"{SCREEN}.following",
            disabled=page.following is None,
            on_click=_turn,
            args=(page.following,),
        )


def _turn(following: Key | None) -> None:
    if following is None:
        st.query_params.pop("after", None)
    else:
        st.query_params["after"] = f"{epoch(following[0])}-{following[1]}"
