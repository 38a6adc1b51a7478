"""What a technician taps on a tablet: the head of a visit, the camera, and the pad the customer signs on."""

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import streamlit as st

from db.codes import VisitStatus
from lib.shared.assets import asset
from lib.shared.clock import SHANGHAI
from lib.ui.components import loader
from lib.ui.labels import clock_time, code_label, day, label
from lib.visits.queries import VisitCard

SENT_KEY = re.compile(r"[0-9A-Za-z-]{8,40}")
NO_CLASS = re.compile(r"[^0-9A-Za-z_-]")
"""What Streamlit makes a hyphen of when it names an element's class by its key."""
DATA_ADDRESS = re.compile(r"data:image/(?:jpeg|png);base64,")
MOST_SENT = 8 * 1024 * 1024
"""Letters of one picture as it is sent; a photo made small by the tablet has about one million."""

REMEMBERED = 30
MARKS = {
    VisitStatus.PLANNED: "clock",
    VisitStatus.ON_THE_WAY: "car",
    VisitStatus.ARRIVED: "place",
    VisitStatus.DONE: "ok",
}

Store = Callable[[str, bytes], bool | None]
"""Takes the key and bytes of a picture: True stored, False refused for good, None to be sent again."""

LATEST_MILLISECOND = 4_102_444_800_000
"""The start of the year 2100: no tablet tells a later instant, and no skew is larger."""

TAPS = ("set_out", "arrive", "finish")
MOST_TOLD = 40
"""Letters of each thing that a tap carries of the form."""


@dataclass(frozen=True, slots=True)
class Tap:
    """A tap as the tablet tells it: when by its own clock, which is `skew` ahead of the server's (rule 22).

    form: what the form said when it was tapped, as `taps` was given it; a page that is loaded anew has lost it.
    """

    key: str
    what: str
    version: int
    device_at: datetime
    skew: timedelta
    form: Mapping[str, str] = field(default_factory=dict)


TakeTap = Callable[[Tap], bool | None]
"""True stored, False refused for good, None to be sent again."""

_taps = st.components.v2.component("desk_taps", js=loader("taps.js"))
_card = st.components.v2.component("desk_visit_card", js=loader("visit_card.js"))
_camera = st.components.v2.component("desk_photo", js=loader("photo.js"))
_pad = st.components.v2.component("desk_signature", js=loader("signature.js"))


def card(key: str, visit: VisitCard, *, elsewhen: bool = False) -> int | None:
    """Draw the head of a visit; `elsewhen`: with its day. Answers the id of the ticket to open."""
    times = f"{clock_time(visit.starts_at)}–{clock_time(visit.ends_at)}"
    dialled = re.sub(r"[^\d+,;]", "", visit.phone.replace("转", ","))
    live = visit.status is not VisitStatus.DONE
    warranty = label("visits.today.coverage", state=code_label(visit.coverage))
    if visit.warranty_ends_on is not None:
        warranty = label("visits.today.warranty", state=warranty, until=visit.warranty_ends_on)
    facts = [
        [label("visits.today.fault"), code_label(visit.fault)],
        [label("visits.today.item"), " · ".join(filter(None, (visit.item_name, visit.room)))],
        [label("visits.today.told"), visit.words],
    ]
    answer = _card(
        key=key,
        data={
            "times": f"{day(visit.starts_at.astimezone(SHANGHAI).date())} {times}"
            if elsewhen
            else times,
            "state": "late" if visit.late else str(visit.status),
            "status": label("visits.late") if visit.late else code_label(visit.status),
            "mark": "late" if visit.late else MARKS.get(visit.status, "clock"),
            "priority": code_label(visit.priority),
            "number": visit.number,
            "ticket": visit.ticket_id,
            "coverage": warranty,
            "coverage_state": str(visit.coverage),
            "customer": visit.customer_name,
            "address": " · ".join(filter(None, (visit.site_name, visit.address))),
            "contact": visit.contact_name,
            "phone": visit.phone,
            "tel": dialled if live and not visit.masked else "",
            "map": visit.address if live and not visit.masked else "",
            "facts": facts if live else facts[:1],
            "words": {word: label(f"visits.today.{word}") for word in ("call", "navigate")},
            "style": asset("visit_card.css").address,
        },
        on_opened_change=lambda: None,
    )
    return answer.opened if isinstance(answer.opened, int) else None


