"""A technician's visit on a tablet: one tap each for way, arrival and end, between them report, photos, signature."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

import streamlit as st

from db.codes import VisitOutcome, VisitStatus
from lib.shared import clock
from lib.shared.errors import Refusal
from lib.stock.queries import PartRow
from lib.stock.rules import MOST_AT_ONCE
from lib.ui import doors
from lib.ui.case_steps import moment_fields, moment_of
from lib.ui.components import field
from lib.ui.components.parts import part_name
from lib.ui.components.picture import picture
from lib.ui.labels import clock_time, code_label, escape, label, language
from lib.visits import actions, rules
from lib.visits.queries import UsedPart, VisitCard

STYLE = """<style>
.st-key-visits_today, .st-key-visits_today p, .st-key-visits_today label, .st-key-visits_end p { font-size: 17px; }
.st-key-visits_today button { min-height: 56px; }
.st-key-visits_today button p { font-size: 17px; font-weight: 600; }
.st-key-visits_today input { min-height: 48px; font-size: 17px; }
.st-key-visits_today :is([data-testid="stDateInput"], [data-testid="stTimeInput"]) * { font-size: 17px; }
.st-key-visits_today :is([data-testid="stDateInput"], [data-testid="stTimeInput"]) > div,
.st-key-visits_today :is([data-testid="stDateInputField"], [data-testid="stTimeInputTimeDisplay"]) { height: 48px; }
.st-key-visits_today textarea { font-size: 17px; line-height: 1.5; }
.st-key-visits_today [data-testid="stNumberInputContainer"] button { min-width: 48px; }
.st-key-visits_today .desk-picture { border-radius: 6px; border: 1px solid #8A94A6; }
.st-key-visits_today [data-testid="stElementToolbar"] { display: none; }
.st-key-visits_today [data-testid="stHeaderActionElements"] { display: none; }
.stBottom [data-testid="stBottomBlockContainer"] { padding: 0.5rem 1.5rem 0.75rem; }
[class*="st-key-visits_undo_"] { animation: desk-undo 0s linear 10s forwards; }
@keyframes desk-undo { to { visibility: hidden; } }
</style>"""
"""Large enough for gloves and poor light; "undo" goes when its ten seconds are over."""

STEPS: dict[str, Callable[..., None]] = {"set_out": actions.set_out, "arrive": actions.arrive}
SENT_AGAIN_AFTER = ("failed", "signed_out", "desk_busy")


def name(what: str, visit: VisitCard) -> str:
    """The key of a field of a visit."""
    return f"visits.today.{what}.{visit.id}"


def steps(visit: VisitCard, now: datetime) -> None:
    """The next tap of a visit that has not arrived."""
    if visit.status not in (VisitStatus.PLANNED, VisitStatus.ON_THE_WAY):
        return
    with st.container(horizontal=True, gap="small"):
        field.taps(name("taps", visit), visit, partial(_take, visit))
        if visit.status is VisitStatus.ON_THE_WAY and rules.can_undo(visit.on_the_way_at, now):
            with st.container(key=f"visits_undo_{visit.id}", width="content"):
                _undo(visit)


def _take(visit: VisitCard, tap: field.Tap) -> bool | None:
    """Carry out a tap; whatever its page shows, it is the same step with the same key."""
    if tap.what in STEPS:
        _submit(STEPS[tap.what], visit, tap)
        return _carried_out()
    return _finish(visit, tap)


def _submit(step: Callable[..., None], visit: VisitCard, tap: field.Tap, **told: Any) -> None:
    doors.submit(
        step,
        key=f"tap-{visit.id}-{tap.key}",
        visit_id=visit.id,
        version=tap.version,
        device_at=tap.device_at,
        skew=tap.skew,
        **told,
    )


def _undo(visit: VisitCard) -> None:
    key = doors.form_key(f"visits.today.undo.{visit.id}.{visit.version}")
    st.button(
        label("visits.today.undo"),
        key=f"{name('undo', visit)}.{key}",
        icon=":material/undo:",
        width="stretch",
        on_click=doors.submit,
        args=(actions.undo_set_out,),
        kwargs={"key": key, "visit_id": visit.id, "version": visit.version},
    )


def _carried_out() -> bool | None:
    """Whether what the tablet sent was carried out; None: to be sent again, after a failure of ours or a sign-in."""
    refusal = st.session_state.get(doors.REFUSAL)
    if refusal is None:
        return True
    return None if refusal.key in SENT_AGAIN_AFTER else False


def form(visit: VisitCard, parts: Sequence[PartRow], now: datetime) -> None:
    """All that a visit on site needs before it ends; each part of it is stored as soon as it is given."""
    _outcome(visit, now)
    _report(visit)
    _photos(visit)
    _parts(visit, parts)
    _signature(visit)


def _outcome(visit: VisitCard, now: datetime) -> None:
    st.subheader(label("visits.today.outcome"), anchor=f"outcome-{visit.id}")
    outcome = st.segmented_control(
        label("visits.today.outcome"),
        list(VisitOutcome),
        key=name("outcome", visit),
        format_func=code_label,
        label_visibility="collapsed",
        width="stretch",
    )
    usual = None if outcome is None else rules.usual_wait(outcome, now)
    if outcome is not None and usual is not None:
        with st.container(horizontal=True, vertical_alignment="bottom"):
            moment_fields(
                _until(visit, outcome),
                usual,
                "step.start_waiting.until_day",
                "step.start_waiting.until_time",
                day_width=190,
            )


def _until(visit: VisitCard, outcome: VisitOutcome) -> str:
    """The key of the end of a wait; each outcome has fields of its own, so that its usual length stands there."""
    return f"{name('until', visit)}.{outcome}"


def _waiting_until(visit: VisitCard) -> datetime | None:
    outcome = st.session_state.get(name("outcome", visit))
    return None if outcome is None else moment_of(_until(visit, outcome))


def _report(visit: VisitCard) -> None:
    st.subheader(label("visits.today.report"), anchor=f"report-{visit.id}")
    st.session_state.setdefault(name("report", visit), visit.report)
    st.text_area(
        label("visits.today.report"),
        key=name("report", visit),
        max_chars=rules.REPORT_LENGTH,
        height=110,
        placeholder=label("visits.today.report_how"),
        label_visibility="collapsed",
        on_change=_keep_draft,
        args=(visit,),
    )


def _keep_draft(visit: VisitCard) -> None:
    doors.submit(
        actions.keep_draft,
        visit_id=visit.id,
        report=st.session_state.get(name("report", visit), visit.report),
        signed_by=st.session_state.get(name("signed_by", visit), visit.signed_by),
    )


def _photos(visit: VisitCard) -> None:
    taken = len(visit.photo_ids)
    st.subheader(label("visits.today.photos", count=taken, most=actions.MOST_PHOTOS), anchor=False)
    if visit.photo_ids:
        with st.container(horizontal=True, gap="small"):
            for place, file_id in enumerate(visit.photo_ids, 1):
                with st.container(width=150, gap="small"):
                    told = label("visits.photo.nth", place=place)
                    picture("visit", file_id, words=told, width=150)
                    st.button(
                        label("visits.photo.remove"),
                        key=f"visits.photo.remove.{file_id}",
                        icon=":material/delete:",
                        width="stretch",
                        on_click=doors.submit,
                        args=(actions.remove_photo,),
                        kwargs={"visit_id": visit.id, "file_id": file_id},
                    )

    def store(key: str, sent: bytes) -> bool | None:
        doors.submit(actions.add_photo, key=f"photo-{visit.id}-{key}", visit_id=visit.id, sent=sent)
        return _carried_out()

    field.camera(name("camera", visit), visit.id, actions.MOST_PHOTOS - taken, store)


def _parts(visit: VisitCard, parts: Sequence[PartRow]) -> None:
    st.subheader(label("visits.today.parts"), anchor=False)
    for used in visit.parts:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.text(
                f"{used.number} · {_used_name(used)} × {used.quantity} {used.unit}", width="stretch"
            )
            st.button(
                label("visits.part.back"),
                key=f"visits.part.back.{used.id}",
                icon=":material/undo:",
                on_click=doors.submit,
                args=(actions.give_part_back,),
                kwargs={"visit_id": visit.id, "visit_part_id": used.id},
            )
    key = doors.form_key(f"visits.part.{visit.id}")
    words = {
        part.id: label(
            "visits.part.option", number=part.number, name=part_name(part), on_hand=part.on_hand
        )
        for part in sorted(parts, key=lambda each: each.number)
    }
    which = f"visits.part.which.{key}"
    if which in st.session_state:
        # Assigned again, the choice outlives a change of the language, which changes the options' words.
        st.session_state[which] = st.session_state[which]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        part_id = st.selectbox(
            label("visits.part.which"),
            list(words),
            key=which,
            index=None,
            format_func=lambda each: words.get(each, ""),
            placeholder=label("visits.part.find"),
        )
        st.number_input(
            label("visits.part.quantity"),
            1,
            MOST_AT_ONCE,
            key=f"visits.part.quantity.{key}",
            width=170,
        )
        st.button(
            label("visits.part.use"),
            key=f"visits.part.use.{key}",
            icon=":material/add:",
            disabled=part_id is None,
            on_click=_use_part,
            args=(visit, key),
        )


def _used_name(used: UsedPart) -> str:
    return used.name_en if language() == "en" and used.name_en else used.name


def _use_part(visit: VisitCard, key: str) -> None:
    part_id = st.session_state.get(f"visits.part.which.{key}")
    quantity = st.session_state.get(f"visits.part.quantity.{key}")
    if part_id is None or quantity is None:
        # An impatient tap, of a form that has been answered and has gone since.
        return
    doors.submit(actions.use_part, key=key, visit_id=visit.id, part_id=part_id, quantity=quantity)


def _signature(visit: VisitCard) -> None:
    st.subheader(label("visits.today.signature"), anchor=f"signature-{visit.id}")
    # Mostly the contact signs: the name stands there, to be changed when somebody else does.
    st.session_state.setdefault(name("signed_by", visit), visit.signed_by or visit.contact_name)
    st.text_input(
        label("visits.today.signed_by"),
        key=name("signed_by", visit),
        max_chars=rules.SIGNER_LENGTH,
        on_change=_keep_draft,
        args=(visit,),
    )
    again = name("sign_again", visit)
    if visit.signature_id is not None and not st.session_state.get(again):
        with st.container(horizontal=True, vertical_alignment="center"):
            told = label("visits.today.signature")
            picture("visit", visit.signature_id, words=told, width=240)
            st.markdown(
                f":material/check_circle: {label('visits.signature.stored')}", width="content"
            )
            st.button(
                label("visits.signature.again"),
                key=f"{again}.button",
                icon=":material/edit:",
                on_click=st.session_state.__setitem__,
                args=(again, True),
            )
        return

    def store(key: str, sent: bytes) -> bool | None:
        signed = doors.submit(
            actions.sign_visit, key=f"signature-{visit.id}-{key}", visit_id=visit.id, sent=sent
        )
        if signed is not None:
            st.session_state[again] = False
        return _carried_out()

    field.pad(name("pad", visit), visit.id, store)


def end(visit: VisitCard) -> None:
    """The tap that ends the visit, pinned to the foot of the screen, with what is still missing."""
    with st.container(key="visits_end"):
        missing = _missing(visit, _waiting_until(visit))
        if missing and st.session_state.get(name("tried", visit)):
            links = "、".join(
                f"[{label(f'visits.missing.{each}')}](#{_anchor(each)}-{visit.id})"
                for each in missing
            )
            st.warning(label("visits.today.missing", what=links), icon=":material/checklist:")
        field.taps(
            name("taps", visit), visit, partial(_take, visit), _form(visit), name("report", visit)
        )


def _form(visit: VisitCard) -> dict[str, str]:
    """What of the form is stored nowhere before the end."""
    outcome, until_at = st.session_state.get(name("outcome", visit)), _waiting_until(visit)
    told = {} if outcome is None else {"outcome": str(outcome)}
    return told if until_at is None else told | {"until": until_at.isoformat()}


def _recall(visit: VisitCard, form: Mapping[str, str]) -> datetime | None:
    """Choose the outcome again that a page loaded since the tap has lost. Answers until when the wait was to last."""
    outcome = name("outcome", visit)
    if st.session_state.get(outcome) is None and form.get("outcome") in set(VisitOutcome):
        st.session_state[outcome] = VisitOutcome(form["outcome"])
    try:
        until_at = datetime.fromisoformat(form.get("until", ""))
    except ValueError:
        return None
    return None if until_at.tzinfo is None else until_at


def _anchor(missing: str) -> str:
    return {"signed_by": "signature", "until": "outcome"}.get(missing, missing)


def _missing(visit: VisitCard, until_at: datetime | None) -> list[str]:
    outcome = st.session_state.get(name("outcome", visit))
    missing = rules.missing_for(
        outcome,
        st.session_state.get(name("report", visit), ""),
        st.session_state.get(name("signed_by", visit), ""),
        has_signature=visit.signature_id is not None,
    )
    try:
        if outcome is not None:
            rules.wait_after(outcome, until_at, clock.now())
    except Refusal:
        missing.append("until")
    return missing


def _finish(visit: VisitCard, tap: field.Tap) -> bool | None:
    st.session_state[name("tried", visit)] = True
    recalled = _recall(visit, tap.form)
    until_at = _waiting_until(visit) or recalled
    if _missing(visit, until_at):
        return False
    _submit(
        actions.finish_visit,
        visit,
        tap,
        report=st.session_state[name("report", visit)],
        outcome=st.session_state[name("outcome", visit)],
        signed_by=st.session_state.get(name("signed_by", visit), ""),
        waiting_until=until_at,
    )
    carried_out = _carried_out()
    if carried_out:
        doors.say("visits.today.finished", number=visit.number)
    return carried_out


def result(visit: VisitCard) -> None:
    """What a visit that is done has brought, in a few lines."""
    if visit.outcome is None:
        return
    told = [f"**{code_label(visit.outcome)}** · {clock_time(visit.done_at)}", escape(visit.report)]
    told += [escape(f"{used.number} {_used_name(used)} × {used.quantity}") for used in visit.parts]
    st.markdown("  \n".join(filter(None, told)))
