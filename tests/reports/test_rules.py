from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.codes import FaultCode, TimerKind, TimerPhase, Verdict
from lib.reports import rules
from lib.reports.rules import Behind, Days, Figure, Meaning, Measure, Rate, Span
from lib.shared.clock import SHANGHAI
from lib.tickets.timers import TimerState

NOW = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
WEEK = Span(NOW - timedelta(days=7), NOW)


def a_timer(phase=TimerPhase.RUNNING, due=None, stopped=None):
    """Due and stop in hours from NOW."""
    return TimerState(
        TimerKind.RESOLUTION,
        1,
        NOW - timedelta(days=60),
        phase,
        None if due is None else NOW + due * HOUR,
        None,
        None if stopped is None else NOW + stopped * HOUR,
    )


@pytest.mark.parametrize(
    ("timer", "counted"),
    [
        (a_timer(TimerPhase.STOPPED, due=-5, stopped=-6), Verdict.MET),
        (a_timer(TimerPhase.STOPPED, due=-5, stopped=-5), Verdict.MET),
        (a_timer(TimerPhase.STOPPED, due=-6, stopped=-5), Verdict.MISSED),
        (a_timer(TimerPhase.STOPPED, due=40, stopped=-200), None),
        (a_timer(TimerPhase.STOPPED, due=-200, stopped=-5), None),
        (a_timer(TimerPhase.STOPPED, stopped=-5), Verdict.MET),
        (a_timer(TimerPhase.RUNNING, due=-1), Verdict.MISSED),
        (a_timer(TimerPhase.RUNNING, due=-200), None),
        (a_timer(TimerPhase.RUNNING, due=1), None),
        (a_timer(TimerPhase.RUNNING, due=0), None),
        (a_timer(TimerPhase.PAUSED), None),
        (a_timer(TimerPhase.PAUSED, due=-1), Verdict.MISSED),
        (a_timer(TimerPhase.CANCELLED, due=-6, stopped=-5), Verdict.MISSED),
        (a_timer(TimerPhase.CANCELLED, due=-5, stopped=-6), None),
    ],
)
def test_met_belongs_to_its_stop_and_missed_to_its_due(timer, counted):
    assert rules.counted_as(timer, WEEK, NOW) is counted


PHASES = st.sampled_from(list(TimerPhase))
HOURS = st.integers(-400, 400) | st.none()


@given(PHASES, HOURS, HOURS)
def test_a_timer_belongs_to_at_most_one_of_two_neighbouring_periods(phase, due, stopped):
    timer = a_timer(phase, due, stopped)
    before = Span(WEEK.since - timedelta(days=7), WEEK.since)
    counted = [rules.counted_as(timer, span, NOW) for span in (WEEK, before)]
    assert None in counted


@given(st.integers(0, 10_000), st.integers(0, 10_000))
def test_a_rate_states_its_denominator_and_lies_between_0_and_1(met, missed):
    rate = Rate(met, missed)
    assert rate.of == met + missed
    if rate.of:
        assert 0 <= rate.share <= 1
        assert round(rate.share * rate.of) == met
    else:
        assert rate.share is None


@pytest.mark.parametrize(
    ("measure", "value", "before", "change", "meaning"),
    [
        (Measure.OVERDUE, 3, 7, -4, Meaning.BETTER),
        (Measure.OVERDUE, 7, 3, 4, Meaning.WORSE),
        (Measure.OPEN, 60, 60, 0, Meaning.SAME),
        (Measure.RESPONSE, 0.96, 0.90, 0.06, Meaning.BETTER),
        (Measure.RESOLUTION, 0.90, 0.96, -0.06, Meaning.WORSE),
        (Measure.SATISFACTION, 4.6, 4.5, 0.1, Meaning.BETTER),
        (Measure.SATISFACTION, 4.6, None, None, None),
        (Measure.RESPONSE, None, 0.9, None, None),
    ],
)
def test_the_colour_of_a_change_follows_its_meaning(measure, value, before, change, meaning):
    figure = Figure(measure, value, before, of=10)
    assert figure.change == (None if change is None else pytest.approx(change))
    assert figure.meaning is meaning


@pytest.mark.parametrize("days", list(Days))
def test_a_period_is_made_of_days_in_shanghai_with_today(days):
    period = rules.period_of(days, NOW)
    assert len(period.days) == int(days)
    assert period.days[-1] == date(2026, 11, 24)
    assert period.current.since == datetime.combine(period.days[0], datetime.min.time(), SHANGHAI)
    assert period.current.holds(NOW)
    assert period.previous.until == period.current.since
    assert period.then == NOW - timedelta(days=int(days))


def test_today_begins_at_midnight_in_shanghai():
    period = rules.period_of(Days.WEEK, datetime(2026, 11, 24, 16, 30, tzinfo=UTC))
    assert period.days[-1] == date(2026, 11, 25)


def test_causes_are_ranked_and_their_shares_add_up():
    causes = rules.causes_of(
        {FaultCode.NOISE: 1, FaultCode.MOTOR_DEAD: 6, FaultCode.CORD_BROKEN: 3, FaultCode.OTHER: 0}
    )
    assert [(cause.fault, cause.cases) for cause in causes] == [
        (FaultCode.MOTOR_DEAD, 6),
        (FaultCode.CORD_BROKEN, 3),
        (FaultCode.NOISE, 1),
    ]
    assert [cause.cumulative for cause in causes] == pytest.approx([0.6, 0.9, 1.0])


@given(st.dictionaries(st.sampled_from(list(FaultCode)), st.integers(0, 1000)))
def test_no_case_is_lost_among_the_causes(cases):
    causes = rules.causes_of(cases)
    assert sum(cause.cases for cause in causes) == sum(cases.values())
    assert sorted((cause.cases for cause in causes), reverse=True) == [
        cause.cases for cause in causes
    ]
    if causes:
        assert causes[-1].cumulative == pytest.approx(1)


def test_days_on_which_nothing_happened_are_shown_as_zero():
    days = rules.period_of(Days.WEEK, NOW).days
    counts = rules.days_of(days, {days[1]: 4}, {days[6]: 2})
    assert [(each.new, each.closed) for each in counts] == [
        (0, 0),
        (4, 0),
        (0, 0),
        (0, 0),
        (0, 0),
        (0, 0),
        (0, 2),
    ]


@pytest.mark.parametrize(
    "behind",
    [
        Behind(measure=Measure.RESPONSE),
        Behind(measure=Measure.SATISFACTION),
        Behind(fault=FaultCode.NOISE),
        Behind(new_on=date(2026, 11, 24)),
        Behind(closed_on=date(2026, 11, 18)),
    ],
)
def test_an_address_tells_the_cases_behind_a_figure(behind):
    days = rules.period_of(Days.WEEK, NOW).days
    assert rules.behind_of(behind.code, days) == behind


@given(st.sampled_from(["", "open", "fault.", "new.2026-13-01", "closed.2020-01-01"]) | st.text())
def test_an_address_that_tells_nothing_asks_for_no_cases(code):
    if code not in {"response", "resolution", "satisfaction"}:
        assert rules.behind_of(code, rules.period_of(Days.WEEK, NOW).days) is None