def taps(
    key: str,
    visit: VisitCard,
    take: TakeTap,
    form: Mapping[str, str] | None = None,
    report_key: str = "",
) -> None:
    """Draw the buttons of the next steps: the way and the arrival, on site the end. `form` goes with each tap.

    report_key: the text area whose words the tablet keeps until the desk has them; the end goes after them.
    """
    report = None
    if report_key:
        place = f"st-key-{NO_CLASS.sub('-', report_key)}"
        known = st.session_state.get(report_key, visit.report)
        report = {"place": place, "stored": visit.report, "known": known}
    _taps(
        key=key,
        data={
            "visit": visit.id,
            "state": str(visit.status),
            "version": visit.version,
            "answered": st.session_state.get(f"{key}.answered", []),
            "clock": "/desk/clock",
            "form": dict(form or {}),
            "report": report,
            "words": {
                **{word: label(f"visits.today.{word}", number=visit.number) for word in TAPS},
                **{
                    word: label(f"visits.taps.{word}", step="{step}", at="{at}")
                    for word in ("kept", "after")
                },
            },
            "style": asset("taps.css").address,
        },
        on_tapped_change=lambda: _take_tap(key, take),
    )


def _take_tap(key: str, take: TakeTap) -> None:
    tap = tap_of(st.session_state[key].get("tapped"))
    answered = st.session_state.get(f"{key}.answered", [])
    if tap is None or tap.key in answered or take(tap) is None:
        return
    st.session_state[f"{key}.answered"] = [*answered, tap.key][-REMEMBERED:]


def tap_of(told: Any) -> Tap | None:
    """The tap that a browser told, None when it makes no sense; nothing it sends is trusted."""
    if not isinstance(told, dict):
        return None
    key, what, version = told.get("key"), told.get("what"), told.get("version")
    at, skew = told.get("at"), told.get("skew")
    if not isinstance(key, str) or not SENT_KEY.fullmatch(key) or what not in TAPS:
        return None
    if type(version) is not int or type(at) is not int or type(skew) is not int:
        return None
    if not 0 < at < LATEST_MILLISECOND or abs(skew) >= LATEST_MILLISECOND:
        return None
    form = told.get("form", {})
    if not isinstance(form, dict) or not all(_is_told(each) for each in form.values()):
        return None
    device_at = datetime.fromtimestamp(at / 1000, UTC)
    return Tap(key, what, version, device_at, timedelta(milliseconds=skew), form)


def _is_told(value: object) -> bool:
    return isinstance(value, str) and len(value) <= MOST_TOLD


def camera(key: str, visit_id: int, room: int, store: Store) -> None:
    """Draw the camera buttons, for `room` more photos."""
    _camera(
        key=key,
        data={
            "visit": visit_id,
            "room": room,
            "answered": st.session_state.get(f"{key}.answered", []),
            "words": {
                word: label(f"visits.photo.{word}")
                for word in ("shoot", "pick", "sending", "full", "unreadable")
            },
            "style": asset("photo.css").address,
        },
        on_taken_change=lambda: _take(key, "taken", store),
    )


def pad(key: str, visit_id: int, store: Store) -> None:
    """Draw the pad for a signature."""
    _pad(
        key=key,
        data={
            "visit": visit_id,
            "answered": next(reversed(st.session_state.get(f"{key}.answered", [])), None),
            "stored": st.session_state.get(f"{key}.stored", False),
            "words": {
                word: label(f"visits.signature.{word}")
                for word in ("paper", "hint", "clear", "confirm", "sending")
            },
            "style": asset("signature.css").address,
        },
        on_signed_change=lambda: _take(key, "signed", store),
    )


def _take(key: str, trigger: str, store: Store) -> None:
    """Give a picture that was sent to `store`, and remember its key for the answer."""
    asked: Any = st.session_state[key].get(trigger)
    if not isinstance(asked, dict):
        return
    sent_key, image = asked.get("key"), asked.get("image")
    if not isinstance(sent_key, str) or not SENT_KEY.fullmatch(sent_key):
        return
    stored = store(sent_key, _bytes_of(image))
    if stored is None:
        return
    st.session_state[f"{key}.stored"] = stored
    answered = st.session_state.get(f"{key}.answered", [])
    st.session_state[f"{key}.answered"] = [*answered, sent_key][-REMEMBERED:]


def _bytes_of(image: object) -> bytes:
    """What a data address holds; nothing when it is none or too long, which every picture rule refuses."""
    if not isinstance(image, str) or len(image) > MOST_SENT:
        return b""
    found = DATA_ADDRESS.match(image)
    if found is None:
        return b""
    try:
        return base64.b64decode(image[found.end() :], validate=True)
    except (binascii.Error, ValueError):
        return b""
