"""Which page is for whom. One of the two sources of who may do what; the other is `@permit` beside each action."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NoReturn

import streamlit as st

from db.codes import Role
from lib.shared.settings import ROOT
from lib.ui.labels import label

PAGES = ROOT / "pages"
DRAWN = "menu.drawn"
EVERYBODY = frozenset(Role)


@dataclass(frozen=True, slots=True)
class Entry:
    """A page by its file name; `shown` pages stand in the navigation, the others are reached from a page."""

    name: str
    roles: frozenset[Role]
    icon: str
    shown: bool = True
    everyone: bool = False

    @property
    def path(self) -> Path:
        return PAGES / f"{self.name}.py"

    def is_for(self, roles: frozenset[Role]) -> bool:
        """Whether somebody with these roles may open the page."""
        return self.everyone or not self.roles.isdisjoint(roles)


R = Role
MENU: tuple[Entry, ...] = (
    Entry(
        "tickets_queue",
        frozenset({R.HOTLINE, R.DISPATCHER, R.SUPERVISOR, R.SALES, R.QUALITY, R.AUDITOR}),
        ":material/view_list:",
    ),
    Entry("tickets_entry", frozenset({R.HOTLINE, R.SUPERVISOR}), ":material/add_call:"),
    Entry("tickets_calls", frozenset({R.HOTLINE, R.SUPERVISOR}), ":material/phone_missed:"),
    Entry(
        "tickets_detail",
        frozenset(
            {R.HOTLINE, R.DISPATCHER, R.TECHNICIAN, R.SUPERVISOR, R.SALES, R.QUALITY, R.AUDITOR}
        ),
        ":material/description:",
        shown=False,
    ),
    Entry(
        "tickets_timer",
        frozenset(
            {R.HOTLINE, R.DISPATCHER, R.TECHNICIAN, R.SUPERVISOR, R.SALES, R.QUALITY, R.AUDITOR}
        ),
        ":material/receipt_long:",
        shown=False,
    ),
    Entry(
        "customers_card",
        frozenset({R.HOTLINE, R.SALES, R.SUPERVISOR}),
        ":material/contacts:",
    ),
    Entry(
        "visits_schedule",
        frozenset({R.DISPATCHER, R.SUPERVISOR, R.AUDITOR}),
        ":material/calendar_month:",
    ),
    Entry("visits_today", frozenset({R.TECHNICIAN}), ":material/handyman:"),
    Entry(
        "stock_levels",
        frozenset({R.STOREKEEPER, R.DISPATCHER, R.TECHNICIAN, R.SUPERVISOR, R.AUDITOR}),
        ":material/inventory_2:",
    ),
    Entry(
        "feedback_return_calls", frozenset({R.HOTLINE, R.SUPERVISOR}), ":material/phone_callback:"
    ),
    Entry("tickets_macros", frozenset({R.SUPERVISOR}), ":material/quickreply:"),
    Entry(
        "tickets_commitments",
        frozenset({R.HOTLINE, R.DISPATCHER, R.SUPERVISOR, R.QUALITY, R.AUDITOR}),
        ":material/handshake:",
    ),
    Entry(
        "reports_dashboard",
        frozenset({R.SUPERVISOR, R.QUALITY, R.SALES, R.AUDITOR}),
        ":material/monitoring:",
    ),
    Entry(
        "tickets_policies",
        frozenset({R.SUPERVISOR, R.AUDITOR, R.ADMINISTRATOR}),
        ":material/timer:",
    ),
    Entry(
        "tickets_calendars",
        frozenset({R.SUPERVISOR, R.AUDITOR, R.ADMINISTRATOR}),
        ":material/date_range:",
    ),
    Entry("messages_notices", frozenset(), ":material/notifications:", shown=False, everyone=True),
    Entry("people_staff", frozenset({R.ADMINISTRATOR}), ":material/group:"),
    Entry("people_audit", frozenset({R.AUDITOR, R.ADMINISTRATOR}), ":material/fact_check:"),
    Entry("people_account", frozenset(), ":material/account_circle:", shown=False, everyone=True),
)

FIRST_PAGES: tuple[tuple[Role, str], ...] = (
    (R.HOTLINE, "tickets_queue"),
    (R.DISPATCHER, "tickets_queue"),
    (R.SUPERVISOR, "reports_dashboard"),
    (R.TECHNICIAN, "visits_today"),
    (R.STOREKEEPER, "stock_levels"),
    (R.QUALITY, "reports_dashboard"),
    (R.SALES, "tickets_queue"),
    (R.AUDITOR, "people_audit"),
    (R.ADMINISTRATOR, "people_staff"),
)
"""Where somebody lands, by the first role that fits."""


@cache
def registered() -> tuple[Entry, ...]:
    """The entries whose page file exists."""
    return tuple(entry for entry in MENU if entry.path.exists())


def entry(name: str) -> Entry:
    """The entry of a page. Raises KeyError for a page that is not in the menu."""
    for found in MENU:
        if found.name == name:
            return found
    raise KeyError(name)


def open_to(roles: frozenset[Role]) -> tuple[Entry, ...]:
    """The pages that somebody with these roles may open."""
    return tuple(found for found in registered() if found.is_for(roles))


def first_page(roles: frozenset[Role]) -> str:
    """The page somebody lands on."""
    names = {found.name for found in open_to(roles)}
    for role, name in FIRST_PAGES:
        if role in roles and name in names:
            return name
    return next((found.name for found in open_to(roles) if found.shown), "people_account")


def keep(pages: Sequence["st.Page"]) -> None:
    """Remember the navigation's pages for links: by its path Streamlit would look a page up on the disk each time."""
    st.session_state[DRAWN] = {page.url_path: page for page in pages}


def _page(name: str) -> "st.Page | Path":
    drawn: dict[str, st.Page] = st.session_state.get(DRAWN, {})
    return drawn.get(name, entry(name).path)


def go(name: str, **query: str | int) -> NoReturn:
    """Open another page of the menu, with query parameters; not from a callback."""
    st.switch_page(entry(name).path, query_params={key: str(value) for key, value in query.items()})


def link(
    name: str, words: str | None = None, *, icon: str | None = None, **query: str | int
) -> None:
    """A link to another page of the menu, with query parameters."""
    st.page_link(
        _page(name),
        label=words if words is not None else label(f"page.{name}"),
        icon=icon,
        query_params={key: str(value) for key, value in query.items()} or None,
    )
